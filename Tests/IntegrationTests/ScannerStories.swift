import Foundation
import JSONValue
import ServerTestKit
import Testing

/// A real rspamd in front, and the workflow that the project offers as its example: what the scanner found decides
/// whether a mail is answered, and nobody but the scanner says what it found.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ScannerStories {
    private static let example = "conf/examples/inbound-auto-reply.yaml"
    private static let slug = "inbound-auto-reply"
    private static let forged = "X-Rspamd-Action: no action"

    @Test func onlyWhatTheScannerFoundCleanIsAnswered() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [], example: Self.example, hasScanner: true)
        let daemon = try await story.start()
        let unclean: [(sender: String, fields: [String], body: String, verdicts: [String])] = [
            ("spam@sender.example", [], PrivateRspamd.gtubeAddHeader, ["FAIL"]),
            ("scored@sender.example", ["\(PrivateRspamd.scoreField): 7.5"], "Buy.", ["FAIL"]),
            ("liar@sender.example", [Self.forged], PrivateRspamd.gtubeAddHeader, ["FAIL", "GRAY"]),
            (
                "swindler@sender.example", [Self.forged, "\(PrivateRspamd.scoreField): 7.5"], "Buy.", ["FAIL", "GRAY"]
            ),
        ]
        for mail in unclean {
            try await story.deliver(
                from: mail.sender, StoryMail.text(from: mail.sender, fields: mail.fields, body: mail.body))
        }
        // It comes last, so that its answer shows that theirs would have left by now.
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        try await eventually("the clean mail is answered") {
            try await !story.site.mailbox("ann@sender.example").isEmpty
        }
        for mail in unclean {
            try await daemon.waitForExecution(of: Self.slug, contact: mail.sender, status: "EXITED")
        }
        try await daemon.waitUntilSettled()
        #expect(try await daemon.verdict(of: "ann@sender.example") == "PASS")
        for mail in unclean {
            let verdict = try await daemon.verdict(of: mail.sender)
            #expect(mail.verdicts.contains(verdict), "\(mail.sender): \(verdict)")
            let execution = try await daemon.executions(of: Self.slug, contact: mail.sender).first
            #expect(execution?["exitReason"]?.stringValue == "not answered", "\(mail.sender)")
        }
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        let answered = try await story.site.sink.messages().flatMap(\.recipients).filter { $0 != Site.inbox }
        #expect(answered == ["ann@sender.example"])
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// With the header checks that the project offers, the sender's own verdict is gone before anybody reads it.
    @Test func aForgedVerdictEndsAtTheBorder() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [], example: Self.example, hasScanner: true)
        let checks = try story.directory.write(
            "header_checks",
            try String(contentsOfFile: "\(BuiltProduct.packageRoot)/conf/postfix/header_checks", encoding: .utf8))
        try await story.site.postfix.reconfigure { $0.parameters["header_checks"] = "regexp:\(checks)" }
        let daemon = try await story.start()
        // Nothing contradicts this one's claim but its absence.
        let mails: [(sender: String, body: String, verdict: String)] = [
            ("liar@sender.example", PrivateRspamd.gtubeAddHeader, "FAIL"), ("ann@sender.example", "Hello.", "PASS"),
        ]
        for mail in mails {
            let fields = [Self.forged, "X-Spam: No", "X-Spamd-Result: default: False [-9.99 / 15.00]"]
            try await story.deliver(
                from: mail.sender, StoryMail.text(from: mail.sender, fields: fields, body: mail.body))
            try await eventually("\(mail.sender) is judged") {
                try await daemon.verdict(of: mail.sender) == mail.verdict
            }
        }
        try await eventually("both mails are in the mailbox") { try await story.site.mailbox(Site.inbox).count == 2 }
        for mail in try await story.site.mailbox(Site.inbox) {
            #expect(!mail.text.contains("-9.99") && !mail.values(of: "X-Spam").contains("No"), "\(mail.text)")
        }
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aVerdictThatNobodyDeclaredTrustedIsNone() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [], example: Self.example)
        let daemon = try await story.start()
        try await story.deliver(
            from: "liar@sender.example", StoryMail.text(from: "liar@sender.example", fields: [Self.forged]))
        let ended = try await daemon.waitForExecution(
            of: Self.slug, contact: "liar@sender.example", status: "EXITED")
        #expect(ended["exitReason"]?.stringValue == "not answered")
        #expect(try await daemon.verdict(of: "liar@sender.example") == "DISABLED")
        #expect(try await story.site.mailbox("liar@sender.example").isEmpty)
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Mail, verdict, reply, pixel, end: with the daemon killed after each, and the next one going on from there.
    @Test func theWholeStoryOutlivesTheDaemonAfterEveryChapter() async throws {
        let sender = "ann@sender.example"
        let story = try await StorySite(relayPort: nil, workflows: [], example: Self.example, hasScanner: true)

        // The mail has its 250. Where the first daemon submits nobody listens, so the reply cannot have left.
        let first = try await story.site.startDaemon(environment: ["POSTRIDER_SMTP_PORT": "\(try freePort())"])
        let delivery = try await story.site.receive(from: sender, StoryMail.text(from: sender))
        try await first.process.kill()
        #expect(delivery.final.code == 250, "\(delivery.final)")

        // The reply has left, and the daemon knows it.
        let second = try await story.start()
        try await second.process.waitForLine(containing: "mail delivered")
        try await second.process.kill()
        let reply = try await eventualValue("the reply") { try await story.site.mailbox(sender).first }

        // The pixel has been answered; that the open is recorded is not waited for.
        let third = try await story.start()
        try await third.waitForExecution(of: Self.slug, contact: sender, status: "WAITING")
        #expect(try await third.verdict(of: sender) == "PASS")
        let pixel = try await third.fetchPixel(try #require(StoryMail.pixel(of: reply.text)))
        try await third.process.kill()
        #expect(pixel.status == 200)

        let fourth = try await story.start()
        let ended = try await fourth.waitForExecution(of: Self.slug, contact: sender, status: "EXITED")
        #expect(ended["exitReason"]?.stringValue == "reply opened")
        try await fourth.waitUntilSettled()
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        #expect(try await story.site.mailbox(sender).count == 1, "one reply through all lives")
        #expect(try await story.site.mailbox(Site.inbox).count == 1, "one mail through all lives")
        #expect(try await fourth.executions().count == 1)
        #expect(try await fourth.process.terminate() == .exited(0))
        try await story.stop()
    }
}

extension RunningDaemon {
    /// What the example's CONDITION saw of a contact's only mail: its spam verdict, or `none` when it was not reached.
    fileprivate func verdict(of contact: String) async throws -> String {
        let own = try await executions().filter { $0["contact"]?["email"]?.stringValue == contact }
        guard own.count <= 1 else { throw FixtureError(.malformed, "\(own.count) executions of \(contact)") }
        return own.first?.output(ofStep: "verdict")?["actualValue"]?.stringValue ?? "none"
    }
}
