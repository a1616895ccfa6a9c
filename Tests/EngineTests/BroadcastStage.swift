import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// An engine over a database of its own, with a template and people to write to.
struct BroadcastStage: Sendable {
    let database: TemporaryDatabase
    let store: SQLiteStore
    let engine: EngineFixture
    let transport = ScriptedTransport()
    let writer: BroadcastWriter

    init(_ configure: (inout EngineConfiguration) -> Void = { _ in }) async throws {
        database = try TemporaryDatabase()
        store = try SQLiteStore(path: database.path, exclusively: false)
        engine = try await EngineFixture(store: store, configure: configure)
        writer = BroadcastWriter(context: engine.context)
        try await engine.apply(
            document(
                steps: ["end": ["type": "EXIT"]],
                templates: [
                    "news": [
                        "type": "MARKETING", "subject": "News for {{ name }}",
                        "html":
                            "<p>Hi {{ name }}, {{ code }} of {{ broadcast.name }}</p><a href='https://x.example/'>x</a>",
                    ]
                ]))
        engine.clock.advance(seconds: 1)
    }

    var project: Identifier { engine.project.id }
    var broadcasts: Broadcasts { Broadcasts(context: engine.context, projectID: project) }
    var segments: Segments { Segments(context: engine.context, projectID: project) }

    /// Makes contacts `c0@…`, `c1@…` and so on.
    @discardableResult
    func people(_ count: Int, from start: Int = 0, subscribed: Bool = true) async throws -> [Contact] {
        let now = engine.clock.now()
        let people = (start..<start + count).map { number in
            Contact(
                id: engine.context.identifiers.make(at: now), email: "c\(number)@example.org",
                isSubscribed: subscribed, data: ["name": .string("N\(number)")], createdAt: now, updatedAt: now)
        }
        let project = project
        try await store.write { store in for contact in people { try store.insert(contact, in: project) } }
        engine.clock.advance(seconds: 1)
        return people
    }

    /// A STATIC segment of these.
    @discardableResult
    func segment(_ slug: String = "vip", _ people: [Contact]) async throws -> SegmentRecord {
        let segment = try await segments.create(.init(name: slug, slug: slug, kind: .static, filter: nil)).segment
        let now = engine.clock.now()
        try await store.write { store in for contact in people { _ = try store.enter(contact.id, segment, at: now) }
        }
        return segment
    }

    func draft(
        _ name: String = "Spring", segment: String? = nil, template: String? = "news", subject: String? = nil,
        body: String? = nil, variants: [String] = [], test: BroadcastDefinition.Test? = nil, data: JSONObject = [:],
        window: SendWindow? = nil
    ) async throws -> Broadcast {
        var new = Broadcasts.Changes()
        new.name = name
        new.segment = .some(segment)
        new.content.template = .some(template)
        new.content.subject = .some(subject)
        new.content.body = .some(body)
        if !variants.isEmpty {
            new.variants = .some(
                variants.map { name in
                    var content = Broadcasts.Changes.Content()
                    content.subject = .some("\(name): {{ name }}")
                    return (name, content)
                })
        }
        new.test = .some(test)
        new.window = .some(window)
        new.data = data
        return try await broadcasts.create(new)
    }

    /// Makes a draft and begins to send it.
    func send(
        segment: String? = nil, variants: [String] = [], test: BroadcastDefinition.Test? = nil, data: JSONObject = [:]
    ) async throws -> Broadcast {
        try await broadcasts.send(try await draft(segment: segment, variants: variants, test: test, data: data).id)
    }

    /// Everything that the writer has to do now.
    func write() async throws { while try await writer.pass() {} }

    /// Everything that happens at this time.
    func run() async throws {
        repeat {
            try await write()
            try await engine.runDispatch(transport)
        } while try await writer.pass()
    }

    /// So many of the mails that are due are on their way to the relay.
    func claim(_ count: Int) async throws -> [OutboxEntry] {
        let now = engine.clock.now()
        return try await store.write { try $0.claimEntries(dueAt: now, limit: count) }
    }

    func broadcast(_ id: Identifier) async throws -> Broadcast { try await broadcasts.broadcast(id) }
    func total(_ id: Identifier) async throws -> BroadcastCounts { try await broadcasts.stats(of: id).total }
    func open(_ id: Identifier) async throws -> Int { try await store.read { try $0.openMailCount(ofBroadcast: id) } }

    /// Addresses that were written to, in order.
    var recipients: [String] { transport.sent.map(\.recipient) }
    var mails: [SentMail] { transport.sent.map(SentMail.init) }
}

extension BroadcastCounts {
    /// Every contact that was reached has come to exactly one end, or waits.
    var addsUp: Bool {
        self[.recipients] == queued + self[.sent] + self[.rejected] + self[.failed] + self[.skipped] + self[.cancelled]
    }
}
