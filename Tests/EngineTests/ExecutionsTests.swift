import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct ExecutionsTests {
    private let pause: JSONObject = [
        "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"], "next": "mail"],
        "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
    ]

    private func workflow(_ engine: EngineFixture, _ slug: String = "flow") async throws -> WorkflowRecord {
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        return try #require(catalog.workflows.first { $0.slug == slug })
    }

    private func contact(_ engine: EngineFixture, _ email: String = "ann@example.org") async throws -> Identifier {
        try await engine.track("seen", email)
        return try #require(try await engine.contact(email)).id
    }

    private func code(_ body: () async throws -> Void) async throws -> UseCaseError.Code? {
        await #expect(throws: UseCaseError.self) { try await body() }?.code
    }

    // MARK: Starting

    @Test(arguments: [["manual": true], ["event": "signed_up"]] as [JSON])
    func anyWorkflowIsStartedByHandWithAContext(_ trigger: JSON) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        var flow =
            document(
                steps: [
                    "note": [
                        "type": "UPDATE_CONTACT",
                        "config": ["data": ["a": "{{ context.code }}", "b": "{{ event.code }}", "c": "{{ code }}"]],
                    ]
                ]
            ).objectValue ?? [:]
        flow["trigger"] = trigger
        try await engine.apply(.object(flow))
        let started = try await Executions(context: engine.context).start(
            try await workflow(engine).id, contact: try await contact(engine),
            context: ["code": ["value": "X1", "persistent": false]], project: engine.project.id)
        #expect(started.status == .completed && started.context == ["code": "X1"])
        #expect(try await engine.contact()?.data == ["a": "X1", "b": "X1", "c": "X1"])
    }

    @Test func startIsRefusedWithTheReasonAsCode() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let executions = Executions(context: engine.context)
        let project = engine.project.id
        try await engine.apply(document(steps: pause))
        try await engine.apply(document(reentry: true, slug: "again", steps: pause))
        var disabled = document(slug: "off", steps: pause).objectValue ?? [:]
        disabled["enabled"] = false
        try await engine.apply(.object(disabled))
        let ann = try await contact(engine)
        let (flow, again, off) = (
            try await workflow(engine).id, try await workflow(engine, "again").id, try await workflow(engine, "off").id
        )
        let nobody = Identifier(high: 1, low: 1)
        #expect(
            try await code { _ = try await executions.start(nobody, contact: ann, context: [:], project: project) }
                == .notFound)
        #expect(
            try await code { _ = try await executions.start(flow, contact: ann, context: [:], project: nobody) }
                == .notFound)
        #expect(
            try await code { _ = try await executions.start(flow, contact: nobody, context: [:], project: project) }
                == .notFound)
        #expect(
            try await code { _ = try await executions.start(off, contact: ann, context: [:], project: project) }
                == .workflowDisabled)
        let big: JSONObject = ["x": .string(String(repeating: "x", count: 64 * 1024))]
        #expect(
            try await code { _ = try await executions.start(flow, contact: ann, context: big, project: project) }
                == .invalid)
        #expect(try await engine.executions().isEmpty)
        for id in [flow, again] { _ = try await executions.start(id, contact: ann, context: [:], project: project) }
        for id in [flow, again] {
            #expect(
                try await code { _ = try await executions.start(id, contact: ann, context: [:], project: project) }
                    == .executionActive)
        }
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        #expect(
            try await code { _ = try await executions.start(flow, contact: ann, context: [:], project: project) }
                == .reentryForbidden)
        _ = try await executions.start(again, contact: ann, context: [:], project: project)
        // Every refusal by re-entry is counted, though its request failed.
        let refused = try await engine.context.store.read {
            (try $0.refusedEnrolments(of: flow), try $0.refusedEnrolments(of: again))
        }
        #expect(refused == (2, 1))
        #expect(try await engine.counter("enrolments_refused") == 3)
    }

    @Test func contextOfAStartIsKeptWhenAnEventIsMergedIntoIt() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"],
                    "end": ["type": "EXIT"],
                ]))
        let ann = try await contact(engine)
        _ = try await Executions(context: engine.context).start(
            try await workflow(engine).id, contact: ann, context: ["a": 1, "b": 1], project: engine.project.id)
        try await engine.track("go", data: ["b": 2, "c": 2])
        #expect(try await engine.executions().first?.context == ["a": 1, "b": 2, "c": 2])
    }

    // MARK: Cancelling

    @Test func cancelRemovesTimerWaitsAndWebhookCall() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let executions = Executions(context: engine.context)
        let steps: [(String, JSONObject)] = [
            ("delay", pause),
            (
                "wait",
                ["wait": ["type": "WAIT_FOR_EVENT", "config": ["eventNames": ["go", "come"], "timeout": 60]]]
            ),
            ("call", ["call": ["type": "WEBHOOK", "config": ["url": "https://crm.example/"]]]),
        ]
        for (slug, steps) in steps { try await engine.apply(document(slug: slug, steps: steps)) }
        try await engine.track("signed_up")
        let ann = try #require(try await engine.contact()).id
        #expect(try await engine.context.store.read { try $0.webhookCounts()[.pending] } == 1)
        for (slug, _) in steps {
            let flow = try await workflow(engine, slug).id
            let execution = try #require(try await engine.executions(slug).first)
            let cancelled = try await executions.cancel(execution.id, of: flow, project: engine.project.id)
            #expect(cancelled.status == .cancelled && cancelled.exitReason == Executions.cancelReason)
            #expect(try await engine.steps(of: execution).last?.status == .cancelled)
            let again = try await code {
                _ = try await executions.cancel(execution.id, of: flow, project: engine.project.id)
            }
            #expect(again == .executionFinal)
        }
        let left = try await engine.context.store.write { store in
            (
                try store.nextTimer(), try store.executions(waitingFor: "go", contact: ann),
                try store.executions(waitingFor: "come", contact: ann)
            )
        }
        #expect(left.0 == nil && left.1.isEmpty && left.2.isEmpty)
        #expect(try await engine.context.store.read { try $0.webhookCounts()[.pending] } == 0)
        // Nothing of it comes back.
        engine.clock.advance(seconds: 7200)
        try await engine.runTimers()
        try await engine.track("go")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.isEmpty)
    }

    @Test func cancelOfSomebodyElsesExecutionIsNotFound() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let executions = Executions(context: engine.context)
        try await engine.apply(document(steps: pause))
        try await engine.apply(document(event: "other", slug: "other", steps: pause))
        try await engine.track("signed_up")
        let execution = try #require(try await engine.executions().first)
        let other = try await workflow(engine, "other").id
        for (workflow, project) in [(other, engine.project.id), (execution.workflowID, other)] {
            let refused = try await code {
                _ = try await executions.cancel(execution.id, of: workflow, project: project)
            }
            #expect(refused == .notFound)
        }
        #expect(try await engine.executions().map(\.status) == [.waiting])
    }

    @Test func cancelAllEndsEverythingUnderWayAndLiftsTheLock() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(reentry: true, steps: pause))
        try await engine.apply(document(slug: "other", steps: pause))
        for number in 0..<450 { try await engine.track("signed_up", "c\(number)@example.org") }
        try DamagedDatabase(database.path).spoil(
            """
            UPDATE executions SET context = '{' WHERE id =
                (SELECT min(e.id) FROM executions e JOIN workflows w ON w.id = e.workflow_id WHERE w.slug = 'flow')
            """)
        let flow = try await workflow(engine)
        let count = try await Executions(context: engine.context).cancelAll(of: flow.id, project: engine.project.id)
        #expect(count == 450)
        let counts = try await engine.context.store.read { try $0.executionCounts(in: engine.project.id) }
        #expect(counts[flow.id] == [.cancelled: 449, .failed: 1])
        #expect(try await engine.executions().count == 450)
        #expect(counts[try await workflow(engine, "other").id]?[.waiting] == 450)
        let changed = document(reentry: true, steps: ["end": ["type": "EXIT"]])
        #expect(try await engine.apply(changed) == .changed(version: 2))
    }

    // MARK: Retrying

    @Test func failedExecutionIsRetriedFromItsStepOnce() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let executions = Executions(context: engine.context)
        try await engine.apply(
            document(
                steps: [
                    "set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": 1]], "next": "until"],
                    "until": ["type": "DELAY", "config": ["until": "{{ contact.renewal }}"], "next": "mail"],
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
                ]))
        try await engine.track("signed_up")
        let failed = try #require(try await engine.executions().first)
        #expect(failed.status == .failed && failed.currentStep == "until")
        let flow = failed.workflowID
        try await engine.track("renewed", data: ["renewal": "2026-01-06T00:00:00Z"])
        let waiting = try await executions.retry(failed.id, of: flow, project: engine.project.id)
        #expect(waiting.status == .waiting && waiting.exitReason == nil && waiting.completedAt == nil)
        let again = try await code { _ = try await executions.retry(failed.id, of: flow, project: engine.project.id) }
        #expect(again == .executionNotFailed)
        engine.clock.advance(seconds: 86_400)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.completed])
        let steps = try await engine.steps(of: failed)
        #expect(steps.map(\.step) == ["start", "set", "until", "until", "mail"])
        #expect(steps.map(\.status) == [.completed, .completed, .failed, .completed, .completed])
        let counts = try await engine.context.store.read { try $0.stepCounts(of: flow) }
        #expect(counts["until"] == StepCounts(done: 1, failed: 1) && counts["mail"]?.entered == 1)
    }

    @Test func retryIsRefusedWhileAnotherExecutionOfTheContactIsUnderWay() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                reentry: true,
                steps: ["until": ["type": "DELAY", "config": ["until": "{{ event.at }}"]]]))
        try await engine.track("signed_up", data: ["at": "soon"])
        try await engine.track("signed_up", data: ["at": "2026-01-06T00:00:00Z"])
        let failed = try #require(try await engine.executions().first { $0.status == .failed })
        let refused = try await code {
            _ = try await Executions(context: engine.context).retry(
                failed.id, of: failed.workflowID, project: engine.project.id)
        }
        #expect(refused == .executionActive)
    }

    // MARK: Looking

    @Test func everyStepShowsItsInput() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "set": [
                        "type": "UPDATE_CONTACT", "config": ["data": ["n": "{{ contact.email }}"]], "next": "call",
                    ],
                    "call": ["type": "WEBHOOK", "config": ["url": "https://crm.example/", "body": ["e": "{{ n }}"]]],
                ]))
        try await engine.track("signed_up")
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .running && execution.currentStep == "call")
        let detail = try await Executions(context: engine.context).inspect(
            execution.id, of: execution.workflowID, project: engine.project.id)
        #expect(detail.steps.map(\.step) == ["start", "set", "call"])
        #expect(detail.steps[0].input == [:] && detail.steps[1].input == ["data": ["n": "ann@example.org"]])
        #expect(detail.steps[2].input["body"] == ["e": "ann@example.org"] && detail.steps[2].status == .running)
        let page = try await Executions(context: engine.context).list(
            of: execution.workflowID, project: engine.project.id, status: .running, limit: 10, offset: 0)
        #expect(page.total == 1 && page.rows.map(\.id) == [execution.id])
    }

    // MARK: Lists

    @Test func pagesHoldEveryExecutionOnceWhateverTheStatus() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                steps: [
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"],
                    "end": ["type": "EXIT"],
                ]))
        for number in 0..<25 { try await engine.track("signed_up", "c\(number)@example.org") }
        for number in stride(from: 0, to: 25, by: 2) { try await engine.track("go", "c\(number)@example.org") }
        let workflow = try #require(try await engine.executions().first).workflowID
        for (status, count) in [(nil, 25), (.exited, 13), (.waiting, 12), (.failed, 0)] as [(Execution.Status?, Int)] {
            var seen: [Identifier] = []
            for offset in stride(from: 0, to: 40, by: 10) {
                let page = try await Executions(context: engine.context).list(
                    of: workflow, project: engine.project.id, status: status, limit: 10, offset: offset)
                #expect(page.total == count)
                #expect(page.rows.allSatisfy { status == nil || $0.status == status })
                seen += page.rows.map(\.id)
            }
            #expect(seen.count == count && seen == seen.sorted(by: >))
        }
    }
}
