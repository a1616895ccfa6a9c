import CryptoAdapter
import Engine
import Foundation
import JSONValue
import Logging
import MailModel
import SQLStore
import Synchronization
import WorkflowModel

/// The engine over a database file, as the daemon assembles it, without mail and HTTP around it.
struct EngineUnderTest: Sendable {
    let store: SQLiteStore
    let context: EngineContext
    let project: Project

    init(database path: String, clock: any WallClock = BenchmarkClock()) async throws {
        store = try SQLiteStore(path: path, exclusively: true)
        var configuration = EngineConfiguration()
        configuration.defaultFrom = "Postrider <robot@example.com>"
        let secret = try await EngineContext.prepare(store: store, clock: clock, cryptography: OpenSSLCryptography())
        context = EngineContext(
            store: store, clock: clock, cryptography: OpenSSLCryptography(), configuration: configuration,
            secret: secret, logger: Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() })
        guard let project = try await store.read({ try $0.loadCatalog() }).project(slug: Project.defaultSlug) else {
            throw BenchmarkFailure("the database has no default project")
        }
        self.project = project
    }

    func apply(_ document: JSON) async throws {
        _ = try await Workflows(context: context).apply(try WorkflowDocument(document))
    }

    func track(_ event: String, email: String, data: JSONObject) async throws {
        _ = try await Events(context: context).track(
            .init(projectID: project.id, event: event, email: email, data: data))
    }

    /// Tracks one event for each of the contacts `contact-0@…` to `contact-(count-1)@…`, many callers at a time.
    func track(_ event: String, contacts count: Int, data: JSONObject = [:]) async throws {
        try await track(event, contacts: 0..<count, data: data)
    }

    func track(_ event: String, contacts: Range<Int>, data: JSONObject = [:]) async throws {
        try await withThrowingTaskGroup { group in
            for caller in 0..<Self.callers {
                group.addTask {
                    for number in stride(from: contacts.lowerBound + caller, to: contacts.upperBound, by: Self.callers)
                    {
                        try await track(event, email: "contact-\(number)@example.org", data: data)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Callers at the same time: enough that a full transaction waits while the one before it is written.
    private static let callers = 512

    /// Moves everything that is due.
    /// - Returns: how many executions.
    func drainTimers() async throws -> Int {
        let advance = Advance(context: context)
        var count = 0
        while case let moved = try await advance.advanceBatch(), moved > 0 { count += moved }
        return count
    }

    /// Executions of the workflow of that slug, by status.
    func executions(of slug: String) async throws -> [Execution.Status: Int] {
        try await store.read { reader in
            guard let workflow = try reader.loadCatalog().workflows.first(where: { $0.slug == slug }) else {
                return [:]
            }
            return try reader.executionCounts(in: project.id)[workflow.id] ?? [:]
        }
    }

    /// Delivers everything in the outbox to nobody.
    func emptyOutbox() async throws {
        let dispatch = Dispatch(context: context, transport: SwallowingTransport())
        while true {
            let now = context.clock.now()
            let entries = try await store.write { transaction in
                let due = try transaction.outboxQueues().flatMap { queue in
                    try transaction.tickets(in: queue, after: nil, lane: nil, limit: 100)
                }
                return try transaction.claim(due.map(\.id), at: now)
            }
            if entries.isEmpty { return }
            for entry in entries { await dispatch.deliver(entry) }
        }
    }
}

/// Takes every mail at once.
private struct SwallowingTransport: MailTransport {
    let concurrency = 1

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        .delivered(
            reply: Reply(code: 250, enhancedCode: "2.0.0", text: "Ok: queued as 4dFZpX1qk8z4P"),
            queueID: "4dFZpX1qk8z4P")
    }

    func stop() {}
}

/// The machine's wall clock.
struct BenchmarkClock: WallClock {
    func now() -> Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }

    func sleep(until time: Timestamp) async throws {
        try await Task.sleep(for: .microseconds(max(0, time.microseconds - now().microseconds)))
    }
}

/// A wall clock that stands still until it is told to go on, so that many timers are due at one moment.
final class StandingClock: WallClock {
    private let time: Mutex<Timestamp>

    init() { time = Mutex(BenchmarkClock().now()) }

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(seconds: Int64) { time.withLock { $0 = $0.adding(seconds: seconds) } }

    func sleep(until time: Timestamp) async throws {
        throw BenchmarkFailure("nobody waits for a clock that stands still")
    }
}

/// Seconds that `body` takes.
func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start).inSeconds
}
