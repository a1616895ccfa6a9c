import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// An installation that answers everybody, and what comes in there.
struct ReplyStage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    let intake: Intake

    /// - Parameters:
    ///   - templates: every mail is answered with each of them.
    ///   - answersBlindCopies: of the route.
    init(
        templates: [String] = ["reply"], answersBlindCopies: Bool = false, database: TemporaryDatabase? = nil,
        clock: VirtualClock = VirtualClock(), _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws {
        self.database = try database ?? TemporaryDatabase()
        let store = try SQLiteStore(path: self.database.path, exclusively: false)
        engine = try await EngineFixture(
            store: store, clock: clock, seed: database == nil ? 1 : 2, configure: configure)
        var steps: JSONObject = [:]
        for (index, template) in templates.enumerated() {
            var step: JSONObject = ["type": "SEND_EMAIL", "config": ["template": .string(template)]]
            if index + 1 < templates.count { step["next"] = .string("step-\(templates[index + 1])") }
            steps["step-\(template)"] = .object(step)
        }
        var contents: JSONObject = [:]
        for template in templates {
            contents[template] = [
                "type": "TRANSACTIONAL", "subject": "Re: {{ event.subject }}",
                "html": "<body><p>Thanks <a href='https://example.com/'>us</a></p></body>",
            ]
        }
        try await engine.apply(
            document(event: "email.received", reentry: true, steps: steps, templates: contents))
        var configuration = Intake.Configuration()
        var route = InboundRoutes.Route(
            match: .recipient("help@example.com"), project: "default", disposition: .continue)
        route.replies.answersBlindCopies = answersBlindCopies
        configuration.routes = InboundRoutes([
            route, .init(match: .domain("all.example.com"), project: "default", disposition: .continue),
        ])
        configuration.sources = PassiveSources([
            .rspamd(RspamdHeaders(trustedServices: ["mx.example.com"], virusSymbols: ["CLAM_VIRUS"]))
        ])
        intake = Intake(context: engine.context, configuration: configuration)
    }

    /// A mail of a person, but for what the test changes of it. No two are the same.
    func mail(
        from sender: String = "ann@example.org", to recipient: String = "help@example.com",
        header: [(String, String)] = [], body: String = "When are you open?\r\n",
        without omitted: Set<String> = [], _ change: (inout ReceivedMessage) -> Void = { _ in }
    ) -> ReceivedMessage {
        let number = engine.context.identifiers.make(at: engine.clock.now())
        let usual = [
            ("From", "Ann <\(sender)>"), ("To", recipient), ("Subject", "Opening hours"),
            ("Message-ID", "<m-\(number)@mail.example.org>"), ("Date", "Mon, 05 Jan 2026 09:00:00 +0000"),
        ]
        let given = Set(header.map { $0.0.lowercased() })
        let fields = usual.filter { !given.contains($0.0.lowercased()) && !omitted.contains($0.0) } + header
        var message = ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", clientName: "mx.example.org", helo: "mx.example.org",
            reversePath: sender, recipients: [recipient], headers: fields.map { HeaderField($0.0, $0.1) },
            body: Array(body.utf8))
        change(&message)
        return message
    }

    /// Receives a mail and says what became of each reply to it: nil for one in the outbox, otherwise the reason.
    @discardableResult
    func answers(to mail: ReceivedMessage) async throws -> [String?] {
        // Those of one moment come in no order.
        let before = Set(try await engine.executions().map(\.id))
        let verdict = await withCheckedContinuation { continuation in
            intake.receive(mail) { continuation.resume(returning: $0) }
        }
        #expect(verdict == .continue)
        let new = try await engine.executions().filter { !before.contains($0.id) }
        let execution = try #require(new.count == 1 ? new.first : nil)
        return try await engine.steps(of: execution).filter { $0.type == .sendEmail }.map { step in
            guard step.output["skipped"] != nil else { return nil }
            #expect(step.output["skipped"] == "reply_refused")
            return step.output["reason"]?.stringValue ?? "?"
        }
    }

    /// The reason against the one reply; nil when it is in the outbox. A refusal is counted by its reason.
    func refusal(of mail: ReceivedMessage) async throws -> String? {
        let counted = try await refusals()
        let answers = try await answers(to: mail)
        try #require(answers.count == 1)
        guard let reason = answers[0] else {
            #expect(try await refusals() == counted)
            return nil
        }
        #expect(try await engine.counter("replies_refused") == (counted["replies_refused"] ?? 0) + 1)
        let own = "replies_refused_\(reason)"
        #expect(try await engine.counter(own) == (counted[own] ?? 0) + 1)
        return reason
    }

    private func refusals() async throws -> [String: Int] {
        try await engine.context.store.read { try $0.counters().filter { $0.key.hasPrefix("replies_refused") } }
    }

    /// The mails that leave now.
    func sent() async throws -> [OutgoingMail] {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent
    }
}
