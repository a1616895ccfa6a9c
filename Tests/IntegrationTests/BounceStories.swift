import JSONValue
import ServerTestKit
import Testing

/// Mail that comes back through a real Postfix: what it says of the mail's address is believed and acted on, once.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct BounceStories {
    /// Where bounces and answers come to.
    private static let domain = "mail.test.example"
    private static let returns = """
        returns:
          bounce_address: bounce@mail.test.example
          reply_address: reply@mail.test.example

        """

    /// Writes to whoever signs up, and waits for an answer.
    private static let hello = StoryWorkflow(
        "hello", on: "signed_up",
        steps: """
              signed-up: {type: TRIGGER, next: mail}
              mail: {type: SEND_EMAIL, config: {template: hello}, next: answer}
              answer:
                type: WAIT_FOR_EVENT
                config: {eventName: email.replied, ownMail: true, timeout: 604800}
                next: {event: done, timeout: silent}
              done: {type: EXIT, config: {reason: answered}}
              silent: {type: EXIT, config: {reason: silent}}
            """)

    /// A site with a domain whose mailboxes Postfix delivers to itself, and one for what comes back.
    private func site(relayPort: UInt16? = nil, settings: String = returns) async throws -> StorySite {
        let story = try await StorySite(
            relayPort: relayPort, workflows: [Self.hello, .note("email.bounced", slug: "bounced")], settings: settings)
        try await story.site.postfix.reconfigure { configuration in
            configuration.domains.append(Self.domain)
            configuration.parameters["recipient_delimiter"] = "+"
            configuration.parameters["virtual_mailbox_domains"] = "local.test.example"
            configuration.parameters["virtual_mailbox_maps"] = "inline:{ real@local.test.example=real/ }"
            configuration.parameters["virtual_mailbox_base"] = "/nonexistent"
            configuration.parameters["virtual_mailbox_limit"] = "0"
            configuration.parameters["smtpd_reject_unlisted_recipient"] = "no"
        }
        return story
    }

    /// Waits until mail to the address has bounced, and gives what is known of it.
    private func bounce(
        of address: String, _ daemon: RunningDaemon, _ story: StorySite
    ) async throws -> (report: JSON, mail: JSON) {
        let noted: JSON
        do {
            noted = try await daemon.waitForExecution(of: "bounced", contact: address, status: "EXITED")
        } catch let error as FixtureError {
            let log = story.site.postfix.logLines().suffix(30).joined(separator: "\n")
            throw FixtureError(error.code, "\(error.explanation)\n\(log)")
        }
        #expect(noted["exitReason"]?.stringValue == "noted")
        let report = try #require(try await daemon.api("/inbound/reports?email=\(address)")["data"]?.arrayValue?.first)
        let id = try #require(report["emailId"]?.stringValue)
        return (report, try #require(try await daemon.api("/v1/emails/\(id)")["data"]))
    }

    private func suppressions(of address: String, _ daemon: RunningDaemon) async throws -> [String] {
        try await daemon.api("/suppressions?email=\(address)")["data"]?.arrayValue?
            .compactMap { $0["reason"]?.stringValue } ?? []
    }

    // MARK: Postfix's own bounces

    @Test func aMailboxThatPostfixDoesNotKnowIsSuppressedByItsOwnBounce() async throws {
        let story = try await site()
        let daemon = try await story.start()
        let address = "gone@local.test.example"
        // Before the daemon listened, Postfix greeted and could not ask anybody.
        let start = story.site.postfix.logLines().count
        _ = try await daemon.track("signed_up", address)
        let (report, mail) = try await bounce(of: address, daemon, story)
        #expect(report["matchedBy"]?.stringValue == "return_path" && report["isVerified"]?.boolValue == true)
        #expect(report["details"]?["status"]?.stringValue == "5.1.1", "\(report)")
        #expect(mail["status"]?.stringValue == "bounced" && mail["bouncedAt"]?.stringValue != nil)
        #expect(mail["bounce"]?["reason"]?.stringValue == "user_unknown", "\(mail)")
        #expect(try await suppressions(of: address, daemon) == ["bounce"])
        // The bounce went through the milter as mail without a client, and was let through.
        #expect(story.site.postfix.logLines().dropFirst(start).allSatisfy { !$0.contains("milter-reject") })
        // Nothing more is sent there.
        _ = try await daemon.track("signed_up", address)
        try await daemon.waitUntilSettled()
        #expect(try await daemon.executions(of: "bounced", contact: address).count == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func whatAnotherServerRefusesComesBackAsPostfixsBounce() async throws {
        let remote = try StoryRelay()
        remote.answer(at: .recipient, ["550 5.1.1 <gone@elsewhere.example>: Recipient address rejected: User unknown"])
        let story = try await site()
        let port = remote.port
        try await story.site.postfix.reconfigure { $0.delivery = .relay(port: port) }
        let daemon = try await story.start()
        let address = "gone@elsewhere.example"
        _ = try await daemon.track("signed_up", address)
        let (report, mail) = try await bounce(of: address, daemon, story)
        #expect(report["details"]?["replyCode"]?.intValue == 550, "\(report)")
        #expect(mail["status"]?.stringValue == "bounced")
        #expect(try await suppressions(of: address, daemon) == ["bounce"])
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aRefusalOfTheContentSuppressesNobody() async throws {
        let remote = try StoryRelay()
        remote.answer(at: .content, ["554 5.7.1 Message rejected: spam content detected"])
        let story = try await site()
        let port = remote.port
        try await story.site.postfix.reconfigure { $0.delivery = .relay(port: port) }
        let daemon = try await story.start()
        let address = "ann@elsewhere.example"
        _ = try await daemon.track("signed_up", address)
        let (_, mail) = try await bounce(of: address, daemon, story)
        #expect(mail["bounce"]?["bounceType"]?.stringValue == "policy", "\(mail)")
        #expect(try await suppressions(of: address, daemon).isEmpty)
        #expect(try await daemon.counter("bounces_policy") == 1)
        try await daemon.process.waitForLine(containing: "mail refused by policy")
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Without addresses of its own for bounces they go to From, which is a route here.
    @Test func aBounceToFromIsKnownByTheReturnedHeader() async throws {
        let story = try await site(settings: "")
        let daemon = try await story.start()
        let address = "gone@local.test.example"
        _ = try await daemon.track("signed_up", address)
        let (report, _) = try await bounce(of: address, daemon, story)
        // The relay's queue id is asked for first; the bounce may be faster than our note of it.
        #expect(["queue_id", "marker"].contains(report["matchedBy"]?.stringValue))
        #expect(try await suppressions(of: address, daemon) == ["bounce"])
        try await daemon.process.terminate()
        try await story.stop()
    }

    // MARK: From outside

    private static func report(to returnPath: String, about address: String, id: String = "r1") -> String {
        """
        From: MAILER-DAEMON@mx.elsewhere.example
        To: \(returnPath)
        Subject: Undelivered Mail Returned to Sender
        Message-ID: <\(id)@mx.elsewhere.example>
        Date: Mon, 05 Jan 2026 09:00:00 +0000
        MIME-Version: 1.0
        Auto-Submitted: auto-replied
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        Sorry.

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.elsewhere.example

        Final-Recipient: rfc822; \(address)
        Action: failed
        Status: 5.1.1
        Diagnostic-Code: smtp; 550 5.1.1 User unknown

        --b--

        """
    }

    @Test func aForgedReportFromOutsideIsShownAndNotBelieved() async throws {
        let relay = try StoryRelay()
        let story = try await site(relayPort: relay.port)
        let daemon = try await story.start()
        let address = "ann@elsewhere.example"
        _ = try await daemon.track("signed_up", address)
        try await relay.waitForMessages(to: address)
        let forged = "bounce+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@\(Self.domain)"
        try await story.deliver(from: "", to: [forged], Self.report(to: forged, about: address))
        let report: JSON = try await eventualValue("the report is listed", deadline: .seconds(10)) {
            try await daemon.api("/inbound/reports?verified=false")["data"]?.arrayValue?.first
        }
        #expect(report["email"]?.stringValue == address && report["outcome"]?.stringValue == "unknown")
        #expect(try await suppressions(of: address, daemon).isEmpty)
        #expect(try await daemon.executions(of: "bounced").isEmpty)
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// The message, the event and the suppression are one transaction: killed before it, the sender tries again and nothing is
    /// there; killed after it, all of it is.
    @Test func aDaemonThatDiesWithABounceInItsHandsLosesAndRepeatsNothing() async throws {
        let relay = try StoryRelay()
        let story = try await site(relayPort: relay.port)
        let first = try await story.start()
        let address = "ann@elsewhere.example"
        _ = try await first.track("signed_up", address)
        try await relay.waitForMessages(to: address)
        try await first.waitUntilSettled()
        let returnPath = try #require(relay.messages(to: address).first?.reversePath)
        let text = Self.report(to: returnPath, about: address)

        let client = try await story.site.connectStranger()
        for command in ["MAIL FROM:<>", "RCPT TO:<\(returnPath)>", "DATA"] {
            let reply = try await client.command(command)
            try #require(reply.isPositive, "\(command): \(reply)")
        }
        try await client.send(SMTPClient.wireBytes(text))
        try await first.process.freeze()
        try await client.send(Array(".\r\n".utf8))
        try await first.process.kill()
        let reply = try await client.reply()
        client.hangUp()
        #expect((400...499).contains(reply.code), "\(reply)")

        let second = try await story.start()
        #expect(try await suppressions(of: address, second).isEmpty)
        #expect(try await second.executions(of: "bounced").isEmpty)
        try await story.deliver(from: "", to: [returnPath], text)
        try await second.process.kill()

        let third = try await story.start()
        #expect(try await suppressions(of: address, third) == ["bounce"])
        try await story.deliver(from: "", to: [returnPath], text)
        _ = try await bounce(of: address, third, story)
        #expect(try await third.executions(of: "bounced", contact: address).count == 1)
        #expect(try await third.api("/inbound/reports")["data"]?.arrayValue?.count == 1)
        try await third.process.terminate()
        try await story.stop()
    }

    // MARK: On the way out

    @Test func whoIsSuppressedWhileTheRelayHesitatesGetsNoMail() async throws {
        let relay = try StoryRelay()
        let story = try await site(relayPort: relay.port)
        let daemon = try await story.start()
        let address = "ann@elsewhere.example"
        relay.hold(at: .recipient)
        _ = try await daemon.track("signed_up", address)
        try await relay.waitUntilHeld()
        let body: JSON = ["email": .string(address)]
        let answer = try await daemon.http.post(
            "/suppressions", fields: [("Authorization", "Bearer \(daemon.key)"), ("Content-Type", "application/json")],
            JSONWriter.bytes(body))
        #expect(answer.status == 201)
        relay.release()
        try await daemon.process.waitForLine(containing: "mail suppressed")
        try await daemon.waitUntilSettled()
        // The next one goes; of the first nothing has come.
        _ = try await daemon.track("signed_up", "ben@elsewhere.example")
        try await relay.waitForMessages(to: "ben@elsewhere.example")
        #expect(relay.messages(to: address).isEmpty)
        #expect(try await daemon.counter("possible_duplicates") == 0)
        try await daemon.process.terminate()
        try await story.stop()
    }

    // MARK: Answers

    @Test(arguments: [true, false])
    func anAnswerThroughPostfixEndsTheSequence(byAddress: Bool) async throws {
        let relay = try StoryRelay()
        let story = try await site(relayPort: relay.port)
        let daemon = try await story.start()
        let address = "ann@sender.example"
        _ = try await daemon.track("signed_up", address)
        let mail = try #require(try await relay.waitForMessages(to: address).first)
        let replyTo = StoryMail.field("Reply-To", of: mail.text)
        #expect(replyTo.hasPrefix("reply+"))
        let text = StoryMail.text(
            from: address, to: byAddress ? replyTo : Site.inbox,
            fields: byAddress ? [] : ["In-Reply-To: \(mail.messageID)"], body: "Gladly.\n\n> Thank you.")
        try await story.deliver(from: address, to: [byAddress ? replyTo : Site.inbox], text)
        let execution = try await daemon.waitForExecution(of: "hello", contact: address, status: "EXITED")
        #expect(execution["exitReason"]?.stringValue == "answered")
        #expect(execution["context"]?["strippedText"]?.stringValue == "Gladly.", "\(execution)")
        // A person's mail goes on to whoever reads that mailbox.
        let id = "1-\(address)"
        try await eventually("the mail is passed on", deadline: .seconds(10)) {
            try await story.site.sink.messages().contains { $0.text.contains(id) }
        }
        try await daemon.process.terminate()
        try await story.stop()
    }
}
