import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import Engine

/// Executions under way that go on by a newer version.
@Suite struct MigrationTests {
    private let first: JSONObject = [
        "hello": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "wait"],
        "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "ask"],
        "ask": [
            "type": "CONDITION", "config": ["field": "data.plan", "operator": "equals", "value": "pro"],
            "next": ["yes": "old-tag", "no": "rest"],
        ],
        "old-tag": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "first"]], "next": "rest"],
        "rest": ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "end"],
        "end": ["type": "EXIT", "config": ["reason": "first"]],
    ]
    /// One step gone, one new, the branches swapped.
    private let second: JSONObject = [
        "hello": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "wait"],
        "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "ask"],
        "ask": [
            "type": "CONDITION", "config": ["field": "data.plan", "operator": "equals", "value": "pro"],
            "next": ["yes": "rest", "no": "new-tag"],
        ],
        "new-tag": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "second"]], "next": "rest"],
        "rest": ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "end"],
        "end": ["type": "EXIT", "config": ["reason": "second"]],
    ]

    private struct Stage {
        let engine: EngineFixture
        let database: TemporaryDatabase

        func publish(_ steps: JSONObject) async throws {
            _ = try await Workflows(context: engine.context)
                .apply(try WorkflowDocument(document(event: "start", steps: steps)), asNewVersion: true)
        }

        func migrate(dryRun: Bool = true) async throws -> Executions.Migration {
            try await Executions(context: engine.context).migrate("flow", dryRun: dryRun, project: "default")
        }

        /// Events of many contacts, some hundred in a transaction.
        func track(_ event: String, _ emails: [String], data: @escaping @Sendable (Int) -> JSONObject = { _ in [:] })
            async throws
        {
            let project = engine.project.id
            for start in stride(from: 0, to: emails.count, by: 250) {
                try await engine.context.transact { transaction in
                    let recorder = EventRecorder(transaction: transaction, projectID: project)
                    for number in start..<min(start + 250, emails.count) {
                        transaction.beginCause()
                        let contact = try recorder.upsert(
                            email: emails[number], subscribed: nil, subscribedWhenNew: true, data: data(number))
                        try recorder.record(event, data: data(number), generation: 0, contact: contact)
                    }
                }
            }
        }
    }

    private func stage() async throws -> Stage {
        let (engine, database) = try await makeEngine()
        let stage = Stage(engine: engine, database: database)
        try await stage.publish(first)
        return stage
    }

    @Test func aThousandRunsGoOnByTheNewVersionWithoutLossOrRepetition() async throws {
        let stage = try await stage()
        let emails = (0..<1000).map { "c\($0)@example.org" }
        try await stage.track("start", emails) { ["plan": $0 % 2 == 0 ? "pro" : "free"] }
        try await stage.publish(second)
        let look = try await stage.migrate()
        #expect(look.isDryRun && look.version == 2 && look.moved == 1000 && look.current == 0)
        #expect(look.steps == ["wait": 1000] && look.obstacleCount == 0)
        #expect(try await stage.migrate() == look, "looking changes nothing")
        let done = try await stage.migrate(dryRun: false)
        #expect(!done.isDryRun && done.moved == 1000 && done.steps == ["wait": 1000])
        let again = try await stage.migrate(dryRun: false)
        #expect(again.moved == 0 && again.current == 1000)
        try await stage.track("go", emails)
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.engine.runTimers()
        let rows = try await stage.engine.executions()
        #expect(rows.count == 1000)
        #expect(rows.allSatisfy { $0.status == .exited && $0.exitReason == "second" })
        #expect(try await stage.engine.contact("c0@example.org")?.data["seen"] == nil)
        #expect(try await stage.engine.contact("c1@example.org")?.data["seen"] == "second")
        // The mail of the first step went out once each.
        #expect(try await stage.engine.context.store.read { try $0.outboxCounts()[.pending] } == 1000)
        for row in rows.prefix(5) {
            let steps = try await stage.engine.steps(of: row).map(\.step)
            #expect(steps.filter { $0 == "hello" }.count == 1)
            #expect(steps.map { $0 == "wait" ? 1 : 0 }.reduce(0, +) == 1)
        }
    }

    @Test func executionOnAStepThatIsGoneKeepsAllWhereTheyAre() async throws {
        let stage = try await stage()
        try await stage.track("start", (0..<10).map { "c\($0)@example.org" })
        try await stage.track("go", ["c0@example.org"])
        var shorter = first
        shorter["rest"] = nil
        shorter["ask"] = [
            "type": "CONDITION", "config": ["field": "data.plan", "operator": "equals", "value": "pro"],
            "next": ["yes": "old-tag", "no": "end"],
        ]
        shorter["old-tag"] = ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "first"]], "next": "end"]
        try await stage.publish(shorter)
        let look = try await stage.migrate()
        #expect(look.moved == 9 && look.obstacleCount == 1)
        let stuck = try #require(try await stage.engine.executions().first { $0.currentStep == "rest" })
        #expect(
            look.obstacles == [.init(execution: stuck.id, step: "rest", reason: "stands on a step that is gone")])
        let error = await #expect(throws: UseCaseError.self) { try await stage.migrate(dryRun: false) }
        #expect(error?.code == .conflict && error?.description.contains("1 execution cannot go on") == true)
        #expect(error?.problems.map(\.path) == ["executions.\(stuck.id)"])
        #expect(try await stage.migrate() == look)
        _ = try await Executions(context: stage.engine.context).cancel(
            stuck.id, of: stuck.workflowID, project: stage.engine.project.id)
        #expect(try await stage.migrate(dryRun: false).moved == 9)
    }

    @Test func stepOfAnotherTypeAndMailThatWouldGoOutAgainAreObstacles() async throws {
        let stage = try await stage()
        try await stage.track("start", ["ann@example.org"])
        var other = second
        other["wait"] = ["type": "DELAY", "config": ["amount": 1, "unit": "hours"], "next": "ask"]
        try await stage.publish(other)
        #expect(
            try await stage.migrate().obstacles.map(\.reason)
                == ["stands on a step that was WAIT_FOR_EVENT and is DELAY"])
        // Now the mail stands behind the wait.
        var later: JSONObject = [
            "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "hello"]
        ]
        later["hello"] = ["type": "SEND_EMAIL", "config": ["template": "hello"]]
        try await stage.publish(later)
        #expect(
            try await stage.migrate().obstacles.map(\.reason) == ["could come to hello again, which it has done"])
    }

    @Test func pauseThatHasBegunKeepsItsTimeAndItsEvents() async throws {
        let stage = try await stage()
        try await stage.track("start", ["ann@example.org", "ben@example.org"])
        try await stage.track("go", ["ben@example.org"])
        var other = second
        other["wait"] = ["type": "WAIT_FOR_EVENT", "config": ["eventName": "never"], "next": "ask"]
        other["rest"] = ["type": "DELAY", "config": ["amount": 30, "unit": "days"], "next": "end"]
        try await stage.publish(other)
        #expect(try await stage.migrate(dryRun: false).steps == ["rest": 1, "wait": 1])
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.engine.runTimers()
        try await stage.track("go", ["ann@example.org"])
        let rows = try await stage.engine.executions()
        #expect(rows.first { $0.contactEmail == "ben@example.org" }?.exitReason == "second")
        #expect(rows.first { $0.contactEmail == "ann@example.org" }?.currentStep == "rest")
    }

    @Test func unknownWorkflowIsNotFound() async throws {
        let stage = try await stage()
        for (workflow, project) in [("flow", "nowhere"), ("nothing", "default")] {
            let error = await #expect(throws: UseCaseError.self) {
                try await Executions(context: stage.engine.context).migrate(workflow, dryRun: true, project: project)
            }
            #expect(error?.code == .notFound)
        }
    }
}
