import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct TimerTests {
    private static let day: Int64 = 86_400

    private func flow(timers: JSON = .null, delay: JSON = ["amount": 1, "unit": "hours"]) -> JSON {
        var flow =
            document(
                steps: [
                    "pause": ["type": "DELAY", "config": delay, "next": "mail"],
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
                ]
            ).objectValue ?? [:]
        flow["timers"] = timers
        return .object(flow)
    }

    private func enrol(_ engine: EngineFixture, _ count: Int) async throws {
        for number in 0..<count { try await engine.track("signed_up", "c\(number)@example.org") }
    }

    private func ended(_ engine: EngineFixture) async throws -> [Execution.Status: Int] {
        let project = engine.project.id
        return try await engine.context.store.read { try $0.executionCounts(in: project).first?.value ?? [:] }
    }

    // MARK: Clock jumps

    @Test func clockThatJumpsForwardRunsWhatIsDueOnceAndNothingTwice() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow())
        try await enrol(engine, 5)
        engine.clock.advance(seconds: 7200)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: 5])
        engine.clock.advance(seconds: -7200)
        try await engine.runTimers()
        engine.clock.advance(seconds: 7200)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: 5])
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 5)
    }

    @Test func clockThatJumpsBackRunsNothingEarly() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow())
        try await enrol(engine, 3)
        engine.clock.advance(seconds: -7200)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.waiting: 3])
        // The stored instant counts, not the time that seems to have passed.
        engine.clock.advance(seconds: 7200 + 3599)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.waiting: 3])
        engine.clock.advance(seconds: 1)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: 3])
    }

    @Test func sleepingLoopNoticesAJumpWithinHalfAMinute() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(delay: ["amount": 30, "unit": "days"]))
        try await enrol(engine, 1)
        let loop = Task { await Advance(context: engine.context).run() }
        while await !engine.clock.hasSleeper { await Task.yield() }
        engine.clock.advance(seconds: 31 * Self.day)
        while try await ended(engine)[.completed] != 1 { await Task.yield() }
        loop.cancel()
        await loop.value
    }

    // MARK: A stop of three days

    @Test func threeDaysStoppedRunEverythingOnceByDefault() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(flow())
        try await enrol(engine, 300)
        engine.clock.advance(seconds: 3 * Self.day)
        let restarted = try await EngineFixture(
            store: SQLiteStore(path: database.path, exclusively: false), clock: engine.clock)
        try await restarted.runTimers()
        #expect(try await ended(restarted) == [.completed: 300])
    }

    @Test func whatIsTooLateEndsWithItsReasonAndIsCounted() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(timers: ["lateAfter": 3600, "late": "end"]))
        try await enrol(engine, 3)
        engine.clock.advance(seconds: 3600 + 3600)
        try await engine.track("signed_up", "fresh@example.org")
        engine.clock.advance(seconds: 1)
        try await engine.runTimers()
        let executions = try await engine.executions()
        #expect(executions.filter { $0.exitReason == "late" && $0.status == .exited }.count == 3)
        #expect(try await engine.counter("timers_late") == 3)
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.exited: 3, .completed: 1])
    }

    @Test func lateTimersRunAndAreCountedWhenThePolicySaysSo() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(timers: ["lateAfter": 60]))
        try await enrol(engine, 2)
        engine.clock.advance(seconds: Self.day)
        try await engine.runTimers()
        #expect(try await ended(engine) == [.completed: 2])
        #expect(try await engine.counter("timers_late") == 2)
    }

    // MARK: Rate

    /// What an avalanche does minute by minute, over a restart in its middle.
    @Test func rateSpreadsAnAvalancheOverARestart() async throws {
        let (first, database) = try await makeEngine()
        try await first.apply(flow(timers: ["rate": 60]))
        try await enrol(first, 300)
        first.clock.advance(seconds: 3 * Self.day)
        var engine = first
        var done = 0
        for minute in 0..<5 {
            if minute == 2 {
                engine = try await EngineFixture(
                    store: SQLiteStore(path: database.path, exclusively: false), clock: first.clock)
            }
            for _ in 0..<60 {
                try await engine.runTimers()
                let now = try await ended(engine)[.completed] ?? 0
                // One a second, never two: each has a slot of its own.
                #expect(now - done == 1, "minute \(minute)")
                done = now
                engine.clock.advance(seconds: 1)
            }
        }
        #expect(done == 300)
    }

    @Test func slotsThatAStandstillSwallowedAreTakenAnew() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(timers: ["rate": 6]))
        try await enrol(engine, 30)
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        #expect(try await ended(engine)[.completed] == 1)
        engine.clock.advance(seconds: Self.day)
        try await engine.runTimers()
        #expect(try await ended(engine)[.completed] == 2)
        for _ in 0..<28 {
            engine.clock.advance(seconds: 10)
            try await engine.runTimers()
        }
        #expect(try await ended(engine) == [.completed: 30])
    }

    @Test func postponedWaitIsStillResumedByItsEvent() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        var flow =
            document(
                steps: [
                    "wait": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventName": "go", "timeout": 60],
                        "next": ["event": "on", "timeout": "late"],
                    ], "on": ["type": "EXIT", "config": ["reason": "on"]],
                    "late": ["type": "EXIT", "config": ["reason": "timeout"]],
                ]
            ).objectValue ?? [:]
        flow["timers"] = ["rate": 1]
        try await engine.apply(.object(flow))
        try await enrol(engine, 3)
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        for number in 0..<3 { try await engine.track("go", "c\(number)@example.org") }
        let reasons = try await engine.executions().compactMap(\.exitReason).sorted()
        #expect(reasons == ["on", "on", "timeout"])
    }

    @Test(
        arguments: [
            (["rate": 0], "timers.rate"), (["rate": 60_001], "timers.rate"), (["lateAfter": 0], "timers.lateAfter"),
            (["late": "never"], "timers.late"), (["late": "end"], "timers.lateAfter"), (["speed": 1], "timers.speed"),
            (5, "timers"),
        ] as [(JSON, String)])
    func wrongPolicyIsNamed(_ timers: JSON, _ path: String) {
        let error = #expect(throws: UseCaseError.self) { try WorkflowDocument(flow(timers: timers)) }
        #expect(error?.problems.map(\.path) == [path])
    }

    @Test func newPolicyIsTakenOverWithoutANewVersion() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow())
        try await enrol(engine, 1)
        #expect(try await engine.apply(flow(timers: ["rate": 5])) == .updated)
        #expect(try await engine.apply(flow(timers: ["rate": 5])) == .unchanged)
    }
}
