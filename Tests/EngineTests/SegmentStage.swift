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

    /// Contacts of one moment, `c0@example.org` and on, in the order of their ids, past the door for contacts: no segment hears of
    /// them.
    func insert(_ count: Int, data: @escaping @Sendable (Int) -> JSONObject) async throws {
        let (project, now) = (project, engine.clock.now())
        try await store.write { store in
            for number in 0..<count {
                let contact = Contact(
                    id: Identifier(high: 0x0190_0000_0000_7000, low: UInt64(number)), email: "c\(number)@example.org",
                    isSubscribed: true, data: data(number), createdAt: now, updatedAt: now)
                try store.insert(contact, in: project)
            }
        }
    }

    /// A workflow that begins with an entry into `vip`, waits for an event, and ends with the given reason.
    func applyWait(for event: String, reason: String) async throws {
        try await engine.apply([
            "workflow": "flow", "enabled": true, "trigger": ["event": "segment.vip.entry"],
            "steps": [
                "trigger": ["type": "TRIGGER", "next": "wait"],
                "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": .string(event)], "next": "end"],
                "end": ["type": "EXIT", "config": ["reason": .string(reason)]],
            ],
        ])
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
