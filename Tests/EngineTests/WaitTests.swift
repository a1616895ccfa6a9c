import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct WaitTests {
    private func flow(
        _ wait: JSONObject, event: String = "signed_up", before: JSONObject = [:], slug: String = "flow"
    ) -> JSON {
        var steps = before
        var next: JSONObject = ["event": "on"]
        if wait["timeout"] != nil { next["timeout"] = "late" }
        steps["wait"] = ["type": "WAIT_FOR_EVENT", "config": .object(wait), "next": .object(next)]
        steps["on"] = ["type": "EXIT", "config": ["reason": "on"]]
        steps["late"] = ["type": "EXIT", "config": ["reason": "timeout"]]
        return document(event: event, slug: slug, steps: steps)
    }

    private let pause: JSONObject = [
        "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "wait"]
    ]

    // MARK: Looking back

    @Test func eventBetweenTwoStepsIsFoundWithLookbackAndNotWithout() async throws {
        for (lookback, reason) in [(true, "on"), (false, nil)] as [(Bool, String?)] {
            let (engine, database) = try await makeEngine()
            _ = database
            try await engine.apply(
                flow(["eventName": "paid", "timeout": 600, "lookback": .bool(lookback)], before: pause))
            try await engine.track("paid", data: ["n": 0])
            try await engine.track("signed_up")
            try await engine.track("paid", data: ["n": 1])
            try await engine.track("paid", data: ["n": 2])
            engine.clock.advance(seconds: 60)
            try await engine.runTimers()
            let execution = try #require(try await engine.executions().first)
            #expect(execution.exitReason == reason, "lookback \(lookback)")
            // The oldest since the start, and none from before it.
            if lookback { #expect(execution.context == ["n": 1]) }
        }
    }

    /// The contact is made, changed and enrolled in one transaction.
    @Test func eventsOfOneTransactionAreTakenInTheirOrder() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            flow(["eventName": "contact.updated", "timeout": 60, "lookback": true], event: "contact.created"))
        try await engine.apply(
            flow(["eventName": "contact.created", "timeout": 60, "lookback": true], slug: "behind"))
        try await engine.track("signed_up", "new@example.org")
        // The first started with contact.created and nothing came after it; the second started with signed_up, which came
        // after contact.created.
        #expect(try await engine.executions().map(\.status) == [.waiting])
        #expect(try await engine.executions("behind").map(\.status) == [.waiting])
    }

    @Test func eventInTheTransactionOfTheTriggerIsFound() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        // contact.created starts it, signed_up follows in the same transaction, before anything can wait for it.
        try await engine.apply(
            flow(["eventName": "signed_up", "timeout": 600, "lookback": true], event: "contact.created", before: pause))
        try await engine.track("signed_up", "new@example.org")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.exitReason) == ["on"])
    }

    @Test func historyFromBeforeAnybodyAskedIsThere() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.track("bought")
        engine.clock.advance(seconds: 3 * 86_400)
        try await engine.apply(
            document(
                steps: [
                    "if": [
                        "type": "CONDITION",
                        "config": [
                            "filter": [
                                "logic": "AND",
                                "groups": [
                                    [
                                        "filters": [
                                            [
                                                "field": "event.bought", "operator": "triggeredWithin", "value": 7,
                                                "unit": "days",
                                            ]
                                        ]
                                    ]
                                ],
                            ]
                        ], "next": ["yes": "end"],
                    ], "end": ["type": "EXIT", "config": ["reason": "recent"]],
                ]))
        try await engine.track("signed_up")
        engine.clock.advance(seconds: 5 * 86_400)
        try await engine.track("signed_up", "ben@example.org")
        let reasons = try await engine.executions().map(\.exitReason)
        #expect(reasons == ["recent", "no_transition:no"])
    }

    @Test func ownChangeIsSeenByAWaitThatLooksBack() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let set: JSONObject = [
            "set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": 1]], "next": "wait"]
        ]
        try await engine.apply(flow(["eventName": "contact.updated", "lookback": true], before: set))
        try await engine.apply(flow(["eventName": "contact.updated"], before: set, slug: "forward"))
        try await engine.track("signed_up")
        #expect(try await engine.executions().map(\.exitReason) == ["on"])
        #expect(try await engine.executions("forward").map(\.status) == [.waiting])
    }

    // MARK: Several events

    @Test(arguments: ["one", "two", nil] as [String?])
    func firstOfSeveralEndsTheWaitAndNothingIsLeft(_ name: String?) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(["eventNames": ["one", "two"], "timeout": 60]))
        try await engine.track("signed_up")
        if let name { try await engine.track(name) }
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        let execution = try #require(try await engine.executions().first)
        #expect(execution.exitReason == (name == nil ? "timeout" : "on"))
        let left = try await engine.context.store.write { store in
            [
                try store.executions(waitingFor: "one", contact: execution.contactID),
                try store.executions(waitingFor: "two", contact: execution.contactID),
            ]
        }
        #expect(left == [[], []])
        let timer = try await engine.context.store.write { try $0.nextTimer() }
        #expect(timer == nil)
    }

    @Test func filterOnTheEventsDataDecides() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            flow([
                "eventName": "paid", "timeout": 60,
                "filter": [
                    "logic": "AND",
                    "groups": [["filters": [["field": "event.plan", "operator": "equals", "value": "pro"]]]],
                ],
            ]))
        try await engine.track("signed_up")
        try await engine.track("paid", data: ["plan": "free"])
        #expect(try await engine.executions().map(\.status) == [.waiting])
        try await engine.track("paid", data: ["plan": "pro"])
        #expect(try await engine.executions().map(\.exitReason) == ["on"])
    }

    @Test func eventWithoutAContactResumesNobody() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(["eventName": "go"]))
        try await engine.track("signed_up")
        let project = engine.project.id
        let event = Event(
            id: Identifier(high: 1, low: 1), name: "go", data: [:], source: .api, createdAt: engine.clock.now())
        try await engine.context.store.write { try $0.insert(event, contact: nil, in: project) }
        #expect(try await engine.executions().map(\.status) == [.waiting])
    }

    // MARK: The race

    /// Ten thousand executions whose event and timeout come together, from eight sides at once.
    @Test(.timeLimit(.minutes(5))) func eventAndTimeoutTogetherTakeOneEdgeTenThousandTimes() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(flow(["eventName": "go", "timeout": 60]))
        let count = 10_000
        func everybody(_ event: String, workers: Int) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<workers {
                    group.addTask {
                        for number in stride(from: worker, to: count, by: workers) {
                            try await engine.track(event, "c\(number)@example.org")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try await everybody("signed_up", workers: 64)
        engine.clock.advance(seconds: 60)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await engine.runTimers() } }
            group.addTask { try await everybody("go", workers: 4) }
            try await group.waitForAll()
        }
        let flow = try #require(try await engine.executions().first).workflowID
        let counts = try await engine.context.store.read {
            (try $0.executionCounts(in: engine.project.id)[flow], try $0.stepCounts(of: flow))
        }
        #expect(counts.0 == [.exited: count])
        let (on, late) = (counts.1["on"]?.done ?? 0, counts.1["late"]?.done ?? 0)
        #expect(on + late == count && counts.1["wait"] == StepCounts(done: count))
    }
}
