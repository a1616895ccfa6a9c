import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Every test begins on Monday 5 January 2026 at 09:00 UTC.
@Suite struct SchedulerTests {
    // MARK: Ticks

    @Test func tickEnrolsEverySubscribedContactOnce() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org", "bob@example.org"])
        try await stage.contacts(["cat@example.org"], subscribed: false)
        try await stage.run()
        #expect(try await stage.engine.executions().isEmpty)
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        try await stage.run()
        let executions = try await stage.engine.executions()
        #expect(Set(executions.map(\.contactEmail)) == ["ann@example.org", "bob@example.org"])
        #expect(executions.count == 2)
        #expect(executions.allSatisfy { $0.status == .completed })
        let tick = try #require(try await stage.ticks().first)
        #expect(tick.status == .done)
        #expect(tick.at == moment("2026-01-05T10:00:00Z"))
        #expect((tick.enrolled, tick.refused, tick.missed) == (2, 0, 0))
        #expect(try await stage.engine.counter("schedule_ticks_fired") == 1)
    }

    @Test func tickThatCannotBeReadHoldsUpNoOther() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        try DamagedDatabase(stage.database.path).spoil(
            """
            INSERT INTO schedule_ticks (workflow_id, tick_at, status, fired_at, missed, enrolled, refused, failed)
            SELECT id, 60000000, 'NONE', 60000000, 0, 0, 0, 0 FROM workflows
            """)
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
        #expect(try await stage.ticks().map(\.status) == [.done, .stopped])
    }

    /// Who waits for his own executions, perhaps for weeks, is not in front of those who could go on.
    @Test func ticksThatWaitForExecutionsAreNotAmongThoseThatMayGoOn() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        for slug in ["slow", "free"] {
            try await engine.apply(
                document(slug: slug, steps: ["pause": ["type": "DELAY", "config": ["amount": 30, "unit": "days"]]]))
        }
        try await engine.track("signed_up")
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let slow = try #require(catalog.workflows.first { $0.slug == "slow" }?.id)
        let free = try #require(catalog.workflows.first { $0.slug == "free" }?.id)
        let (now, waiting) = (engine.clock.now(), try await engine.executions("free"))
        _ = try await Executions(context: engine.context).cancel(
            try #require(waiting.first).id, of: free, project: engine.project.id)
        let open = try await engine.context.store.write { store in
            _ = try store.insert(ScheduleTick(workflowID: slow, at: now, status: .queued, firedAt: now))
            _ = try store.insert(
                ScheduleTick(workflowID: free, at: now.adding(seconds: 60), status: .queued, firedAt: now))
            return (try store.openTicks(limit: 1).map(\.workflowID), try store.hasOpenTicks())
        }
        #expect(open.0 == [free] && open.1)
    }

    @Test func executionSeesTheTimeOfItsTick() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        stage.clock.advance(seconds: 3620)
        try await stage.run()
        #expect(
            try await stage.engine.executions().first?.context == ["schedule": ["at": "2026-01-05T10:00:00.000Z"]])
    }

    @Test func eachTickIsARunOfItsOwn() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        for _ in 0..<3 {
            stage.clock.advance(seconds: 3600)
            try await stage.run()
        }
        #expect(try await stage.engine.executions().count == 3)
        #expect(try await stage.ticks().map(\.status) == [.done, .done, .done])
    }

    @Test func zoneOfTheScheduleComesBeforeTheProjects() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *", more: ["timezone": "Europe/Berlin"])
        try await stage.contacts(["ann@example.org"])
        stage.clock.advance(seconds: 2 * 3600)
        try await stage.run()
        #expect(try await stage.ticks().map(\.at) == [moment("2026-01-05T11:00:00Z")])
    }

    @Test func contactsCreatedAfterTheTickAreLeftOut() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        stage.clock.advance(seconds: 3610)
        try await stage.contacts(["bob@example.org"])
        try await stage.run()
        #expect(try await stage.engine.executions().map(\.contactEmail) == ["ann@example.org"])
    }

    @Test func filterChoosesTheContacts() async throws {
        let filter: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "data.plan", "operator": "equals", "value": "pro"]]]],
        ]
        let stage = try await ScheduleStage(schedule: "0 * * * *", audience: ["filter": filter])
        try await stage.contacts(["ann@example.org"], data: ["plan": "pro"])
        try await stage.contacts(["bob@example.org"], data: ["plan": "free"])
        try await stage.contacts(["cat@example.org"])
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().map(\.contactEmail) == ["ann@example.org"])
        // Who is enrolled is decided when the tick fires.
        try await stage.engine.track("upgraded", "bob@example.org", data: ["plan": "pro"])
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().map(\.contactEmail).count { $0 == "bob@example.org" } == 1)
    }

    @Test func filterMayLookBackOnEvents() async throws {
        let filter: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "event.ordered", "operator": "triggered"]]]],
        ]
        let stage = try await ScheduleStage(schedule: "0 * * * *", audience: ["filter": filter])
        try await stage.engine.track("ordered", "ann@example.org")
        try await stage.engine.track("looked", "bob@example.org")
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().map(\.contactEmail) == ["ann@example.org"])
    }

    @Test func refusedReentryIsCountedByTick() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *", allowsReentry: false)
        try await stage.contacts(["ann@example.org"])
        for _ in 0..<2 {
            stage.clock.advance(seconds: 3600)
            try await stage.run()
        }
        #expect(try await stage.ticks().map { [$0.enrolled, $0.refused] } == [[0, 1], [1, 0]])
        #expect(try await stage.engine.executions().count == 1)
    }

    @Test func projectWithoutContactsIsDoneAtOnce() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.ticks().map(\.status) == [.done])
    }

    // MARK: Missed ticks and jumps of the clock

    @Test func missedTicksGiveOneRunAndAreCounted() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        // Three days without a daemon.
        stage.clock.advance(seconds: 3 * 86_400 + 5 * 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
        let tick = try #require(try await stage.ticks().first)
        #expect(tick.at == moment("2026-01-08T12:00:00Z"))
        #expect(tick.missed == 4)
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 4)
        // The next one is in time again.
        stage.clock.advance(seconds: 22 * 3600)
        try await stage.run()
        #expect(try await stage.ticks().map(\.missed) == [0, 4])
    }

    @Test func oneMissedTickGivesOneRun() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 5 * 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 1)
    }

    @Test func catchUpSkipLeavesMissedTicksOutAndCountsThem() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *", more: ["catchUp": "skip"])
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 3 * 86_400 + 5 * 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().isEmpty)
        #expect(try await stage.ticks().map(\.status) == [.missed])
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 4)
        stage.clock.advance(seconds: 22 * 3600)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
    }

    @Test func tickAMinuteLateIsInTime() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *", more: ["catchUp": "skip"])
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 3 * 3600 + Scheduler.grace)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 0)
    }

    @Test func yearsOfMissedMinutesAreOneRunAndCountedUpToABound() async throws {
        let stage = try await ScheduleStage(schedule: "* * * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 40 * 86_400 + 30)
        try await stage.run()
        #expect(try await stage.engine.executions().count == 1)
        let tick = try #require(try await stage.ticks().first)
        #expect(tick.at == moment("2026-02-14T09:00:00Z"))
        #expect(tick.missed == 9_999)
    }

    @Test func clockThatJumpsForwardFiresTheLastOfTheMissedTicksOnce() async throws {
        let stage = try await ScheduleStage(schedule: "30 * * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 2 * 3600)
        try await stage.run()
        try await stage.run()
        #expect(try await stage.ticks().map(\.at) == [moment("2026-01-05T10:30:00Z")])
        #expect(try await stage.engine.executions().count == 1)
    }

    @Test func clockThatIsSetBackFiresNothingTwice() async throws {
        let stage = try await ScheduleStage(schedule: "30 * * * *")
        try await stage.contacts(["ann@example.org"])
        stage.clock.advance(seconds: 1800)
        try await stage.run()
        stage.clock.advance(seconds: -2 * 3600)
        for _ in 0..<5 {
            try await stage.run()
            stage.clock.advance(seconds: 1800)
        }
        #expect(stage.clock.now() == moment("2026-01-05T10:00:00Z"))
        #expect(try await stage.engine.executions().count == 1)
        stage.clock.advance(seconds: 1800)
        try await stage.run()
        #expect(
            try await stage.ticks().map(\.at) == [moment("2026-01-05T10:30:00Z"), moment("2026-01-05T09:30:00Z")])
        #expect(try await stage.engine.executions().count == 2)
    }

    // MARK: Changes

    @Test func disabledScheduleDoesNotFireAndEnabledOneBeginsAnew() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        try await stage.apply(enabled: false)
        stage.clock.advance(seconds: 5 * 3600)
        try await stage.run()
        try await stage.apply(enabled: true)
        try await stage.run()
        #expect(try await stage.ticks().isEmpty)
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 0)
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.ticks().map(\.at) == [moment("2026-01-05T15:00:00Z")])
    }

    @Test func changedScheduleCountsFromTheChange() async throws {
        let stage = try await ScheduleStage(schedule: "0 10 * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 1800)
        try await stage.apply(schedule: "45 9 * * *")
        stage.clock.advance(seconds: 1800)
        try await stage.run()
        #expect(try await stage.ticks().map(\.at) == [moment("2026-01-05T09:45:00Z")])
    }

    @Test func renamingLeavesTheScheduleAlone() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        stage.clock.advance(seconds: 7200)
        try await stage.apply(name: "Another name")
        try await stage.run()
        // Had it begun anew, nothing would be missed.
        #expect(try await stage.engine.counter("schedule_ticks_missed") == 1)
    }

    @Test func switchingOffStopsAnEnrolmentUnderWay() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.manyContacts(120)
        stage.clock.advance(seconds: 3600)
        _ = try await Scheduler(context: stage.engine.context).pass()
        _ = try await Scheduler(context: stage.engine.context).pass()
        let before = try await stage.engine.counter("schedule_ticks_fired")
        #expect(before == 1)
        try await stage.apply(enabled: false)
        try await stage.run()
        let tick = try #require(try await stage.ticks().first)
        #expect(tick.status == .stopped)
        #expect(tick.enrolled < 120)
        #expect(try await stage.activeOrDone() == tick.enrolled)
    }

    @Test func countsOfAWorkflowShowItsNextTickAndTheLastOnes() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *", allowsReentry: false)
        try await stage.contacts(["ann@example.org"])
        for _ in 0..<25 {
            stage.clock.advance(seconds: 3600)
            try await stage.run()
        }
        let schedule = try #require(try await stage.stats().schedule)
        #expect(schedule.nextAt == moment("2026-01-06T11:00:00Z"))
        #expect(schedule.ticks.count == 20)
        #expect(schedule.ticks.first?.at == moment("2026-01-06T10:00:00Z"))
        #expect(schedule.ticks.allSatisfy { $0.refused == 1 })
        try await stage.apply(enabled: false)
        #expect(try await stage.stats().schedule?.nextAt == nil)
        #expect(try await stage.stats().schedule?.ticks.count == 20)
    }

    // MARK: Overlap

    /// Every minute, each run three minutes long.
    private func overlapping(_ rule: String, minutes: Int) async throws -> ScheduleStage {
        let stage = try await ScheduleStage(
            schedule: "* * * * *", more: ["overlap": .string(rule)], delay: ["amount": 3, "unit": "minutes"])
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        for minute in 1...minutes {
            stage.clock.advance(seconds: 60)
            // By turns somebody joins, so that parallel runs have whom to enrol.
            try await stage.engine.runTimers()
            try await stage.run()
            if minute == 1 { try await stage.contacts(["bob@example.org"]) }
        }
        return stage
    }

    @Test func parallelRunsBesideTheEarlierOne() async throws {
        let stage = try await overlapping("parallel", minutes: 3)
        #expect(try await stage.ticks().map(\.status) == [.done, .done, .done])
        // Bob was not there at the first tick; Ann has an execution under way.
        #expect(try await stage.ticks().map { [$0.enrolled, $0.refused] } == [[0, 2], [1, 1], [1, 0]])
    }

    @Test func skipLeavesTicksOutUntilTheEarlierRunHasEnded() async throws {
        let stage = try await overlapping("skip", minutes: 4)
        #expect(try await stage.ticks().map(\.status) == [.done, .skipped, .skipped, .done])
        #expect(try await stage.ticks().first?.enrolled == 2)
        #expect(try await stage.engine.counter("schedule_ticks_skipped") == 2)
    }

    @Test func queueKeepsOneTickForTheEndOfTheEarlierRun() async throws {
        var stage = try await overlapping("queue", minutes: 3)
        #expect(try await stage.ticks().map(\.status) == [.skipped, .queued, .done])
        stage = try await overlapping("queue", minutes: 4)
        #expect(try await stage.ticks().map(\.status) == [.skipped, .skipped, .done, .done])
        let queued = try #require(try await stage.ticks().dropFirst(2).first)
        #expect(queued.at == moment("2026-01-05T09:02:00Z"))
        #expect(queued.enrolled == 2)
    }

    // MARK: Several daemons, and daemons that die

    @Test func twoSchedulersNeverFireATickTwice() async throws {
        let stage = try await ScheduleStage(schedule: "* * * * *")
        try await stage.manyContacts(60)
        let other = try await EngineFixture(
            store: try SQLiteStore(path: stage.database.path, exclusively: false), clock: stage.clock, seed: 2)
        for _ in 0..<10 {
            stage.clock.advance(seconds: 60)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for engine in [stage.engine, other] {
                    group.addTask { while try await Scheduler(context: engine.context).pass() {} }
                }
                try await group.waitForAll()
            }
        }
        let ticks = try await stage.ticks()
        #expect(ticks.map(\.status) == Array(repeating: .done, count: 10))
        #expect(ticks.allSatisfy { $0.enrolled == 60 && $0.refused == 0 })
        #expect(try await stage.activeOrDone() == 600)
    }

    /// A transaction that does not commit leaves nothing, as when the process is killed within it; between two
    /// transactions there is nothing to lose.
    @Test func processKilledAtAnyTransactionEnrolsEveryContactOnce() async throws {
        for killed in 1...12 {
            let database = try TemporaryDatabase()
            let store = LossyStore(try SQLiteStore(path: database.path, exclusively: false))
            let stage = try await ScheduleStage(
                schedule: "0 * * * *", allowsReentry: false, database: database, store: store)
            try await stage.manyContacts(130)
            stage.clock.advance(seconds: 3600)
            store.loseWrite(after: killed)
            var isBroken = false
            do { try await stage.run() } catch is StoreError { isBroken = true }
            #expect(isBroken)
            // The next daemon.
            let next = try await EngineFixture(
                store: try SQLiteStore(path: database.path, exclusively: false), clock: stage.clock, seed: 3)
            while try await Scheduler(context: next.context).pass() {}
            let tick = try #require(try await stage.ticks().first)
            #expect((tick.status, tick.enrolled, tick.refused) == (.done, 130, 0))
            #expect(try await stage.activeOrDone() == 130)
        }
    }

    @Test func contactThatCannotBeReadIsPassedOver() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org", "bob@example.org", "cat@example.org"])
        try DamagedDatabase(stage.database.path).spoil("UPDATE contacts SET data = '{' WHERE email = 'bob@example.org'")
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        let tick = try #require(try await stage.ticks().first)
        #expect(tick.status == .done)
        #expect((tick.enrolled, tick.failed) == (2, 1))
    }

    @Test func workflowThatCannotBeReadStopsItsScheduleAlone() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.apply(slug: "other")
        try await stage.run()
        try DamagedDatabase(stage.database.path).spoil(
            """
            UPDATE workflows SET trigger_config = '{' WHERE slug = 'flow';
            UPDATE settings SET number = random() WHERE name = 'catalog_version'
            """)
        stage.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.engine.executions("other").count == 1)
        #expect(try await stage.engine.context.store.write { try $0.nextSchedule() } == moment("2026-01-05T11:00:00Z"))
    }

    // MARK: Size

    @Test func manyContactsAreEnrolledInSmallTransactionsWithEventsBetween() async throws {
        let stage = try await ScheduleStage(schedule: "0 * * * *")
        try await stage.manyContacts(10_000)
        try await stage.contacts(["visitor@example.org"], subscribed: false)
        stage.clock.advance(seconds: 3600)
        let engine = stage.engine
        let enrolment = Task { while try await Scheduler(context: engine.context).pass() {} }
        // Events that come in meanwhile are not kept waiting for the end.
        var seen: Set<Int> = []
        while seen.count < 20 {
            try await engine.track("visited", "visitor@example.org")
            guard let tick = try await stage.ticks().first else { continue }
            if tick.status == .done { break }
            seen.insert(tick.enrolled)
        }
        #expect(seen.count == 20)
        for (smaller, greater) in zip(seen.sorted(), seen.sorted().dropFirst()) {
            #expect((greater - smaller) % Scheduler.startLimit == 0)
        }
        try await enrolment.value
        let tick = try #require(try await stage.ticks().first)
        #expect((tick.status, tick.enrolled) == (.done, 10_000))
    }

    // MARK: The loop

    @Test func loopWakesForATickAndForAChange() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *")
        try await stage.contacts(["ann@example.org"])
        let engine = stage.engine
        let loop = Task { await Scheduler(context: engine.context).run() }
        defer { loop.cancel() }
        try await stage.waitForRest()
        // Another schedule is seen without waiting for the longest sleep.
        try await stage.apply(schedule: "1 9 * * *")
        try await stage.waitFor {
            try await engine.context.store.write { try $0.nextSchedule() } == moment("2026-01-05T09:01:00Z")
        }
        try await stage.waitForRest()
        stage.clock.advance(seconds: 60)
        try await stage.waitFor { try await engine.executions().count == 1 }
        loop.cancel()
        await loop.value
    }
}

private func moment(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? Timestamp(seconds: 0) }
