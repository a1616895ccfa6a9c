import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// A request with several events and an idempotency key, cut off at any of its transactions, and sent again.
@Suite struct BatchCompletionTests {
    private static let count = 12

    private static func record(_ engine: EngineFixture) -> IdempotencyRecord {
        IdempotencyRecord(
            name: .init(projectID: engine.project.id, kind: .secret, key: "batch"),
            requestID: engine.context.identifiers.make(at: engine.clock.now()), fingerprint: [1],
            createdAt: engine.clock.now())
    }

    private static func send(
        _ engine: EngineFixture, as request: IdempotentRequest
    ) async throws -> [Result<Events.Tracked, any Error>] {
        let items = (0..<count).map { number in
            Events.BatchItem(
                position: number,
                request: .init(
                    projectID: engine.project.id, event: "order.placed", email: "c\(number)@example.org",
                    data: ["number": .int(Int64(number))]))
        }
        return try await Events(context: engine.context.serving(request)).track(items)
    }

    private static func numbers(_ engine: EngineFixture) async throws -> [Int64] {
        let project = engine.project.id
        return try await engine.context.store.read {
            try $0.newestEventData(of: "order.placed", in: project, among: 1000).compactMap { $0["number"]?.intValue }
        }.sorted()
    }

    @Test(arguments: 0...13, [false, true])
    func whatACrashHasCutIsCompletedAndNothingIsTwice(_ writes: Int, _ isAfterCommit: Bool) async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let healthy = try await EngineFixture(store: store)
        let first = Self.record(healthy)
        let failing = FailingStore(store, after: writes, isAfterCommit: isAfterCommit)
        let dying = try? await EngineFixture(store: failing, clock: healthy.clock, seed: 2)
        var before: [Result<Events.Tracked, any Error>] = []
        if let dying { before = (try? await Self.send(dying, as: IdempotentRequest(first))) ?? [] }
        // Sent again, as the route does it.
        healthy.clock.advance(seconds: 5)
        let known = try await IdempotentRequest.known(first.name, context: healthy.context)
        let request = known.map { IdempotentRequest($0, isResumed: true) } ?? IdempotentRequest(Self.record(healthy))
        let after = try await Self.send(healthy, as: request)
        #expect(try await Self.numbers(healthy) == (0..<Int64(Self.count)).map { $0 })
        #expect(after.count == Self.count)
        for (old, new) in zip(before, after) {
            guard case .success(let tracked) = old else { continue }
            // What was answered before is answered again.
            #expect(try new.get() == tracked)
        }
        try await request.end(.init(status: 200, body: [1]), context: healthy.context)
        let parts = try Rows(database.path).count("SELECT count(*) FROM idempotency_parts")
        #expect(parts == 0, "the answer has them all")
        #expect(try await IdempotentRequest.known(first.name, context: healthy.context)?.answer?.body == [1])
    }

    @Test func partsOfARequestThatNobodyCompletedAreForgottenAfterADay() async throws {
        let (engine, database) = try await makeEngine()
        _ = try await Self.send(engine, as: IdempotentRequest(Self.record(engine)))
        let housekeeping = Housekeeping(context: engine.context)
        engine.clock.advance(seconds: IdempotentRequest.lifetime)
        _ = try await housekeeping.sweep()
        #expect(try Rows(database.path).count("SELECT count(*) FROM idempotency_parts") == Self.count)
        engine.clock.advance(seconds: 1)
        _ = try await housekeeping.sweep()
        #expect(try Rows(database.path).count("SELECT count(*) FROM idempotency_parts") == 0)
    }
}

/// What stands against mail to an erased address, until it ends.
@Suite struct KeptSuppressionTests {
    @Test func whatHasEndedIsForgottenAndTheRestStays() async throws {
        let (engine, database) = try await makeEngine()
        let project = engine.project.id
        for (email, seconds) in [("a@example.org", 60), ("b@example.org", 3600), ("c@example.org", nil)]
            as [(String, Int64?)]
        {
            try await engine.track("seen", email)
            let now = engine.clock.now()
            try await engine.context.store.write {
                try $0.save(
                    Suppression(
                        projectID: project, address: email, reason: .bounce, createdAt: now,
                        expiresAt: seconds.map { now.adding(seconds: $0) }))
            }
            try await engine.contacts.delete(try #require(try await engine.contact(email)).id)
        }
        let rows = Rows(database.path)
        let all = "SELECT count(*) FROM suppressed_addresses WHERE reason <> 'erased'"
        #expect(try rows.count(all) == 3)
        engine.clock.advance(seconds: 60)
        _ = try await Housekeeping(context: engine.context).sweep()
        #expect(try rows.count(all) == 2)
        engine.clock.advance(seconds: 365 * 86_400)
        _ = try await Housekeeping(context: engine.context).sweep()
        #expect(try rows.count(all) == 1)
        // That they were erased is remembered for good.
        #expect(try rows.count("SELECT count(*) FROM suppressed_addresses WHERE reason = 'erased'") == 3)
    }
}
