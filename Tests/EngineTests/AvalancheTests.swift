import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Ten thousand delays and waits come due while the daemon stands still for three days, under each policy by its name.
@Suite struct AvalancheTests {
    private static let day: Int64 = 86_400
    private static let count = 10_000

    /// Half of them in a DELAY of a day, half in a wait that times out after a day; then a mail.
    private func stopped(timers: JSON) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine()
        for (slug, pause) in [
            ("delays", ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "mail"]),
            (
                "waits",
                ["type": "WAIT_FOR_EVENT", "config": ["eventName": "never", "timeout": 86_400], "next": "mail"]
            ),
        ] as [(String, JSON)] {
            var flow =
                document(
                    event: slug, slug: slug,
                    steps: ["pause": pause, "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]
                ).objectValue ?? [:]
            flow["timers"] = timers
            try await engine.apply(.object(flow))
        }
        let project = engine.project.id
        for start in stride(from: 0, to: Self.count, by: 500) {
            try await engine.context.transact { transaction in
                let recorder = EventRecorder(transaction: transaction, projectID: project)
                for number in start..<start + 500 {
                    transaction.beginCause()
                    let contact = try recorder.upsert(
                        email: "c\(number)@example.org", subscribed: nil, subscribedWhenNew: true, data: [:])
                    try recorder.record(
                        number % 2 == 0 ? "delays" : "waits", data: [:], generation: 0, contact: contact)
                }
            }
        }
        engine.clock.advance(seconds: 3 * Self.day)
        let restarted = try await EngineFixture(
            store: SQLiteStore(path: database.path, exclusively: false), clock: engine.clock, seed: 2)
        return (restarted, database)
    }

    private func ended(_ engine: EngineFixture) async throws -> [Execution.Status: Int] {
        let project = engine.project.id
        return try await engine.context.store.read { reader in
            try reader.executionCounts(in: project).values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        }.filter { $0.value > 0 }
    }

    private func mails(_ engine: EngineFixture) async throws -> Int {
        try await engine.context.store.read { try $0.outboxCounts()[.pending] ?? 0 }
    }

    @Test func withoutAPolicyAllGoOnOnce() async throws {
        let (engine, database) = try await stopped(timers: nil)
        try await engine.runTimers()
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: Self.count])
        #expect(try await mails(engine) == Self.count)
        withExtendedLifetime(database) {}
    }

    @Test func lateEndSkipsWhatIsOlder() async throws {
        let (engine, database) = try await stopped(timers: ["lateAfter": 3600, "late": "end"])
        try await engine.runTimers()
        #expect(try await ended(engine) == [.exited: Self.count])
        #expect(try await mails(engine) == 0)
        #expect(try await engine.counter("timers_late") == Self.count)
        withExtendedLifetime(database) {}
    }

    @Test func rateLetsThemGoSoManyAMinute() async throws {
        // For each of the two workflows.
        let rate = 1250
        let (engine, database) = try await stopped(timers: ["rate": .int(Int64(rate))])
        var minutes = 0
        var before = 0
        while before < Self.count, minutes < 20 {
            for _ in 0..<6 {
                try await engine.runTimers()
                engine.clock.advance(seconds: 10)
            }
            minutes += 1
            let now = try await mails(engine)
            #expect(now - before <= 2 * rate)
            before = now
        }
        #expect(before == Self.count && minutes <= 5)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: Self.count])
        #expect(try await mails(engine) == Self.count)
        withExtendedLifetime(database) {}
    }

    @Test func oneMissedTickGivesOneRunAndAllAreCounted() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *")
        try await stage.manyContacts(100)
        try await stage.run()
        stage.clock.advance(seconds: 3 * Self.day)
        try await stage.run()
        try await stage.run()
        #expect(try await stage.activeOrDone() == 100)
        let tick = try #require(try await stage.ticks().first)
        #expect(try await stage.ticks().count == 1 && tick.missed == 3 && tick.enrolled == 100)
    }
}
