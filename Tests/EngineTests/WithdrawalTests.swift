import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// A mail that was decided is looked at again right before it is sent.
@Suite struct WithdrawalTests {
    private func engine(kind: String) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: [
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "ad"], "next": "pause"],
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "days"]],
                ], templates: ["ad": ["type": .string(kind), "subject": "News", "text": "Hi"]]))
        try await engine.track("signed_up")
        return (engine, database)
    }

    private func sent(_ engine: EngineFixture) async throws -> Int {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent.count
    }

    @Test(arguments: [("MARKETING", 0), ("TRANSACTIONAL", 1)])
    func unsubscribingBeforeTheAttemptStopsMarketingMail(_ kind: String, _ count: Int) async throws {
        let (engine, database) = try await engine(kind: kind)
        _ = database
        try await engine.track("left", subscribed: false)
        #expect(try await sent(engine) == count)
        // It is not tried again when he comes back.
        try await engine.track("returned", subscribed: true)
        #expect(try await sent(engine) == 0)
    }

    /// Mail to the address that a contact had is mail to the contact.
    @Test func unsubscribingStopsMailToAFormerAddress() async throws {
        let (engine, database) = try await engine(kind: "MARKETING")
        _ = database
        let contacts = Contacts(context: engine.context, projectID: engine.project.id)
        let contact = try #require(try await engine.contact())
        _ = try await contacts.change(contact.id, .init(email: "ann@example.net"))
        _ = try await contacts.change(contact.id, .init(subscribed: false))
        #expect(try await sent(engine) == 0)
    }

    @Test func cancellingBeforeTheAttemptStopsTheMailAndAfterItChangesNothing() async throws {
        let (engine, database) = try await engine(kind: "TRANSACTIONAL")
        _ = database
        let execution = try #require(try await engine.executions().first)
        _ = try await Executions(context: engine.context).cancel(
            execution.id, of: execution.workflowID, project: engine.project.id)
        #expect(try await sent(engine) == 0)
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up", "ben@example.org")
        #expect(try await sent(engine) == 1)
        let other = try #require(try await engine.executions().last)
        _ = try await Executions(context: engine.context).cancel(
            other.id, of: other.workflowID, project: engine.project.id)
        #expect(try await sent(engine) == 0)
    }

    /// An answer that a person waits for overtakes a campaign, and the campaign goes on.
    @Test func answerOvertakesACampaign() async throws {
        let (engine, database) = try await engine(kind: "MARKETING")
        _ = database
        for number in 0..<40 { try await engine.track("signed_up", "c\(number)@example.org") }
        engine.clock.advance(seconds: 3600)
        try await engine.apply(
            document(
                event: "asked", slug: "answer",
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await engine.track("asked", "waiting@example.org")
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 4) }
        #expect(claimed.first?.request.recipient == "waiting@example.org")
        #expect(claimed.count == 4 && claimed.dropFirst().allSatisfy { $0.isBulk })
    }

    @Test(arguments: [(.bounce, 0), (.complaint, 0), (.manual, 0), (.unsubscribe, 1)] as [(Suppression.Reason, Int)])
    func aTestMailKeepsToSuppressionsToo(_ reason: Suppression.Reason, _ count: Int) async throws {
        let (engine, database) = try await engine(kind: "MARKETING")
        _ = database
        #expect(try await sent(engine) == 1)
        let (project, now) = (engine.project.id, engine.clock.now())
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let template = try #require(catalog.template("ad", in: project))
        try await engine.context.store.write {
            try $0.save(
                Suppression(projectID: project, address: "author@example.net", reason: reason, createdAt: now))
        }
        _ = try await Templates(context: engine.context, projectID: project).sendTest(
            template.id, to: "Author@example.net", PreviewRequest())
        #expect(try await sent(engine) == count)
    }
}

/// What is committed before a mail's attempt begins keeps it back; what comes later is said and changes nothing.
@Suite struct MailRaceTests {
    enum Withdrawal: String, CaseIterable, CustomTestStringConvertible {
        case bounce, reply, unsubscribe, cancel

        var testDescription: String { rawValue }

        /// Why the mail did not go.
        var reason: String {
            switch self {
            case .bounce: "suppressed: bounce"
            case .reply: "a reply came first"
            case .unsubscribe: "the contact has unsubscribed"
            case .cancel: "its execution was cancelled"
            }
        }
    }

    /// The first mail is out, the second is decided and waits to leave.
    private func stage() async throws -> ReturnStage {
        let wait: JSON = [
            "type": "WAIT_FOR_EVENT", "config": ["eventName": "email.replied", "timeout": 259_200],
            "next": ["event": "stop", "timeout": "stop"],
        ]
        let stage = try await ReturnStage(
            steps: [
                "first": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "pause"],
                "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "second"],
                "second": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "answer"],
                "answer": wait, "stop": ["type": "EXIT", "config": ["reason": "answered"]],
            ], templates: ["hello": ["type": "MARKETING", "subject": "Hello", "text": "Hi"]])
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.engine.runTimers()
        stage.engine.clock.advance(seconds: 1)
        return stage
    }

    private func withdraw(_ withdrawal: Withdrawal, _ stage: ReturnStage) async throws {
        switch withdrawal {
        case .bounce:
            await stage.receive(
                IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        case .reply: await stage.receive(IncomingText.answer(to: stage.replyAddress))
        case .unsubscribe:
            let token = stage.engine.context.tokens.token(.unsubscribe, for: stage.entry)
            _ = try await OptOuts(context: stage.engine.context).unsubscribe(token, reason: .oneClick)
        case .cancel:
            let execution = try #require(try await stage.engine.executions().first)
            _ = try await Executions(context: stage.engine.context).cancel(
                execution.id, of: execution.workflowID, project: stage.engine.project.id)
        }
    }

    @Test(arguments: Withdrawal.allCases)
    func whatComesBeforeTheAttemptKeepsTheMailBack(_ withdrawal: Withdrawal) async throws {
        let stage = try await stage()
        let now = stage.engine.clock.now()
        // Claimed, as by a loop that is about to send it.
        let entry = try #require(
            try await stage.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }.first)
        try await withdraw(withdrawal, stage)
        let transport = ScriptedTransport()
        await Dispatch(context: stage.engine.context, transport: transport).deliver(entry)
        #expect(transport.sent.isEmpty)
        let status = try await DirectMail(context: stage.engine.context).status(
            of: entry.id, project: stage.engine.project.id)
        #expect(status.state == "suppressed" && status.lastReply == withdrawal.reason)
    }

    /// A transport in whose hands the mail is when something happens.
    private struct InterruptedTransport: MailTransport {
        let concurrency = 1
        /// Whether it happens before the relay is ready for the message.
        let isEarly: Bool
        let happens: @Sendable () async throws -> Void

        func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
            do {
                if isEarly { try await happens() }
                guard await mail.isLetThrough() else { return .unknown(reason: "ended before the message") }
                if !isEarly { try await happens() }
            } catch {
                return .refused(reason: "\(error)")
            }
            return ScriptedTransport.accepted
        }

        func stop() {}
    }

    /// The relay took its time: connecting and greeting are no message yet.
    @Test(arguments: Withdrawal.allCases)
    func whatComesBeforeTheMessageItselfKeepsItBack(_ withdrawal: Withdrawal) async throws {
        let stage = try await stage()
        let now = stage.engine.clock.now()
        let entry = try #require(
            try await stage.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }.first)
        let transport = InterruptedTransport(isEarly: true) { try await withdraw(withdrawal, stage) }
        await Dispatch(context: stage.engine.context, transport: transport).deliver(entry)
        let status = try await DirectMail(context: stage.engine.context).status(
            of: entry.id, project: stage.engine.project.id)
        #expect(status.state == "suppressed" && status.lastReply == withdrawal.reason)
        #expect(try await stage.events("email.sent").allSatisfy { $0["emailId"] != .string("\(entry.id)") })
        #expect(try await stage.engine.counter("possible_duplicates") == 0)
    }

    @Test(arguments: Withdrawal.allCases)
    func whatComesDuringTheAttemptIsTooLateAndSaidSo(_ withdrawal: Withdrawal) async throws {
        let stage = try await stage()
        let now = stage.engine.clock.now()
        let entry = try #require(
            try await stage.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }.first)
        let transport = InterruptedTransport(isEarly: false) { try await withdraw(withdrawal, stage) }
        await Dispatch(context: stage.engine.context, transport: transport).deliver(entry)
        let sent = try #require(
            try await stage.events("email.sent").first { $0["emailId"] == .string("\(entry.id)") })
        #expect(sent["tooLateFor"]?.stringValue == withdrawal.reason)
        #expect(try await stage.engine.counter("withdrawals_too_late") == 1)
    }

    /// What is decided because of the reply is not what the reply keeps back.
    @Test func aMailThatAnswersTheReplyGoes() async throws {
        let stage = try await ReturnStage(
            steps: [
                "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "answer"],
                "answer": [
                    "type": "WAIT_FOR_EVENT", "config": ["eventName": "email.replied"], "next": ["event": "thanks"],
                ],
                "thanks": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
            ])
        await stage.receive(IncomingText.answer(to: stage.replyAddress))
        #expect(try await stage.leaving().count == 1)
    }

    /// A run that does not ask for replies sends what it has decided.
    @Test func aReplyThatNobodyWaitsForKeepsNothingBack() async throws {
        let stage = try await ReturnStage(
            steps: [
                "first": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "pause"],
                "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "days"], "next": "second"],
                "second": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
            ])
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.engine.runTimers()
        stage.engine.clock.advance(seconds: 1)
        await stage.receive(IncomingText.answer(to: stage.replyAddress))
        #expect(try await stage.events("email.replied").count == 1)
        #expect(try await stage.leaving().count == 1)
    }
}
