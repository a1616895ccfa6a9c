import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// One mail to ann that the relay has taken, and what comes back of it.
struct ReturnStage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    let intake: Intake
    let sent: OutgoingMail
    /// Its id.
    let entry: Identifier

    static let inbox = "desk@example.com"

    /// - Parameters:
    ///   - steps: of the workflow that sends it; by default it waits for an answer to its own mail.
    ///   - hasAddresses: mail bears addresses of its own for bounces and answers.
    init(
        steps: JSONObject = ReturnStage.steps, templates: JSONObject? = nil, hasAddresses: Bool = true,
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws {
        let (engine, database) = try await makeEngine { configuration in
            if hasAddresses {
                configuration.returnAddresses = ReturnAddresses(
                    .init(
                        returnPath: MailAddress.parse("bounce@mail.example.com"),
                        replies: MailAddress.parse("reply@mail.example.com")))
            }
            configure(&configuration)
        }
        self.engine = engine
        self.database = database
        let templates =
            templates ?? ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi", "html": "<p>Hi</p>"]]
        try await engine.apply(document(reentry: true, steps: steps, templates: templates))
        try await engine.track("signed_up", subscribed: true)
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        sent = try #require(transport.sent.first)
        let id = try #require(SentMail(sent).field("Message-ID"))
        entry = try #require(Identifier(String(id.dropFirst().prefix { $0 != "@" })))
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .recipient(Self.inbox), project: Project.defaultSlug, disposition: .continue)
        ])
        intake = Intake(context: engine.context, configuration: configuration)
    }

    static let steps: JSONObject = [
        "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "answer"],
        "answer": [
            "type": "WAIT_FOR_EVENT", "config": ["eventName": "email.replied", "ownMail": true, "timeout": 259_200],
            "next": ["event": "stop", "timeout": "again"],
        ],
        "stop": ["type": "EXIT", "config": ["reason": "answered"]],
        "again": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
    ]

    var messageID: String { SentMail(sent).field("Message-ID") ?? "" }
    var marker: String { SentMail(sent).field("X-Postrider-Delivery") ?? "" }
    /// Where its bounces go.
    var returnPath: String { sent.reversePath }
    /// Where it is answered.
    var replyAddress: String { SentMail(sent).field("Reply-To") ?? "" }

    @discardableResult
    func receive(_ message: ReceivedMessage) async -> Verdict {
        await withCheckedContinuation { continuation in
            intake.receive(message) { continuation.resume(returning: $0) }
        }
    }

    func events(_ name: String) async throws -> [JSONObject] {
        try await engine.context.store.read { [project = engine.project.id] in
            try $0.newestEventData(of: name, in: project, among: 200)
        }
    }

    func reasons(_ address: String = "ann@example.org") async throws -> [String] {
        try await Suppressions(context: engine.context).page(in: engine.project.id, address: address, limit: 10)
            .suppressions.map(\.reason.rawValue)
    }

    func reports() async throws -> [InboundReport] {
        try await InboundReports(context: engine.context).page(.init(projectID: engine.project.id, limit: 50)).reports
    }

    /// Mails that leave now.
    func leaving() async throws -> [OutgoingMail] {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent
    }
}

/// Reports and answers as others write them.
struct IncomingText {
    /// A delivery report (RFC 3464).
    /// - Parameters:
    ///   - recipients: the blocks of single recipients, each with its fields.
    ///   - header: the fields of the mail that comes back; nil leaves that part out.
    static func report(
        to address: String, recipients: [String], message: [String] = [], header: [String]?, id: String = "r1",
        isLocal: Bool = false
    ) -> ReceivedMessage {
        var lines = [
            "--b", "Content-Type: text/plain", "", "Your mail could not be delivered.", "", "--b",
            "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.net",
        ]
        lines += message + [""]
        for recipient in recipients { lines += recipient.split(separator: "\n").map(String.init) + [""] }
        lines += returned(header)
        return whole(to: address, type: "delivery-status", lines: lines, id: id, isLocal: isLocal)
    }

    static func failed(
        _ address: String = "ann@example.org", _ status: String = "5.1.1",
        _ text: String = "550 5.1.1 User unknown", action: String = "failed"
    ) -> String {
        "Final-Recipient: rfc822; \(address)\nAction: \(action)\nStatus: \(status)\nDiagnostic-Code: smtp; \(text)"
    }

    /// A complaint (RFC 5965).
    static func complaint(
        to address: String, type: String = "abuse", fields: [String] = [], header: [String]?, id: String = "c1"
    ) -> ReceivedMessage {
        var lines = [
            "--b", "Content-Type: text/plain", "", "This is an abuse report.", "", "--b",
            "Content-Type: message/feedback-report", "", "Feedback-Type: \(type)", "User-Agent: Loop/1.0",
            "Version: 1",
        ]
        lines += fields + [""] + returned(header)
        return whole(to: address, type: "feedback-report", lines: lines, id: id, sender: "fbl@provider.example")
    }

    private static func returned(_ header: [String]?) -> [String] {
        guard let header else { return ["--b--", ""] }
        return ["--b", "Content-Type: message/rfc822", ""] + header + ["", "Hi", "--b--", ""]
    }

    private static func whole(
        to address: String, type: String, lines: [String], id: String, sender: String = "", isLocal: Bool = false
    ) -> ReceivedMessage {
        ReceivedMessage(
            queueID: "4R\(id)", clientAddress: isLocal ? "127.0.0.1" : "198.51.100.7", reversePath: sender,
            recipients: [address], isInternal: isLocal,
            headers: [
                HeaderField("From", sender.isEmpty ? "MAILER-DAEMON@mx.example.net" : sender),
                HeaderField("To", address), HeaderField("Message-ID", "<\(id)@mx.example.net>"),
                HeaderField("Subject", "Report"), HeaderField("MIME-Version", "1.0"),
                HeaderField("Content-Type", "multipart/report; report-type=\(type); boundary=b"),
            ], body: Array(lines.joined(separator: "\r\n").utf8))
    }

    /// What a person, or a program for him, writes.
    static func answer(
        to address: String, from sender: String = "ann@example.org", inReplyTo: String? = nil, id: String = "a1",
        subject: String = "Re: Hello", text: String = "Yes please.\r\n\r\n> Hi\r\n", extra: [HeaderField] = [],
        reversePath: String? = nil
    ) -> ReceivedMessage {
        var headers = [
            HeaderField("From", "Ann <\(sender)>"), HeaderField("To", address), HeaderField("Subject", subject),
            HeaderField("Message-ID", "<\(id)@example.org>"), HeaderField("Date", "Mon, 05 Jan 2026 09:00:00 +0000"),
        ]
        if let inReplyTo { headers.append(HeaderField("In-Reply-To", inReplyTo)) }
        return ReceivedMessage(
            queueID: "4A\(id)", clientAddress: "198.51.100.7", reversePath: reversePath ?? sender,
            recipients: [address], headers: headers + extra, body: Array(text.utf8))
    }
}
