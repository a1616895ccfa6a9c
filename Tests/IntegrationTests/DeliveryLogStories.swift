import JSONValue
import ServerTestKit
import Testing

/// The log of a real Postfix is followed: what became of mail is seen without a bounce, and mail that came in past the
/// daemon is found.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct DeliveryLogStories {
    /// Writes to whoever signs up.
    static let welcome = StoryWorkflow(
        "welcome", on: "signup",
        steps: """
              signed-up: {type: TRIGGER, next: mail}
              mail: {type: SEND_EMAIL, config: {template: welcome}, next: done}
              done: {type: EXIT, config: {reason: written}}
            """)

    /// Proof is waited for no longer than a story likes to wait that has none.
    static let settings = settings(proofWait: "3s")

    /// Paths beside the daemon's configuration.
    static func settings(proofWait: String) -> String {
        """
        postfix:
          log: postfix/mail.log
          config_directory: postfix/etc
          proof_wait: \(proofWait)

        """
    }

    @Test func theFateOfEachMailIsSeenThroughRestartAndRotation() async throws {
        let story = try await StorySite(
            relayPort: nil,
            workflows: [
                Self.welcome, .note("email.delivered", slug: "delivered"), .note("email.bounced", slug: "bounced"),
            ],
            settings: Self.settings)
        let postfix = story.site.postfix
        try await postfix.reconfigure {
            $0.undeliverable = ["ben@customer.example": "4.3.0 not now", "eve@customer.example": "5.1.1 no such user"]
            // The rotated file stays as it is.
            $0.parameters["maillog_file_compressor"] = "/bin/true"
        }
        let first = try await story.start()
        for name in ["ann", "ben", "eve"] {
            #expect(try await first.track("signup", "\(name)@customer.example") == 200)
        }

        let ann = try await first.waitForDelivery(to: "ann@customer.example", "delivered")
        #expect(ann["relay"]?.stringValue?.hasPrefix("127.0.0.1[127.0.0.1]") == true, "\(ann)")
        #expect(ann["reply"]?.stringValue?.hasPrefix("250 ") == true && ann["enhancedCode"]?.stringValue == "2.0.0")
        let eve = try await first.waitForDelivery(to: "eve@customer.example", "bounced")
        #expect(eve["reply"]?.stringValue == "no such user" && eve["enhancedCode"]?.stringValue == "5.1.1")
        let ben = try await first.waitForDelivery(to: "ben@customer.example", "deferred")
        #expect(ben["reply"]?.stringValue == "not now")
        try await first.waitForExecution(of: "delivered", contact: "ann@customer.example", status: "EXITED")
        try await first.waitForExecution(of: "bounced", contact: "eve@customer.example", status: "EXITED")
        #expect(try await first.executions(of: "bounced").count == 1, "a deferral is no event")

        // The log goes on without anybody who reads it, and is rotated meanwhile.
        try await first.process.kill()
        try await postfix.rotateLog()
        try await postfix.reconfigure { $0.undeliverable = [:] }
        try await eventually("the deferred mail arrives") {
            try await !story.site.mailbox("ben@customer.example").isEmpty
        }
        let second = try await story.start()
        try await second.waitForDelivery(to: "ben@customer.example", "delivered")
        try await second.waitForExecution(of: "delivered", contact: "ben@customer.example", status: "EXITED")
        #expect(try await second.executions(of: "delivered").count == 2)
        #expect(try await second.counter("log_losses") == 0)
        #expect(try await second.counter("relay_delivered") == 2)
        #expect(try await second.counter("relay_bounced") == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    /// Postfix writes a bounce of what its log says, too.
    @Test func logAndReportOfOneFailureAreOneBounce() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.welcome, .note("email.bounced", slug: "bounced")],
            routes: ["domain: mail.test.example"],
            settings: Self.settings + "returns:\n  bounce_address: bounce@mail.test.example\n")
        try await story.site.postfix.reconfigure {
            $0.domains.append("mail.test.example")
            $0.parameters["recipient_delimiter"] = "+"
            $0.undeliverable = ["eve@customer.example": "5.1.1 no such user"]
        }
        let daemon = try await story.start()
        #expect(try await daemon.track("signup", "eve@customer.example") == 200)
        try await daemon.waitForDelivery(to: "eve@customer.example", "bounced")
        try await daemon.waitForExecution(of: "bounced", contact: "eve@customer.example", status: "EXITED")
        try await eventually("the report has come") {
            try await daemon.api("/inbound/reports?email=eve@customer.example")["data"]?.arrayValue?.isEmpty == false
        }
        #expect(try await daemon.executions(of: "bounced").count == 1)
        #expect(try await daemon.counter("bounces_permanent") == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailThatCameWhileTheDaemonWasDownIsListed() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.received", slug: "noted")], settings: Self.settings,
            milterSettings: "default_action=accept")
        let first = try await story.start()
        let seen = "1-ann@sender.example"
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example", id: seen))
        try await first.waitForExecution(of: "noted", contact: "ann@sender.example", status: "EXITED")
        try await eventually("the mail is in its mailbox") { try await !story.site.mailbox(Site.inbox).isEmpty }
        try await first.process.kill()
        let lost = try await story.site.receive(
            from: "ben@sender.example", StoryMail.text(from: "ben@sender.example", id: "2-ben@sender.example"))
        #expect(lost.final.code == 250)
        let other = try await story.site.receive(
            from: "ben@sender.example", to: ["nobody@test.example"], StoryMail.text(from: "ben@sender.example"))
        #expect(other.final.code == 250, "no route, no gap")
        try await eventually("it is in its mailbox") { try await story.site.mailbox(Site.inbox).count == 2 }

        let second = try await story.start()
        try await eventually("the gap is counted") { try await second.counter("inbound_gaps") == 1 }
        try await second.process.waitForLine(containing: "mail came in past us")
        let executable = try BuiltProduct.path()
        let place = ["--config", story.site.configurationPath]
        let row = try await Site.run(executable, ["inbound", "gaps"] + place)
        #expect(row.contains(try #require(lost.queueID)) && row.contains(Site.inbox), "\(row)")
        #expect(row.contains("ben@sender.example") && row.contains("<2-ben@sender.example>"), "\(row)")
        #expect(try await Site.run(executable, ["check"] + place).contains("1 mails for the routes became no event"))
        #expect(try await Site.run(executable, ["inbound", "gaps", "--done", "all"] + place) == "1 closed")
        #expect(try await !Site.run(executable, ["inbound", "gaps"] + place).contains("ben@sender.example"))
        try await second.process.terminate()
        try await story.stop()
    }
}

extension RunningDaemon {
    /// What the API knows of the newest mail to an address; nil while there is none.
    func mail(to address: String) async throws -> JSON? {
        let events = try await api("/events?eventName=email.sent&limit=1000")["data"]?.arrayValue ?? []
        guard
            let id = events.first(where: { $0["data"]?["to"]?.stringValue == address })?["data"]?["emailId"]?
                .stringValue
        else { return nil }
        return try await api("/v1/emails/\(id)")["data"]
    }

    /// Waits until the relay's log has said that of the mail to an address.
    @discardableResult
    func waitForDelivery(to address: String, _ status: String) async throws -> JSON {
        try await eventualValue("the mail to \(address) is \(status)", deadline: .seconds(25)) {
            let delivery = try await mail(to: address)?["delivery"]
            return delivery?["status"]?.stringValue == status ? delivery : nil
        }
    }
}
