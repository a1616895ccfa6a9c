import JSONValue
import ServerTestKit
import Testing

/// Mail that a workflow consumes ends there, and takes nobody else's mail with it.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct DispositionStories {
    private static let consumed = "orders@test.example"
    private static let desk = "desk@test.example"
    private static let route = "recipient: \(consumed)\n    disposition: discard"
    private static let note = StoryWorkflow.note("email.received", slug: "note")

    @Test func consumedMailReachesNobodyUnlessOthersWantIt() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [Self.note], routes: [Self.route])
        let daemon = try await story.start()
        let mails: [(sender: String, recipients: [String], reaches: String?)] = [
            ("ann@sender.example", [Self.consumed], nil),
            ("ben@sender.example", [Self.consumed, Self.desk], Self.desk),
            ("cleo@sender.example", [Self.desk, Self.consumed], Self.desk),
            ("dora@sender.example", [Self.consumed, Site.inbox], Site.inbox),
        ]
        for mail in mails {
            let text = StoryMail.text(from: mail.sender, to: mail.recipients.joined(separator: ", "))
            let delivery = try await story.site.receive(from: mail.sender, to: mail.recipients, text)
            #expect(delivery.final.code == 250, "\(mail.sender): \(delivery.final)")
        }
        for mail in mails {
            try await daemon.waitForExecution(of: "note", contact: mail.sender, status: "EXITED")
            guard let mailbox = mail.reaches else { continue }
            try await eventually("the mail of \(mail.sender) is in the mailbox of \(mailbox)") {
                try await story.site.mailbox(mailbox).contains { $0.reversePath == mail.sender }
            }
        }
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        let sunk = try await story.site.sink.messages()
        #expect(!sunk.contains { $0.reversePath == "ann@sender.example" }, "it ends in the workflow")
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// There is no client that would hear of it, and a bounce would be lost.
    @Test func postfixsOwnMailIsNeverDropped() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [Self.note], routes: [Self.route])
        let daemon = try await story.start()
        let sender = "cron@test.example"
        try await story.site.postfix.sendmail(
            from: sender, to: [Self.consumed], StoryMail.text(from: sender, to: Self.consumed))
        try await daemon.waitForExecution(of: "note", contact: sender, status: "EXITED")
        try await eventually("the mail goes on to its mailbox") {
            try await story.site.mailbox(Self.consumed).contains { $0.reversePath == sender }
        }
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// What rspamd wrote decides at the end of the message: refused with the route's words, held, or as it was.
    @Test func verdictsRefuseAndHoldMail() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.note],
            routes: [
                "recipient: strict@test.example\n    disposition: reject\n    when: [spam=FAIL]\n"
                    + "    reject_text: No spam here please",
                "recipient: careful@test.example\n    disposition: quarantine\n    when: [spam=FAIL]",
            ], hasScanner: true)
        let daemon = try await story.start()
        let spam = ["\(PrivateRspamd.scoreField): 7.5"]
        func send(_ sender: String, to recipients: [String], _ fields: [String]) async throws -> SMTPReply {
            let text = StoryMail.text(from: sender, to: recipients.joined(separator: ", "), fields: fields)
            return try await story.site.receive(from: sender, to: recipients, text).final
        }
        let refused = try await send("eve@sender.example", to: ["strict@test.example"], spam)
        #expect(refused.code == 550 && refused.text.contains("No spam here please"), "\(refused)")
        // Postfix asks for no angle brackets, and hands on what it was told: that makes no mail its own.
        let text = StoryMail.text(from: "mal@sender.example", to: "strict@test.example", fields: spam)
        let bare = try await story.site.connectStranger()
        #expect(try await bare.command("MAIL FROM:mal@sender.example").isPositive)
        #expect(try await bare.command("RCPT TO:strict@test.example").isPositive)
        #expect(try await bare.command("DATA").code == 354)
        #expect(try await bare.content(SMTPClient.wireBytes(text))?.code == 550)
        bare.hangUp()
        #expect(try await send("ann@sender.example", to: ["strict@test.example"], []).code == 250)
        #expect(try await send("ben@sender.example", to: ["careful@test.example"], spam).code == 250)
        // Somebody else wants it: nobody can be refused alone.
        #expect(try await send("cleo@sender.example", to: ["strict@test.example", Self.desk], spam).code == 250)
        for sender in ["ann@sender.example", "ben@sender.example"] {
            try await daemon.waitForExecution(of: "note", contact: sender, status: "EXITED")
        }
        try await eventually("the mail is on hold") {
            try await story.site.postfix.queue().contains {
                $0.queueName == "hold" && $0.sender == "ben@sender.example"
            }
        }
        try await eventually("the others' mail is in their mailbox") {
            try await story.site.mailbox(Self.desk).contains { $0.reversePath == "cleo@sender.example" }
        }
        for sender in ["eve@sender.example", "mal@sender.example", "cleo@sender.example"] {
            #expect(try await daemon.executions(of: "note", contact: sender).isEmpty, "\(sender)")
        }
        let gauges: JSON? = try await daemon.health()
        #expect(gauges?["milter"]?["rejected"] == 2 && gauges?["milter"]?["quarantined"] == 1, "\(gauges ?? .null)")
        #expect(gauges?["intake"]?["refused"] == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func unknownRecipientsOfADomainAreRefusedOneByOne() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.note],
            settings: "unknown_recipients:\n  - {domain: test.example, answer: reject}\n")
        let daemon = try await story.start()
        let delivery = try await story.site.receive(
            from: "ann@sender.example", to: ["nobody@test.example", Site.inbox, "help+7@test.example"],
            StoryMail.text(from: "ann@sender.example"))
        #expect(delivery.recipients.map(\.code) == [550, 250, 250], "\(delivery.recipients)")
        #expect(delivery.recipients.first?.text.contains("5.1.1") == true, "\(delivery.recipients)")
        #expect(delivery.final.code == 250)
        try await eventually("both are events") {
            try await daemon.executions(of: "note", contact: "ann@sender.example").count == 2
        }
        try await daemon.process.terminate()
        try await story.stop()
    }
}
