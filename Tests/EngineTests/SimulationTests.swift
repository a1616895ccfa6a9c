import Engine
import EngineTestKit
import Foundation
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct SimulationTests {
    private let steps: JSONObject = [
        "hello": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "pause"],
        "pause": ["type": "DELAY", "config": ["amount": 2, "unit": "days"], "next": "opened"],
        "opened": [
            "type": "WAIT_FOR_EVENT", "config": ["eventName": "email.opened", "timeout": 604_800],
            "next": ["event": "tag", "timeout": "quiet"],
        ],
        "tag": [
            "type": "UPDATE_CONTACT",
            "config": ["data": ["engaged": true, "plan": "{{ event.plan }}"], "subscriptionAction": "unsubscribe"],
            "next": "end",
        ],
        "end": ["type": "EXIT", "config": ["reason": "engaged"]],
        "quiet": ["type": "EXIT", "config": ["reason": "quiet"]],
    ]

    private func simulate(
        _ engine: EngineFixture, _ body: JSON, steps: JSONObject? = nil
    ) async throws -> SimulationReport {
        try await Simulation(context: engine.context).run(
            try SimulationRequest(json: body), document: try WorkflowDocument(document(steps: steps ?? self.steps)))
    }

    @Test func timersAreShownWhereTheyWouldBeAloneAndTheReportSaysSo() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        var file =
            document(steps: ["pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]]]).objectValue ?? [:]
        file["timers"] = ["rate": 5, "lateAfter": 60, "late": "end"]
        let report = try await Simulation(context: engine.context).run(
            try SimulationRequest(json: ["contact": ["email": "a@b.example"], "startAt": "2026-03-02T09:00:00Z"]),
            document: try WorkflowDocument(.object(file)))
        #expect(report.execution.status == .completed)
        #expect("\(report.endedAt)" == "2026-03-02T10:00:00.000Z")
        #expect(report.warnings.contains { $0.contains("5 a minute") })
    }

    @Test func theWholePathIsTold() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let report = try await simulate(
            engine,
            [
                "contact": ["email": "Ann@example.org", "data": ["name": "Ann"]], "startAt": "2026-03-01T08:00:00Z",
                "trigger": ["data": ["source": "web"]],
                "events": [["event": "email.open", "at": "+3d", "data": ["plan": "pro"]]],
            ])
        #expect(report.execution.status == .exited && report.execution.exitReason == "engaged")
        #expect(report.visits.map(\.execution.step) == ["start", "hello", "pause", "opened", "tag", "end"])
        #expect(
            report.visits.map { "\($0.execution.startedAt)" } == [
                "2026-03-01T08:00:00.000Z", "2026-03-01T08:00:00.000Z", "2026-03-01T08:00:00.000Z",
                "2026-03-03T08:00:00.000Z", "2026-03-04T08:00:00.000Z", "2026-03-04T08:00:00.000Z",
            ])
        #expect(report.visits[2].wait?.endedBy == .timer)
        #expect(report.visits[3].wait?.endedBy == .event && report.visits[3].branch == "event")
        #expect(report.visits[3].wait?.event == "email.opened")
        #expect(report.mails.map(\.subject) == ["Hello ann@example.org"])
        #expect(report.mails.map(\.from) == ["Postrider <robot@example.com>"])
        #expect(report.contact.data == ["name": "Ann", "source": "web", "engaged": true, "plan": "pro"])
        #expect(!report.contact.isSubscribed)
        #expect(
            report.events.map { "\($0.name) \($0.effect.name)" } == [
                "contact.updated emitted", "signed_up started", "email.sent emitted", "email.opened resumed",
                "contact.updated emitted", "contact.unsubscribed emitted",
            ])
        #expect(report.end == .final && "\(report.endedAt)" == "2026-03-04T08:00:00.000Z")
    }

    @Test func theAnswerKeepsItsShape() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let json = try await simulate(engine, ["contact": ["email": "ann@example.org"]]).json
        let root = try #require(json.objectValue)
        #expect(
            root.keys == [
                "workflow", "status", "exitReason", "end", "currentStepId", "startedAt", "endedAt", "contact",
                "context",
                "path", "mails", "webhooks", "contactChanges", "events", "warnings",
            ])
        #expect(root["exitReason"] == "quiet")
        let visit = try #require(root["path"]?.arrayValue?[3].objectValue)
        #expect(
            visit.keys.starts(with: [
                "sequence", "stepId", "name", "type", "status", "startedAt", "completedAt", "branch",
                "attempts", "wait", "input", "output", "error",
            ]))
        #expect(visit["branch"] == "timeout" && visit["wait"]?["endedBy"] == "timeout")
        #expect(try JSONParser.parse(JSONWriter.bytes(json)) == json)
    }

    @Test func anEventAtTheMomentOfTheTimeoutWins() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for (at, reason) in [("+9d", "engaged"), ("+9d1s", "quiet")] {
            let report = try await simulate(
                engine,
                ["contact": ["email": "a@b.example"], "events": [["event": "email.opened", "at": .string(at)]]])
            #expect(report.execution.exitReason == reason, "\(at)")
        }
    }

    @Test func theHorizonAndAWaitForEverEndIt() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let cut = try await simulate(engine, ["contact": ["email": "a@b.example"], "horizon": "+1d"])
        #expect(cut.end == .horizon && cut.execution.status == .waiting && cut.execution.currentStep == "pause")
        let forever = try await simulate(
            engine, ["contact": ["email": "a@b.example"]],
            steps: ["wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "never"]]])
        #expect(forever.end == .waiting && forever.visits.last?.wait?.endedBy == nil)
    }

    @Test func theMailThatWasSentResumesAWaitForIt() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let report = try await simulate(
            engine, ["contact": ["email": "a@b.example"]],
            steps: [
                "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "sent"],
                "sent": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "email.sent"]],
            ])
        #expect(report.execution.status == .completed)
        #expect(report.events.map(\.effect.name) == ["started", "resumed"])
    }

    @Test func aMailThatCannotBeMadeSaysWhy() async throws {
        let (engine, _database) = try await makeEngine { $0.defaultFrom = nil }
        _ = _database
        let report = try await simulate(engine, ["contact": ["email": "a@b.example"]])
        #expect(report.mails.first?.error?.contains("no From address") == true)
        #expect(report.events.contains { $0.name == "email.failed" })
    }

    private let webhook: JSONObject = [
        "call": [
            "type": "WEBHOOK",
            "config": [
                "url": "https://crm.example.com/{{ event.id }}", "headers": ["X-Plan": "{{ plan }}"],
                "body": ["who": "{{ contact.email }}"],
            ], "next": "check",
        ],
        "check": [
            "type": "CONDITION",
            "config": ["field": "steps.call.response.tier", "operator": "equals", "value": "gold"],
            "next": ["yes": "gold", "no": "other"],
        ],
        "gold": ["type": "EXIT", "config": ["reason": "gold"]],
        "other": ["type": "EXIT", "config": ["reason": "other"]],
    ]

    @Test func aWebhookIsAnsweredAsTold() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let report = try await simulate(
            engine,
            [
                "contact": ["email": "ann@example.org"], "startAt": "2026-03-01T08:00:00Z",
                "trigger": ["data": ["id": 7, "plan": "pro"]],
                "webhooks": [
                    "call": [
                        ["status": 503], ["error": "connection refused"], ["body": ["tier": "gold"], "after": "+3s"],
                    ]
                ],
            ], steps: webhook)
        #expect(report.execution.exitReason == "gold")
        let call = try #require(report.calls.first)
        #expect(call.request.url == "https://crm.example.com/7" && call.request.method == "POST")
        #expect(call.request.body == #"{"who":"ann@example.org"}"#)
        #expect(call.request.headers.contains(.init(name: "X-Plan", value: "pro")))
        #expect(call.attempts.map(\.status) == [503, nil, 200])
        #expect(call.attempts.map(\.error) == [nil, "connection refused", nil])
        #expect(report.visits[1].execution.attempts == 3 && report.visits[1].wait?.endedBy == .webhook)
        // 1 s and 4 s with up to a quarter more, and the 3 s of the last answer.
        let seconds = (report.endedAt.microseconds - report.startedAt.microseconds) / 1_000_000
        #expect((8...9).contains(seconds))
        #expect(report.warnings.allSatisfy { !$0.contains("answered 200") })
    }

    @Test func aWebhookThatNeverSucceedsFailsTheRun() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for (answer, attempts) in [(["status": 500], 5), (["status": 404], 1)] as [(JSON, Int)] {
            let report = try await simulate(
                engine, ["contact": ["email": "a@b.example"], "webhooks": ["call": answer]], steps: webhook)
            #expect(report.execution.status == .failed && report.execution.currentStep == "call")
            #expect(report.calls.first?.attempts.count == attempts)
            #expect(report.execution.exitReason?.contains("answered \(answer["status"]?.intValue ?? 0)") == true)
        }
    }

    @Test func aWebhookWithoutAnAnswerIsTakenToSucceedAndThatIsSaid() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let report = try await simulate(engine, ["contact": ["email": "a@b.example"]], steps: webhook)
        #expect(report.execution.exitReason == "other")
        #expect(report.warnings.contains("the webhook of call was taken to be answered 200"))
    }

    @Test func aScheduledRunSaysWhoWouldNotBeEnrolled() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let file: JSON = [
            "workflow": "flow", "enabled": true,
            "trigger": [
                "schedule": "0 9 * * MON",
                "filter": [
                    "logic": "AND",
                    "groups": [["filters": [["field": "data.plan", "operator": "equals", "value": "pro"]]]],
                ],
            ],
            "steps": ["start": ["type": "TRIGGER", "next": "end"], "end": ["type": "EXIT", "config": [:]]],
        ]
        for (contact, count) in [
            (["email": "a@b.example", "data": ["plan": "pro"]], 0), (["email": "a@b.example"], 1),
            (["email": "a@b.example", "subscribed": false], 2),
        ] as [(JSON, Int)] {
            let report = try await Simulation(context: engine.context).run(
                try SimulationRequest(json: ["contact": contact, "startAt": "2026-03-02T09:00:00Z"]),
                document: try WorkflowDocument(file))
            #expect(report.execution.status == .exited)
            #expect(report.execution.context == ["schedule": ["at": "2026-03-02T09:00:00.000Z"]])
            #expect(report.warnings.count { $0.contains("enrol") } == count, "\(report.warnings)")
        }
    }

    /// A chain of steps of one kind, each named by its number.
    private func chain(_ count: Int, _ type: JSON, _ config: JSON) -> JSONObject {
        var steps: JSONObject = [:]
        for index in 0..<count {
            var step: JSONObject = ["type": type, "config": config]
            if index + 1 < count { step["next"] = .string("s\(index + 1)") }
            steps["s\(index)"] = .object(step)
        }
        return steps
    }

    @Test func whatIsShownIsBounded() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let mails = try await simulate(
            engine, ["contact": ["email": "a@b.example"]], steps: chain(120, "SEND_EMAIL", ["template": "hello"]))
        #expect(mails.execution.status == .completed && mails.mails.count == 120)
        #expect(mails.mails.count { $0.isAbridged } == 20 && mails.mails.prefix(100).allSatisfy { $0.text == "Hi" })
        let long = String(repeating: "x", count: 200_000)
        let updates = try await simulate(
            engine, ["contact": ["email": "a@b.example"], "context": ["long": .string(long)]],
            steps: chain(100, "UPDATE_CONTACT", ["data": ["long": "{{ context.long }}"]]))
        #expect(updates.execution.status == .completed && updates.visits.count == 101)
        #expect(updates.contact.data["long"] == .string(long), "what is not shown is done")
        #expect(updates.warnings.contains { $0.contains("too much to show") })
        #expect(JSONWriter.bytes(updates.json).count < 8 << 20)
        let calls = try await simulate(
            engine, ["contact": ["email": "a@b.example"], "context": ["long": .string(long)]],
            steps: chain(100, "WEBHOOK", ["url": "https://a.example/", "body": ["long": "{{ context.long }}"]]))
        #expect(calls.execution.status == .completed && calls.calls.count == 100)
        #expect(JSONWriter.bytes(calls.json).count < 8 << 20)
    }

    @Test func theHistoryBeforeTheStartCounts() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let steps: JSONObject = [
            "check": [
                "type": "CONDITION",
                "config": [
                    "filter": [
                        "logic": "AND",
                        "groups": [
                            [
                                "filters": [
                                    ["field": "event.paid", "operator": "triggeredWithin", "value": 3, "unit": "days"]
                                ]
                            ]
                        ],
                    ]
                ],
                "next": ["yes": "paid", "no": "unpaid"],
            ],
            "paid": ["type": "EXIT", "config": ["reason": "paid"]],
            "unpaid": ["type": "EXIT", "config": ["reason": "unpaid"]],
        ]
        for (at, reason) in [("-2d", "paid"), ("-4d", "unpaid"), ("+1d", "unpaid")] {
            let report = try await simulate(
                engine, ["contact": ["email": "a@b.example"], "events": [["event": "paid", "at": .string(at)]]],
                steps: steps)
            #expect(report.execution.exitReason == reason, "\(at)")
        }
    }

    @Test func aWaitLooksBackToTheStartOfTheRunAndSeesOnlyWhatPasses() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let filter: JSON = [
            "logic": "AND",
            "groups": [["filters": [["field": "event.amount", "operator": "greaterThan", "value": 10]]]],
        ]
        for lookback in [true, false] {
            let report = try await simulate(
                engine,
                [
                    "contact": ["email": "a@b.example"],
                    "events": [
                        ["event": "paid", "at": "+1h", "data": ["amount": 5]],
                        ["event": "paid", "at": "+2h", "data": ["amount": 50]],
                        ["event": "paid", "at": "+3d", "data": ["amount": 7]],
                        ["event": "paid", "at": "+4d", "data": ["amount": 70]],
                    ],
                ],
                steps: [
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "paid"],
                    "paid": [
                        "type": "WAIT_FOR_EVENT",
                        "config": ["eventName": "paid", "filter": filter, "lookback": .bool(lookback)],
                    ],
                ])
            #expect(report.execution.context["amount"] == (lookback ? 50 : 70))
            #expect(report.visits.last?.branch == "event")
        }
    }

    @Test func nothingIsWrittenAndNothingIsSent() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        let engine = try await EngineFixture(store: store)
        try await engine.apply(document(steps: steps))
        try await engine.track("signed_up", data: ["plan": "free"])
        let workflow = try #require(try await store.read { try $0.loadCatalog() }.workflows.first)
        func content() throws -> [String: Data] {
            try FileManager.default.contentsOfDirectory(atPath: database.directory.path).filter {
                // The shared memory of readers is no content.
                !$0.hasSuffix("-shm")
            }.reduce(into: [:]) { $0[$1] = try Data(contentsOf: database.directory.appendingPathComponent($1)) }
        }
        let before = try content()
        let commits = store.commitCount
        for _ in 0..<3 {
            let report = try await Simulation(context: engine.context).run(
                try SimulationRequest(json: ["contact": ["email": "ann@example.org"]]), workflow: workflow.id,
                project: engine.project.id)
            #expect(report.execution.status == .exited && report.mails.count == 1)
            #expect(report.contact.data["plan"] == "free", "the stored contact was taken")
            #expect(report.warnings == ["the contact has been here before, so it would not be started again"])
        }
        #expect(try content() == before)
        #expect(store.commitCount == commits)
        #expect(try await engine.executions().count == 1)
    }

    @Test func theSameQuestionHasTheSameAnswer() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let body: JSON = ["contact": ["email": "a@b.example"], "events": [["event": "email.opened", "at": "+5d"]]]
        let first = try await simulate(engine, body).json
        let second = try await simulate(engine, body).json
        #expect(JSONWriter.write(first) == JSONWriter.write(second))
    }

    @Test func contactAndWorkflowOfAnotherProjectAreNotFound() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(steps: steps))
        let contact = try await engine.track("signed_up").contactID
        let workflow = try #require(try await engine.context.store.read { try $0.loadCatalog() }.workflows.first)
        let other = Project(id: Identifier(high: 7, low: 7), slug: "other", name: "Other")
        try await engine.context.store.write { try $0.insert(other, at: Timestamp(seconds: 0)) }
        let simulation = Simulation(context: engine.context)
        let request = SimulationRequest(contact: .init(id: contact))
        await #expect(throws: UseCaseError.self) {
            try await simulation.run(request, workflow: workflow.id, project: other.id)
        }
        var elsewhere = document(steps: steps).objectValue ?? [:]
        elsewhere["project"] = "other"
        let file = try WorkflowDocument(.object(elsewhere))
        await #expect(throws: UseCaseError.self) { try await simulation.run(request, document: file) }
    }

    @Test func everythingWrongWithARequestIsNamed() {
        let many = JSON.array(Array(repeating: ["event": "a", "at": "+1d"], count: 1001))
        let cases: [(JSON, [String])] = [
            ([:], ["contact"]), ("x", ["body"]),
            (
                [
                    "contact": ["id": "x", "email": 5, "subscribed": "yes", "data": 1, "name": ""], "startAt": "noon",
                    "horizon": "soon", "trigger": ["event": "x"],
                    "events": [["event": "", "at": "later"], 5, ["event": "a"]],
                    "webhooks": ["call": ["status": 42, "after": "-1d", "headers": ["a": 1]]],
                    "color": 1,
                ],
                [
                    "color", "contact.name", "contact.id", "contact.email", "contact.subscribed", "contact.data",
                    "trigger.event", "events.0.event", "events.0.at", "events.1", "events.2.at",
                    "webhooks.call.status", "webhooks.call.headers.a", "webhooks.call.after",
                    "startAt", "horizon",
                ]
            ),
            (["contact": ["email": "a@b"], "events": many], ["events"]),
        ]
        for (body, paths) in cases {
            let error = #expect(throws: UseCaseError.self) { try SimulationRequest(json: body) }
            #expect(Set(error?.problems.map(\.path) ?? []) == Set(paths))
        }
    }

    @Test func anImpossibleHorizonAndAnUnknownStepAreRefused() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let bodies: [JSON] = [
            ["contact": ["email": "a@b.example"], "horizon": "-1d"],
            ["contact": ["email": "a@b.example"], "horizon": "+4000d"],
            ["contact": ["email": "a@b.example"], "webhooks": ["nowhere": ["status": 200]]],
        ]
        for body in bodies { await #expect(throws: UseCaseError.self) { try await simulate(engine, body) } }
    }

    @Test(
        arguments: [
            ("+2d", 172_800), ("-1h", -3600), ("+1d12h", 129_600), ("+90m", 5400), ("+1w", 604_800), ("2d", nil),
            ("+", nil), ("+d", nil), ("+5", nil), ("+5y", nil), ("+99999999999999999999d", nil), ("+1d-1h", nil),
        ] as [(String, Int64?)])
    func distancesAreRead(_ text: String, _ seconds: Int64?) {
        #expect(Moment(text) == seconds.map { .offset(microseconds: $0 * 1_000_000) })
    }
}
