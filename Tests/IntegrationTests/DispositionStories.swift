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
}
