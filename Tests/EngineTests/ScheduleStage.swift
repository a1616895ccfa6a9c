import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Synchronization
import WorkflowModel

/// An engine with one workflow that starts by the clock.
struct ScheduleStage: Sendable {
    let database: TemporaryDatabase
    let engine: EngineFixture
    private let schedule: String
    private let audience: JSONObject
    private let more: JSONObject
    private let allowsReentry: Bool
    private let delay: JSONObject?

    var clock: VirtualClock { engine.clock }

    init(
        schedule: String, audience: JSONObject = ["all": true], more: JSONObject = [:], allowsReentry: Bool = true,
        delay: JSONObject? = nil, database: TemporaryDatabase? = nil, store: (any Store)? = nil
    ) async throws {
        let database = try database ?? TemporaryDatabase()
        self.database = database
        engine = try await EngineFixture(
            store: try store ?? SQLiteStore(path: database.path, exclusively: false), clock: VirtualClock())
        self.schedule = schedule
        self.audience = audience
        self.more = more
        self.allowsReentry = allowsReentry
        self.delay = delay
        try await apply()
    }

    /// Puts the workflow in place, with what is given changed.
    func apply(
        schedule: String? = nil, enabled: Bool = true, name: String = "Flow", slug: String = "flow"
    ) async throws {
        var trigger = audience
        trigger["schedule"] = .string(schedule ?? self.schedule)
        for (key, value) in more { trigger[key] = value }
        var steps: JSONObject = ["trigger": ["type": "TRIGGER"]]
        if let delay {
            steps["trigger"] = ["type": "TRIGGER", "next": "pause"]
            steps["pause"] = ["type": "DELAY", "config": .object(delay)]
        }
        try await engine.apply([
            "workflow": .string(slug), "name": .string(name), "enabled": .bool(enabled),
            "allowReentry": .bool(allowsReentry), "trigger": .object(trigger), "steps": .object(steps),
        ])
    }

    /// Makes contacts without the events of their making.
    func contacts(_ emails: [String], subscribed: Bool = true, data: JSONObject = [:]) async throws {
        let now = clock.now()
        let project = engine.project.id
        let contacts = emails.map {
            Contact(
                id: engine.context.identifiers.make(at: now), email: $0, isSubscribed: subscribed, data: data,
                createdAt: now, updatedAt: now)
        }
        try await engine.context.store.write { store in
            for contact in contacts { try store.insert(contact, in: project) }
        }
    }

    func manyContacts(_ count: Int) async throws { try await contacts((0..<count).map { "c\($0)@example.org" }) }

    /// All that the scheduler has to do now.
    func run() async throws { while try await Scheduler(context: engine.context).pass() {} }

    /// The newest first.
    func ticks(_ slug: String = "flow") async throws -> [ScheduleTick] {
        try await engine.context.store.read { reader in
            guard let workflow = try reader.loadCatalog().workflows.first(where: { $0.slug == slug }) else { return [] }
            return try reader.ticks(of: workflow.id, limit: 100)
        }
    }

    func stats() async throws -> Workflows.Stats {
        let workflow = try await engine.context.store.read {
            try $0.loadCatalog().workflows.first { $0.slug == "flow" }
        }
        guard let workflow else { throw StoreError(.failed, "there is no workflow") }
        return try await Workflows(context: engine.context).stats(of: workflow.id, project: engine.project.id)
    }

    /// How many executions there are.
    func activeOrDone(_ slug: String = "flow") async throws -> Int {
        let project = engine.project.id
        return try await engine.context.store.read { reader in
            guard let workflow = try reader.loadCatalog().workflows.first(where: { $0.slug == slug }) else { return 0 }
            return try reader.executionCounts(in: project)[workflow.id]?.values.reduce(0, +) ?? 0
        }
    }

    /// Waits until the loop sleeps.
    func waitForRest() async throws { try await waitFor { await engine.clock.hasSleeper } }

    func waitFor(_ condition: () async throws -> Bool) async throws {
        while try await !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}

/// A store whose process dies within a transaction: the body has run, and nothing of it is there.
final class LossyStore: Store {
    private let store: SQLiteStore
    private let remaining = Mutex<Int?>(nil)

    init(_ store: SQLiteStore) { self.store = store }

    /// The write after so many fails, and every one after it.
    func loseWrite(after count: Int) { remaining.withLock { $0 = count } }

    private func isLost() -> Bool {
        remaining.withLock { remaining in
            guard let count = remaining else { return false }
            remaining = max(0, count - 1)
            return count <= 1
        }
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        let isLost = isLost()
        return try await store.write { transaction in
            let value = try body(transaction)
            if isLost { throw StoreError(.failed, "killed") }
            return value
        }
    }

    func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) { store.submit(others: others, body, completion: completion) }

    func read<Value: Sendable>(_ body: @escaping @Sendable (any StoreReader) throws -> Value) async throws -> Value {
        try await store.read(body)
    }
}
