import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// An engine over a database of its own, and short ways to segments.
struct SegmentStage: Sendable {
    /// Who pays.
    static let pro = Condition(field: "data.plan", operator: .equals, value: "pro")

    let database: TemporaryDatabase
    let store: SQLiteStore
    let engine: EngineFixture

    init() async throws {
        database = try TemporaryDatabase()
        store = try SQLiteStore(path: database.path, exclusively: true)
        engine = try await EngineFixture(store: store)
    }

    var project: Identifier { engine.project.id }
    var segments: Segments { Segments(context: engine.context, projectID: engine.project.id) }

    static func filter(_ conditions: Condition...) -> Filter { Filter(.all, [.init(conditions)]) }

    /// Makes a DYNAMIC segment and computes it.
    @discardableResult
    func make(_ name: String, _ conditions: Condition..., announces: Bool = false) async throws -> Segments.Detail {
        let made = try await segments.create(
            .init(name: name, kind: .dynamic, filter: Filter(.all, [.init(conditions)])), announces: announces)
        try await run()
        return made
    }

    @discardableResult
    func makeStatic(_ name: String) async throws -> Segments.Detail {
        try await segments.create(.init(name: name, kind: .static, filter: nil))
    }

    /// Everything that the loop of segments has to do now.
    func run() async throws {
        repeat {
            while try await Segmenter(context: engine.context).pass() {}
        } while try await engine.findKeptEvents()
    }

    /// Slugs of the segments that the contact is in.
    func memberships(_ email: String = "ann@example.org") async throws -> Set<String> {
        let project = project
        return try await store.read { reader in
            guard let contact = try reader.contact(email: email, in: project) else { return [] }
            let ids = try reader.memberships(of: contact.id)
            let known = try reader.loadCatalog().segments[project]?.segments ?? []
            return Set(known.filter { ids.contains($0.id) }.map(\.slug))
        }
    }

    func memberCount(_ slug: String) async throws -> Int { try await segments.segment(slug).memberCount }

    /// How often an event of that name has happened.
    func count(_ event: String) async throws -> Int {
        let project = project
        return try await store.read { try $0.newestEventData(of: event, in: project, among: 100_000).count }
    }

    /// A workflow on an event that completes at once.
    func note(_ event: String, as slug: String) async throws {
        try await engine.apply([
            "workflow": .string(slug), "enabled": true, "allowReentry": true, "trigger": ["event": .string(event)],
            "steps": ["trigger": ["type": "TRIGGER", "next": "end"], "end": ["type": "EXIT"]],
        ])
    }
}
