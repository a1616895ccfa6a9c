import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// What `email.received` holds is what Documentation/inbound.md and the description say.
@Suite struct PayloadTests {
    /// A member of the documented list.
    private struct Field: Hashable {
        var name: String
        var type: String
        var isAlways: Bool
    }

    private static func documented() throws -> [Field] {
        let page = APIDescription.file.deletingLastPathComponent().appending(path: "inbound.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let section = try #require(
            text.components(separatedBy: "## The event\n").last?.components(separatedBy: "\n## ").first)
        return section.split(separator: "\n").flatMap { line -> [Field] in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard line.hasPrefix("| `"), cells.count >= 4 else { return [] }
            return cells[0].split(separator: ",").map { name in
                Field(
                    name: name.trimmingCharacters(in: CharacterSet(charactersIn: " `")), type: cells[1],
                    isAlways: cells[2] == "always")
            }
        }
    }

    @Test func descriptionAndPageNameTheSameFields() throws {
        let schema = try #require(try APIDescription().root["components"]?["schemas"]?["EmailReceived"])
        let fields = try Self.documented()
        #expect(Set(schema["properties"]?.objectValue.map { Array($0.keys) } ?? []) == Set(fields.map(\.name)))
        let required = schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(Set(required) == Set(fields.filter(\.isAlways).map(\.name)))
    }

    /// Plunk's names, so that its workflows find what they look for.
    @Test func plunksFieldsAreAmongThem() throws {
        let plunk = [
            "messageId", "from", "fromHeader", "to", "subject", "timestamp", "recipients", "hasContent", "body",
            "spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict", "processingTimeMillis",
        ]
        #expect(Set(plunk).subtracting(try Self.documented().map(\.name)).isEmpty)
    }

    @Test func everyEventIsAsDocumentedAndEveryFieldIsSeen() async throws {
        let fields = try Self.documented()
        let events = try await Self.events()
        let schema = try #require(try APIDescription().root["components"]?["schemas"]?["EmailReceived"])
        var seen: Set<String> = []
        for event in events {
            #expect(Set(event.keys).subtracting(fields.map(\.name)).isEmpty, "not documented")
            #expect(Set(fields.filter(\.isAlways).map(\.name)).subtracting(event.keys).isEmpty, "missing")
            #expect(try APIDescription().problems(of: .object(event), schema) == [])
            seen.formUnion(event.keys)
        }
        // Those of mail that is about a mail of ours have stories of their own.
        let correlated: Set = [
            "emailId", "executionId", "matchedBy", "isVerified", "replyAddress", "rawMailId", "source",
        ]
        #expect(Set(fields.map(\.name)).subtracting(seen).subtracting(correlated) == [])
    }

    // MARK: Events

    /// The data of mails that together have everything.
    private static func events() async throws -> [JSONObject] {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        var configuration = Intake.Configuration()
        var route = InboundRoutes.Route(
            match: .recipient("help@example.com"), project: "default", disposition: .discard)
        route.spamMode = .mark
        var unknown = InboundRoutes.Route(match: .domain("other.example"), project: "default", disposition: .continue)
        unknown.isForUnknown = true
        configuration.routes = InboundRoutes([route], unknown: ["other.example": .event(unknown)])
        configuration.sources = PassiveSources([
            .rspamd(RspamdHeaders()), .authentication(services: ["mx.example.com"]), .clamAV(ClamAVHeaders()),
        ])
        let intake = Intake(context: engine.context, configuration: configuration)
        for mail in mails() {
            _ = await withCheckedContinuation { continuation in
                intake.receive(mail) { continuation.resume(returning: $0) }
            }
        }
        let project = engine.project.id
        return try await engine.context.store.read {
            try $0.newestEventData(of: "email.received", in: project, among: 100)
        }
    }

    private static func mails() -> [ReceivedMessage] {
        func mail(
            _ id: String, to recipient: String = "help+7@example.com", from sender: String = "ann@example.org",
            user: String? = nil, _ fields: [(String, String)] = [], body: String = "New.\r\n\r\n> Old.\r\n"
        ) -> ReceivedMessage {
            let own = [
                ("From", "Ann <ann@example.org>"), ("To", recipient), ("Subject", "Hi"), ("Message-ID", "<\(id)@x>"),
                ("Date", "Mon, 05 Jan 2026 09:00:00 +0000"), ("In-Reply-To", "<a@x>"), ("References", "<a@x> <b@x>"),
            ]
            return ReceivedMessage(
                queueID: "4Q1", clientAddress: "198.51.100.7", clientName: "mx.example.org", helo: "mx.example.org",
                authenticatedUser: user, reversePath: sender, recipients: [recipient],
                headers: (own + fields).map { HeaderField($0.0, " \($0.1)") }, body: Array(body.utf8))
        }
        let verdicts = [
            ("X-Rspamd-Action", "add header"), ("X-Rspamd-Action", "no action"),
            ("X-Spamd-Result", "default: False [7.50 / 15.00]"), ("X-Virus-Status", "Infected (Eicar)"),
            ("Authentication-Results", "mx.example.com; dkim=pass header.d=example.org; dmarc=fail (p=reject)"),
        ]
        let scored = [("X-Rspamd-Action", "add header"), ("X-Spamd-Result", "default: False [7.50 / 15.00]")]
        let report = """
            --b\r
            Content-Type: text/plain\r
            \r
            It could not be delivered.\r
            --b\r
            Content-Type: message/delivery-status\r
            \r
            Reporting-MTA: dns; mx.example.org\r
            \r
            Final-Recipient: rfc822; dead@example.org\r
            Action: failed\r
            Status: 5.1.1\r
            Diagnostic-Code: smtp; 550 5.1.1 no such user\r
            --b--\r

            """
        let complaint = """
            --b\r
            Content-Type: text/plain\r
            \r
            Abuse.\r
            --b\r
            Content-Type: message/feedback-report\r
            \r
            Feedback-Type: abuse\r
            User-Agent: X/1\r
            Version: 1\r
            --b\r
            Content-Type: message/rfc822\r
            \r
            From: a@example.com\r
            Message-ID: <orig@example.com>\r
            \r
            Hello\r
            --b--\r

            """
        return [
            mail("1", verdicts), mail("2", scored), mail("3", to: "x@other.example"), mail("4", user: "ann"),
            mail(
                "5", from: "",
                [
                    ("Content-Type", "multipart/report; report-type=delivery-status; boundary=b"),
                    ("MIME-Version", "1.0"),
                ],
                body: report),
            mail(
                "6",
                [
                    ("Content-Type", "multipart/report; report-type=feedback-report; boundary=b"),
                    ("MIME-Version", "1.0"),
                ],
                body: complaint),
            mail(
                "7", [("Auto-Submitted", "auto-replied"), ("Subject", "Out of office")],
                body: "I am out of the office until 12 January 2026.\r\n"),
            mail(
                "8", [("Content-Type", "multipart/mixed; boundary=b"), ("MIME-Version", "1.0")],
                body: "--b\r\n\r\nNo end\r\n"),
        ]
    }
}
