import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Re-entry by a value of the event that starts an execution.
@Suite struct ReentryKeyTests {
    private let pause: JSONObject = ["pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]]]

    private func keyed(
        _ key: JSON = "order.id", reentry: Bool = false, trigger: JSON = ["event": "order.paid"],
        steps: JSONObject? = nil
    ) -> JSON {
        var file = document(reentry: reentry, steps: steps ?? pause).objectValue ?? [:]
        file["trigger"] = trigger
        file["reentryKey"] = key
        return .object(file)
    }

    private func flow(_ engine: EngineFixture) async throws -> WorkflowRecord {
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        return try #require(catalog.workflows.first { $0.slug == "flow" })
    }

    private func pay(_ engine: EngineFixture, _ order: JSON, _ email: String = "ann@example.org") async throws {
        try await engine.track("order.paid", email, data: ["order": ["id": order]])
    }

    /// Sorted, because executions of one moment come in no order; without a key it is "none".
    private func values(_ engine: EngineFixture) async throws -> [String] {
        try await engine.executions().map { $0.reentryValue ?? "none" }.sorted()
    }

    // MARK: One execution for each value

    @Test(arguments: [false, true])
    func hundredParallelEventsOfOneValueStartOneExecutionAndOtherValuesOneEach(_ reentry: Bool) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed(reentry: reentry))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask { try await pay(engine, "A-1") }
                if number.isMultiple(of: 10) { group.addTask { try await pay(engine, .string("B-\(number)")) } }
            }
            try await group.waitForAll()
        }
        let found = try await values(engine)
        #expect(found.count == 11 && Set(found).count == 11)
        let id = try await flow(engine).id
        #expect(try await engine.context.store.read { try $0.refusedEnrolments(of: id) } == 99)
    }

    @Test func twoContactsMayHaveOneValue() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        for email in ["ann@example.org", "ben@example.org", "ann@example.org"] { try await pay(engine, 1, email) }
        #expect(try await values(engine) == ["1", "1"])
    }

    @Test func withoutReentryAValueComesOnceForEverWithReentryWhenItsRunHasEnded() async throws {
        for (reentry, count) in [(false, 1), (true, 2)] {
            let (engine, database) = try await makeEngine()
            _ = database
            try await engine.apply(keyed(reentry: reentry))
            for _ in 0..<2 { try await pay(engine, "A-1") }
            #expect(try await engine.executions().count == 1)
            engine.clock.advance(seconds: 3600)
            try await engine.runTimers()
            try await pay(engine, "A-1")
            #expect(try await engine.executions().count == count)
        }
    }

    // MARK: Values

    @Test func aNumberIsTheSameAsItsText() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        for order in [7, 7.0, "7", "07", 7.5] as [JSON] { try await pay(engine, order) }
        #expect(try await values(engine) == ["07", "7", "7.5"])
    }

    @Test(arguments: [nil, "", true, ["id"], [:]] as [JSON])
    func anEventWithoutAValueStartsNothingAndIsCounted(_ order: JSON) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed(reentry: true))
        try await pay(engine, order)
        try await pay(engine, .string(String(repeating: "x", count: ReentryKey.valueLimit + 1)))
        try await engine.track("order.paid")
        #expect(try await engine.executions().isEmpty)
        #expect(try await engine.counter("enrolments_without_key") == 3)
        let id = try await flow(engine).id
        #expect(try await engine.context.store.read { try $0.refusedEnrolments(of: id) } == 3)
        try await pay(engine, .string(String(repeating: "x", count: ReentryKey.valueLimit)))
        #expect(try await engine.executions().count == 1)
    }

    @Test func aWrappedValueCounts() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed("order"))
        for _ in 0..<2 {
            try await engine.track("order.paid", data: ["order": ["value": "A-1", "persistent": false]])
        }
        #expect(try await values(engine) == ["A-1"])
    }

    // MARK: By hand and by the clock

    @Test func aStartByHandHasItsValueInTheContext() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        try await pay(engine, "A-1")
        let (id, ann) = (try await flow(engine).id, try #require(try await engine.contact()).id)
        let executions = Executions(context: engine.context)
        func start(_ context: JSONObject) async throws {
            _ = try await executions.start(id, contact: ann, context: context, project: engine.project.id)
        }
        let taken = await #expect(throws: UseCaseError.self) { try await start(["order": ["id": "A-1"]]) }
        #expect(taken?.code == .executionActive)
        let missing = await #expect(throws: UseCaseError.self) { try await start([:]) }
        #expect(missing?.code == .invalid && missing?.problems.map(\.path) == ["context.order.id"])
        try await start(["order": ["id": "A-2"]])
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        let again = await #expect(throws: UseCaseError.self) { try await start(["order": ["id": "A-2"]]) }
        #expect(again?.code == .reentryForbidden)
        #expect(try await values(engine) == ["A-1", "A-2"])
    }

    @Test func aTickOfAScheduleCanBeTheKey() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let trigger: JSON = ["schedule": "0 * * * *", "all": true]
        try await engine.apply(keyed("schedule.at", trigger: trigger, steps: ["end": ["type": "EXIT"]]))
        try await engine.track("seen", subscribed: true)
        let scheduler = Scheduler(context: engine.context)
        for _ in 0..<3 {
            while try await scheduler.pass() {}
            engine.clock.advance(seconds: 3600)
        }
        let found = try await values(engine)
        #expect(found.count >= 2 && Set(found).count == found.count)
    }

    // MARK: Changes of the key

    @Test func aKeyThatIsTakenAwayMakesEveryExecutionCount() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        for order in ["A-1", "A-2"] { try await pay(engine, .string(order)) }
        try await engine.apply(keyed(nil))
        try await pay(engine, "A-3")
        #expect(try await values(engine) == ["A-1", "A-2"])
        try await engine.apply(keyed(nil, reentry: true))
        try await pay(engine, "A-3")
        #expect(try await engine.executions().count == 2)
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        try await pay(engine, "A-3")
        #expect(try await values(engine) == ["A-1", "A-2", "none"])
    }

    @Test func aNewKeyCountsFromThenOn() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed(nil))
        try await pay(engine, "A-1")
        // Executions under way are no obstacle.
        #expect(try await engine.apply(keyed()) == .updated)
        for _ in 0..<2 { try await pay(engine, "A-1") }
        #expect(try await values(engine) == ["A-1", "none"])
    }

    @Test func reentryThatIsForbiddenLaterFindsTheValuesOfBefore() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed(reentry: true, steps: ["end": ["type": "EXIT"]]))
        for order in ["A-1", "A-1", "A-2"] { try await pay(engine, .string(order)) }
        try await engine.apply(keyed(steps: ["end": ["type": "EXIT"]]))
        for order in ["A-1", "A-2", "A-3"] { try await pay(engine, .string(order)) }
        #expect(try await values(engine) == ["A-1", "A-1", "A-2", "A-3"])
    }

    // MARK: What goes by contacts otherwise

    @Test func allExecutionsOfOneContactAreCancelled() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        for number in 0..<450 { try await pay(engine, .int(Int64(number))) }
        let id = try await flow(engine).id
        #expect(try await Executions(context: engine.context).cancelAll(of: id, project: engine.project.id) == 450)
        #expect(try await engine.context.store.read { try $0.activeExecutionCount(workflow: id) } == 0)
    }

    @Test func aFailedExecutionIsRetriedBesideThoseWithOtherValues() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            keyed(
                reentry: true,
                steps: [
                    "call": ["type": "WEBHOOK", "config": ["url": "https://crm.example/"], "next": "pause"],
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]],
                ]))
        try await pay(engine, "A-1")
        let receiver = ScriptedReceiver()
        receiver.answer([.answered(WebhookResponse(status: 400, headers: [:], body: []))])
        try await engine.runWebhooks(receiver)
        let failed = try #require(try await engine.executions().first)
        #expect(failed.status == .failed)
        try await pay(engine, "A-2")
        let executions = Executions(context: engine.context)
        let retried = try await executions.retry(failed.id, of: failed.workflowID, project: engine.project.id)
        #expect(retried.status == .running && retried.reentryValue == "A-1")
    }

    @Test func erasingAContactTakesAllItsExecutions() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        for order in ["A-1", "A-2"] { try await pay(engine, .string(order)) }
        let ann = try #require(try await engine.contact()).id
        try await Contacts(context: engine.context, projectID: engine.project.id).delete(ann)
        let id = try await flow(engine).id
        #expect(try await engine.context.store.read { try $0.activeExecutionCount(workflow: id) } == 0)
    }

    // MARK: Simulation

    @Test func aSimulationSaysWhenTheValueIsMissingOrTaken() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(keyed())
        try await pay(engine, "A-1")
        let id = try await flow(engine).id
        func warnings(_ data: JSONObject) async throws -> [String] {
            try await Simulation(context: engine.context).run(
                try SimulationRequest(
                    json: ["contact": ["email": "ann@example.org"], "trigger": ["data": .object(data)]]),
                workflow: id, project: engine.project.id
            ).warnings
        }
        #expect(
            try await warnings([:]) == [
                "there is no value of the re-entry key order.id, so it would start for nobody"
            ])
        #expect(
            try await warnings(["order": ["id": "A-1"]]) == [
                "the contact has been here before with order.id A-1, so it would not be started again"
            ])
        #expect(try await warnings(["order": ["id": "A-2"]]) == [])
    }

    // MARK: Bad input

    @Test(arguments: [5, "", ".", "a..b", "a.", "a\nb", ["a"]] as [JSON])
    func whatIsNoPathIsRefused(_ key: JSON) {
        let error = #expect(throws: UseCaseError.self) { try WorkflowDocument(keyed(key)) }
        #expect(error?.problems.map(\.path) == ["reentryKey"])
    }

    @Test func aLongPathIsRefused() {
        let error = #expect(throws: UseCaseError.self) {
            try WorkflowDocument(keyed(.string(String(repeating: "x", count: ReentryKey.pathLimit + 1))))
        }
        #expect(error?.problems.map(\.path) == ["reentryKey"])
    }
}
