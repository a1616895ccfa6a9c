import JSONValue
import ServerTestKit
import Testing

/// Addresses outside ASCII on a whole way through a real Postfix (RFC 6531), and where a server on it does not take them.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct InternationalStories {
    private static let address = "δοκιμή@example.org"
    private static let returns = "returns:\n  bounce_address: bounce@mail.test.example\n"
    private static let settings = DeliveryLogStories.settings + returns

    /// A site whose Postfix keeps the mail for some domains in mailboxes of its own.
    private func site(offersSMTPUTF8: Bool = true, settings: String = settings) async throws -> StorySite {
        let story = try await StorySite(
            relayPort: nil,
            workflows: [
                DeliveryLogStories.welcome, .answer, .note("email.failed", slug: "failed"),
                .note("email.delivered", slug: "delivered"), .note("email.bounced", slug: "bounced"),
            ], settings: settings)
        try await story.site.postfix.reconfigure { configuration in
            configuration.domains += ["example.org", "xn--bcher-kva.example"]
            configuration.delivery = .maildir
            configuration.parameters["recipient_delimiter"] = "+"
            configuration.parameters["smtputf8_enable"] = offersSMTPUTF8 ? "yes" : "no"
        }
        return story
    }

    private func mails(_ story: StorySite, to address: String) async throws -> [String] {
        try await story.site.postfix.inbox().filter { StoryMail.field("To", of: $0).contains(address) }
    }

    @Test func aContactGetsItsWorkflowsMail() async throws {
        let story = try await site()
        let daemon = try await story.start()
        #expect(try await daemon.track("signup", Self.address) == 200)
        // Another form of the domain and of the letters, which is one contact.
        #expect(try await daemon.track("signup", "Re\u{301}ne@Bücher.example") == 200)
        #expect(try await daemon.track("seen", "r\u{e9}ne@xn--bcher-kva.example") == 200)
        for wire in [Self.address, "r\u{e9}ne@xn--bcher-kva.example"] {
            try await eventually("mail to \(wire)", deadline: .seconds(25)) {
                try await !mails(story, to: wire).isEmpty
            }
            let text = try #require(try await mails(story, to: wire).first)
            #expect(
                StoryMail.field("Delivered-To", of: text) == wire || StoryMail.field("X-Original-To", of: text) == wire)
            #expect(StoryMail.field("To", of: text) == wire)
            #expect(StoryMail.field("Return-Path", of: text).hasPrefix("<bounce+"), "\(text)")
            #expect(text.contains("with UTF8SMTP"), "\(text)")
            // Postfix showed it to the milter, and its log tells what became of it.
            try await daemon.waitForExecution(of: "delivered", contact: wire, status: "EXITED")
        }
        #expect(try await daemon.counter("relay_delivered") == 2)
        try await daemon.waitUntilSettled()
        let contacts = try await daemon.api("/contacts?search=bcher-kva")["data"]?.arrayValue ?? []
        #expect(contacts.map { $0["email"]?.stringValue } == ["r\u{e9}ne@xn--bcher-kva.example"])
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aRelayThatDoesNotOfferItIsSaidSo() async throws {
        let story = try await site(offersSMTPUTF8: false)
        let daemon = try await story.start()
        #expect(try await daemon.track("signup", Self.address) == 200)
        try await daemon.waitForExecution(of: "failed", contact: Self.address, status: "EXITED")
        let line = try await daemon.process.waitForLine(containing: "mail failed")
        #expect(line.text.contains("5.6.7") && line.text.contains("smtputf8_enable = yes"), "\(line.text)")
        #expect(line.text.contains("attempt=1"))
        // Everybody else's mail goes over the same relay.
        #expect(try await daemon.track("signup", "ann@example.org") == 200)
        try await eventually("the other mail") { try await !mails(story, to: "ann@example.org").isEmpty }
        #expect(try await mails(story, to: Self.address).isEmpty)
        let found = try await daemon.api("/contacts?search=example.org")["data"]?.arrayValue ?? []
        #expect(found.count == 2, "the contact stays")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func anotherRelayThatOffersItGetsTheMail() async throws {
        let (plain, other) = (try StoryRelay(), try StoryRelay())
        other.answer(at: .hello, Array(repeating: "250-relay.example\r\n250-8BITMIME\r\n250 SMTPUTF8", count: 20))
        let site = try await BareSite(
            workflows: [DeliveryLogStories.welcome],
            settings: """
                relays:
                  - {name: main, host: 127.0.0.1, port: \(plain.port)}
                  - {name: spare, host: 127.0.0.1, port: \(other.port), backup: true}

                """)
        let daemon = try await site.start()
        for address in [Self.address, "ann@example.org", "r\u{e9}ne@example.org"] {
            #expect(try await daemon.track("signup", address) == 200)
        }
        try await plain.waitForMessages(to: "ann@example.org")
        try await other.waitForMessages(to: Self.address)
        try await other.waitForMessages(to: "r\u{e9}ne@example.org")
        try await daemon.waitUntilSettled()
        #expect(plain.messages.count == 1 && plain.attempts == 1 && other.messages.count == 2)
        #expect(try await daemon.health()["relay.main"]?["failures"]?.intValue == 0)
        try await daemon.process.terminate()
    }

    @Test func aSenderOutsideASCIIIsAnswered() async throws {
        let story = try await site()
        let daemon = try await story.start()
        let client = try await story.site.connectStranger()
        defer { client.hangUp() }
        let delivery = try await client.deliver(
            from: Self.address, to: [Site.inbox],
            SMTPClient.wireBytes(StoryMail.text(from: Self.address, id: "1@example.org")),
            parameters: "SMTPUTF8")
        #expect(delivery.final.code == 250, "\(delivery.final)")
        try await eventually("the answer", deadline: .seconds(25)) {
            try await !mails(story, to: Self.address).isEmpty
        }
        let text = try #require(try await mails(story, to: Self.address).first)
        #expect(StoryMail.field("In-Reply-To", of: text) == "<1@example.org>")
        #expect(StoryMail.field("Auto-Submitted", of: text) == "auto-replied")
        #expect(StoryMail.field("From", of: text) == Site.inbox)
        try await daemon.waitForExecution(of: "answer", contact: Self.address, status: "EXITED")
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// The relay takes the mail, and the server after it does not offer it: Postfix reports that in UTF-8 (RFC 6533).
    @Test func aServerBehindTheRelayWithoutItBouncesTheMail() async throws {
        let story = try await site(settings: Self.returns)
        let remote = try StoryRelay()
        let port = remote.port
        try await story.site.postfix.reconfigure { configuration in
            configuration.delivery = .relay(port: port)
            configuration.domains.append("mail.test.example")
        }
        let daemon = try await story.start()
        #expect(try await daemon.track("signup", Self.address) == 200)
        try await daemon.waitForExecution(of: "bounced", contact: Self.address, status: "EXITED")
        let report = try #require(
            try await daemon.api("/inbound/reports")["data"]?.arrayValue?.first)
        #expect(report["matchedBy"]?.stringValue == "return_path" && report["isVerified"]?.boolValue == true)
        #expect(report["details"]?["status"]?.stringValue == "5.6.7", "\(report)")
        let found = try await daemon.api("/suppressions")["data"]?.arrayValue ?? []
        #expect(found.isEmpty, "it is nothing about the address: \(found)")
        #expect(remote.messages.isEmpty)
        try await daemon.process.terminate()
        try await story.stop()
    }
}
