import Engine
import EngineTestKit
import Foundation
import JSONValue
import Testing
import WorkflowModel

@testable import WorkflowFiles

/// The project's folder, from where this file lies.
let projectFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The files in conf/examples do what the specification's common patterns say, in the real engine, and a simulation of each
/// tells the same path.
@Suite struct ExampleTests {
    static var files: [String] {
        let folder = projectFolder.appendingPathComponent("conf/examples").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }

    private static func example(_ name: String) throws -> WorkflowFile {
        try WorkflowFile(reading: projectFolder.appendingPathComponent("conf/examples/\(name)").path)
    }

    /// A run with the example in place.
    private func apply(_ name: String) async throws -> (EngineRun, WorkflowDocument) {
        let run = try await EngineRun()
        let document = try Self.example(name).document
        #expect(try await Workflows(context: run.engine.context).apply(document) == .created(version: 1))
        return (run, document)
    }

    private func simulate(_ run: EngineRun, _ document: WorkflowDocument, _ body: JSONObject) async throws
        -> SimulationReport
    {
        var body = body
        body["contact"] = body["contact"] ?? ["email": "ann@example.org"]
        body["startAt"] = body["startAt"] ?? .string("\(run.now)")
        return try await Simulation(context: run.engine.context)
            .run(try SimulationRequest(json: .object(body)), document: document)
    }

    @Test func allPatternsAreThere() {
        #expect(
            Self.files == [
                "inbound-auto-reply.yaml", "pause-while-away.yaml", "re-engagement.yaml", "stop-on-reply.yaml",
                "webhook-fan-out.yaml", "welcome-series.yaml",
            ])
    }

    @Test(arguments: files) func anExampleIsSoundAndSurvivesItsExport(_ name: String) async throws {
        let file = try Self.example(name)
        try file.checkTemplates()
        #expect(file.warnings.isEmpty)
        let (run, document) = try await apply(name)
        let workflows = Workflows(context: run.engine.context)
        #expect(try await workflows.apply(document) == .unchanged)
        let exported = try await workflows.export(document.slug, project: document.project)
        let read = try WorkflowDocument(try YAMLReader.read(exported.yaml).value)
        #expect(try await workflows.apply(read) == .unchanged)
        #expect(WorkflowDifference(from: document, to: read).isEmpty)
    }

    // MARK: Welcome series

    @Test func welcomeSeriesSendsThreeMailsInAWeek() async throws {
        let (run, document) = try await apply("welcome-series.yaml")
        let report = try await simulate(run, document, ["trigger": ["data": ["firstName": "Ann"]]])
        try await run.happen("signed_up", ["firstName": "Ann"])
        try await run.happen("signed_up", ["firstName": "Ann"])
        #expect(try await run.subjects() == ["Welcome, Ann"])
        try await run.proceed(seconds: 2 * 86_400 - 1)
        #expect(try await run.subjects().count == 1, "not before two days are over")
        try await run.proceed(seconds: 1)
        #expect(try await run.subjects().last == "Three things to try first")
        try await run.proceed(seconds: 5 * 86_400)
        #expect(try await run.subjects() == ["Welcome, Ann", "Three things to try first", "More room for your team"])
        #expect(try await run.engine.executions("welcome-series").count == 1, "everybody is welcomed once")
        #expect(try await run.path(of: "welcome-series") == EngineRun.path(report))
        #expect(
            report.mails.map(\.subject) == ["Welcome, Ann", "Three things to try first", "More room for your team"])
    }

    @Test func welcomeSeriesOffersNothingToWhoHasAPlanAndNothingToWhoUnsubscribed() async throws {
        let (run, document) = try await apply("welcome-series.yaml")
        let report = try await simulate(
            run, document, ["events": [["event": "plan_chosen", "at": "+3d", "data": ["plan": "team"]]]])
        try await run.happen("signed_up")
        try await run.happen("signed_up", to: "bob@example.org")
        try await run.proceed(seconds: 86_400)
        try await run.engine.track("left", "bob@example.org", subscribed: false)
        try await run.proceed(seconds: 2 * 86_400)
        try await run.happen("plan_chosen", ["plan": "team"])
        try await run.proceed(seconds: 5 * 86_400)
        #expect(try await run.subjects() == ["Welcome", "Welcome", "Three things to try first"])
        let executions = try await run.engine.executions("welcome-series")
        #expect(Set(executions.map(\.exitReason)) == ["has a plan", nil])
        #expect(report.execution.exitReason == "has a plan")
    }

    // MARK: Inbound auto-reply

    @Test(arguments: [("PASS", "reply opened"), ("FAIL", "not answered"), ("DISABLED", "not answered")])
    func inboundAutoReplyAnswersCleanMailOnce(_ verdict: String, _ reason: String) async throws {
        let (run, document) = try await apply("inbound-auto-reply.yaml")
        let mail: JSONObject = [
            "spamVerdict": .string(verdict), "envelopeFrom": "ann@example.org", "to": "desk@example.com",
            "subject": "Question", "messageId": "q1@example.org", "fromName": "Ann",
        ]
        let report = try await simulate(
            run, document,
            ["trigger": ["data": .object(mail)], "events": [["event": "email.opened", "at": "+1h"]]])
        try await run.happen("email.received", mail)
        try await run.proceed(seconds: 3600)
        #expect(try await run.subjects() == (verdict == "PASS" ? ["Auto: Question"] : []))
        try await run.happen("email.opened")
        #expect(try await run.engine.executions("inbound-auto-reply").map(\.exitReason) == [reason])
        #expect(try await run.path(of: "inbound-auto-reply") == EngineRun.path(report))
        #expect(report.mails.map(\.subject) == (verdict == "PASS" ? ["Auto: Question"] : []))
        #expect(try await run.engine.contact()?.data["openedAutoReply"] == (verdict == "PASS" ? true : nil))
    }

    // MARK: Re-engagement

    @Test(arguments: [("email.opened", "engaged"), ("visited", "engaged"), ("slept", "dormant")])
    func reEngagementBranchesOnWhetherTheContactCameBack(_ event: String, _ reason: String) async throws {
        let (run, document) = try await apply("re-engagement.yaml")
        let report = try await simulate(run, document, ["events": [["event": .string(event), "at": "+3d"]]])
        try await run.happen("segment.active-users.exit")
        #expect(try await run.subjects() == ["Still there?"])
        try await run.proceed(seconds: 3 * 86_400)
        try await run.happen(event)
        try await run.proceed(seconds: 5 * 86_400)
        #expect(try await run.engine.executions("re-engagement").map(\.exitReason) == [reason])
        #expect(try await run.path(of: "re-engagement") == EngineRun.path(report))
        #expect(
            try await run.engine.contact()?.data["engagement"]
                == (reason == "engaged" ? "active" : "dormant"))
    }

    @Test func reEngagementTakesSomebodyAgainButNotTwiceAtOnce() async throws {
        let (run, _) = try await apply("re-engagement.yaml")
        try await run.happen("segment.active-users.exit")
        try await run.happen("segment.active-users.exit")
        #expect(try await run.engine.executions("re-engagement").count == 1)
        try await run.proceed(seconds: 8 * 86_400)
        try await run.happen("segment.active-users.exit")
        #expect(try await run.engine.executions("re-engagement").map(\.status) == [.exited, .waiting])
    }

    // MARK: Stop on reply

    /// An event of a mail of the contact's only run of a workflow.
    private func happenToOwnMail(
        _ run: EngineRun, _ workflow: String, _ event: String, _ data: JSONObject = [:]
    ) async throws {
        let execution = try #require(try await run.engine.executions(workflow).first)
        try await run.happen(event, data.merging(["executionId": .string("\(execution.id)")]))
    }

    @Test(arguments: [(Int64(0), 1), (4, 2), (20, 3)])
    func stopOnReplyWritesUntilSomebodyAnswers(_ day: Int64, _ mails: Int) async throws {
        let (run, document) = try await apply("stop-on-reply.yaml")
        let report = try await simulate(
            run, document,
            ["events": [["event": "email.replied", "at": .string("+\(day)d"), "data": ["strippedText": "Yes."]]]])
        try await run.happen("trial.started")
        try await run.proceed(seconds: day * 86_400)
        // Somebody else's mail, or another one.
        try await run.happen("email.replied", ["strippedText": "No."])
        try await happenToOwnMail(run, "stop-on-reply", "email.replied", ["strippedText": "Yes."])
        try await run.proceed(seconds: 30 * 86_400)
        #expect(try await run.subjects().count == mails)
        let isAnswered = mails < 3
        #expect(
            try await run.engine.executions("stop-on-reply").map(\.exitReason)
                == [isAnswered ? "answered" : "no answer"])
        #expect(try await run.engine.contact()?.data["lastAnswer"] == (isAnswered ? "Yes." : nil))
        #expect(try await run.path(of: "stop-on-reply") == EngineRun.path(report))
    }

    // MARK: Pause while away

    @Test(arguments: [true, false])
    func pauseWhileAwayWaitsForTheReturn(isDateKnown: Bool) async throws {
        let (run, document) = try await apply("pause-while-away.yaml")
        var answer: JSONObject = ["automatic": true, "replyKind": "out_of_office"]
        if isDateKnown { answer["until"] = .string("\(run.now.adding(seconds: 12 * 86_400))") }
        let report = try await simulate(
            run, document, ["events": [["event": "email.auto_replied", "at": "+1h", "data": .object(answer)]]])
        try await run.happen("proposal.sent")
        try await run.proceed(seconds: 3600)
        try await happenToOwnMail(run, "pause-while-away", "email.auto_replied", answer)
        try await run.proceed(seconds: 6 * 86_400)
        #expect(try await run.subjects() == ["Our proposal"])
        try await run.proceed(seconds: 6 * 86_400 - 3600 - 1)
        #expect(try await run.subjects().count == (isDateKnown ? 1 : 2))
        try await run.proceed(seconds: 61)
        #expect(try await run.subjects() == ["Our proposal", "Did you see our proposal?"])
        try await run.proceed(seconds: 8 * 86_400)
        #expect(try await run.engine.executions("pause-while-away").map(\.exitReason) == ["no answer"])
        #expect(try await run.path(of: "pause-while-away") == EngineRun.path(report))
    }

    @Test func pauseWhileAwayHearsWhoAnswersFromTheBeach() async throws {
        let (run, _) = try await apply("pause-while-away.yaml")
        try await run.happen("proposal.sent")
        try await happenToOwnMail(run, "pause-while-away", "email.auto_replied", ["automatic": true])
        try await run.proceed(seconds: 86_400)
        try await happenToOwnMail(run, "pause-while-away", "email.replied", ["automatic": false])
        try await run.proceed(seconds: 30 * 86_400)
        #expect(try await run.subjects() == ["Our proposal"])
        #expect(try await run.engine.executions("pause-while-away").map(\.exitReason) == ["answered"])
    }

    // MARK: Webhook fan-out

    @Test func webhookFanOutTellsTagsAndSendsTheReceipt() async throws {
        let (run, document) = try await apply("webhook-fan-out.yaml")
        let purchase: JSONObject = [
            "orderId": ["value": "A-17", "persistent": false], "total": ["value": "12.00", "persistent": false],
        ]
        let report = try await simulate(
            run, document,
            [
                "trigger": ["data": .object(purchase)],
                "webhooks": ["crm": ["status": 200, "body": ["customerId": "c-9"]]],
            ])
        run.receiver.answer([
            .answered(WebhookResponse(status: 200, body: Array(#"{"customerId":"c-9"}"#.utf8)))
        ])
        try await run.happen("purchase.completed", purchase)
        let call = try #require(run.receiver.calls.first)
        #expect(run.receiver.calls.count == 1 && call.method == "POST" && call.url.host == "crm.example.com")
        let sent = try JSONParser.parse(call.body ?? [])
        #expect(sent == ["email": "ann@example.org", "order": "A-17", "total": "12.00"])
        #expect(report.calls.first?.request.body == JSONWriter.write(sent))
        let contact = try #require(try await run.engine.contact())
        #expect(contact.data == ["tier": "customer", "customerId": "c-9"])
        #expect(report.contact.data == contact.data)
        #expect(try await run.subjects() == ["Your receipt for order A-17"])
        #expect(try await run.path(of: "webhook-fan-out") == EngineRun.path(report))
    }

    @Test func webhookFanOutFailsVisiblyAndSendsNothingWhenTheCRMRefuses() async throws {
        let (run, document) = try await apply("webhook-fan-out.yaml")
        let report = try await simulate(run, document, ["webhooks": ["crm": ["status": 422]]])
        run.receiver.answer([.answered(WebhookResponse(status: 422))])
        try await run.happen("purchase.completed", ["orderId": "A-18"])
        #expect(try await run.subjects().isEmpty)
        let execution = try #require(try await run.engine.executions("webhook-fan-out").first)
        #expect(execution.status == .failed && execution.exitReason == "answered 422")
        #expect(try await run.path(of: "webhook-fan-out") == EngineRun.path(report))
    }
}

/// A simulation tells what the engine then does, for any workflow and any course of events.
@Suite struct SimulationAgreementTests {
    @Test(arguments: 0..<120) func aSimulationTellsWhatTheEngineThenDoes(_ seed: Int) async throws {
        var random = RandomWorkflow(seed: seed &+ 1000)
        var json = random.document().objectValue ?? [:]
        json["enabled"] = true
        json["timers"] = nil
        // The event that starts it has no value for a key.
        json["reentryKey"] = nil
        let document = try WorkflowDocument(.object(json))
        let run = try await EngineRun()
        _ = try await Workflows(context: run.engine.context).apply(document)
        let start = run.now
        var events: [(name: String, at: Int64, data: JSONObject)] = []
        for _ in 0..<random.below(8) {
            let data: JSONObject = random.below(2) == 0 ? [:] : ["x": .string("n"), "plan": "pro"]
            events.append((random.below(2) == 0 ? "a" : "email.opened", Int64(random.below(3_000_000)), data))
        }
        events.sort { $0.at < $1.at }
        var answers: JSONObject = [:]
        for step in document.graph.steps where step.config.type == .webhook { answers[step.key] = ["body": [:]] }
        let report = try await Simulation(context: run.engine.context).run(
            try SimulationRequest(json: [
                "contact": ["email": "ann@example.org"], "startAt": .string("\(start)"), "horizon": "+200d",
                "webhooks": .object(answers),
                "events": .array(
                    events.map { ["event": .string($0.name), "at": .string("+\($0.at)s"), "data": .object($0.data)] }),
            ]), document: document)
        try await run.happen("go")
        for event in events {
            try await run.proceed(to: start.adding(seconds: event.at), inclusively: false)
            try await run.happen(event.name, event.data)
        }
        try await run.proceed(to: start.adding(seconds: 200 * 86_400))
        let path = try await run.path(of: "flow")
        #expect(path == EngineRun.path(report), "\(document.yaml)")
        // What comes after the end changes the contact too, and is no longer the run's matter.
        guard events.allSatisfy({ start.adding(seconds: $0.at) <= report.endedAt }) else { return }
        #expect(try await run.engine.contact()?.data == report.contact.data)
        #expect(try await run.engine.contact()?.isSubscribed == report.contact.isSubscribed)
    }
}
