import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Mail that was kept as it came, and mail in files, taken in beside the running daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct InboundFileStories {
    private static let sender = "ann@sender.example"

    /// What a command printed, whatever its status.
    private func inbound(_ story: StorySite, _ words: [String]) async throws -> Privilege.CommandResult {
        try await Privilege.run(
            [story.site.plan.executable, "inbound", words[0], "--config", story.site.configurationPath]
                + words.dropFirst(), deadline: .seconds(60))
    }

    private func events(_ daemon: RunningDaemon, of contact: String) async throws -> [JSON] {
        try await daemon.executions().filter { $0["contact"]?["email"]?.stringValue == contact }
    }

    @Test func keptMailIsListedShownAndReplayed() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.answer], settings: "raw_mail:\n  keep: always\n")
        let daemon = try await story.start()
        let text = StoryMail.text(from: Self.sender, fields: ["X-Exact:  two blanks\n\tand a tab"])
        try await story.deliver(from: Self.sender, text)
        try await eventually("it is received") { try await self.events(daemon, of: Self.sender).count == 1 }
        let list = try await inbound(story, ["ls"])
        let cells = list.output.split(separator: "\n").first?.split(separator: "\t").map(String.init) ?? []
        try #require(list.succeeded && cells.count == 7, "\(list.output)")
        #expect(cells[2] == "always" && cells[4] == Self.sender && cells[5] == Site.inbox)
        #expect(cells[6] == "Opening hours")
        #expect(try await inbound(story, ["ls", "--reason", "failure"]).output.isEmpty)
        // Byte by byte as Postfix showed it, after an envelope.
        let raw = try await inbound(story, ["show", "--raw", cells[0]]).output
        #expect(raw.contains("X-Exact:  two blanks\r\n\tand a tab\r\n"))
        #expect(raw.hasSuffix("\r\n\r\nWhen are you open?\r\nOn Sundays too?\r\n"))
        let whole = try await inbound(story, ["show", cells[0]]).output
        #expect(whole.hasPrefix("X-Postrider-Envelope: {") && whole.hasSuffix(raw))
        #expect(whole.contains("\"clientAddress\":\"\(Site.strangerAddress)\""))
        #expect(try await !inbound(story, ["show", "--attachment", "1", cells[0]]).succeeded, "it has none")
        // Once is enough, unless told otherwise; and the reply has gone out already.
        let once = try await inbound(story, ["replay", cells[0]])
        #expect(once.succeeded && once.output.contains("0 events, 1 were there already"), "\(once.output)")
        let again = try await inbound(story, ["replay", "--again", "--all"])
        #expect(again.succeeded && again.output.contains("1 events, 0 were there already"), "\(again.output)")
        try await eventually("it is received again") { try await self.events(daemon, of: Self.sender).count == 2 }
        let reason = try await events(daemon, of: Self.sender).last?.output(ofStep: "reply")?["reason"]
        #expect(reason == "already_answered")
        #expect(try await !inbound(story, ["show", "019aaf4e-5b1c-7abc-8def-0123456789ab"]).succeeded)
        #expect(try await !inbound(story, ["replay"]).succeeded)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailboxIsImportedBesideTheDaemonOnce() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [.answer])
        let daemon = try await story.start()
        func mail(_ sender: String, to recipient: String = Site.inbox, date: String? = nil) -> String {
            let text = StoryMail.text(from: sender, to: recipient, body: ">From the start\nto the end")
            let dated = date.map { date in
                text.split(separator: "\n", omittingEmptySubsequences: false)
                    .map { $0.hasPrefix("Date: ") ? "Date: \(date)" : String($0) }.joined(separator: "\n")
            }
            return "From \(sender) Mon Jan  5 09:00:00 2026\n\(dated ?? text)\n"
        }
        let mailbox = try story.directory.write(
            "mailbox",
            mail("new@sender.example") + mail("old@sender.example", date: "Mon, 05 Jan 2015 09:00:00 +0000")
                + mail("lost@sender.example", to: "nobody@else.example") + "From x@sender.example Mon 9:00\n\n")
        let first = try await inbound(story, ["import", mailbox])
        #expect(first.status == .exited(1), "\(first.output)")
        #expect(first.output.contains("4 mails: 2 events, 0 were there already, 2 failed"), "\(first.output)")
        #expect(first.output.contains("mail 3 at byte") && first.output.contains("no address in To, Cc has a route"))
        #expect(first.output.contains("mail 4 at byte") && first.output.contains("it has no header"))
        let second = try await inbound(story, ["import", mailbox])
        #expect(second.output.contains("0 events, 2 were there already, 2 failed"), "\(second.output)")
        // The daemon finds what another process has put into its outbox.
        try await eventually("the new mail is answered", deadline: .seconds(45)) {
            try await !story.site.mailbox("new@sender.example").isEmpty
        }
        try await daemon.waitUntilSettled()
        let old = try await events(daemon, of: "old@sender.example")
        #expect(old.map { $0.output(ofStep: "reply")?["reason"]?.stringValue } == ["stale"])
        // Somebody else's file, said to be for us: one mail, told to be answered although it is old.
        let file = try story.directory.write(
            "one.eml",
            "Return-Path: <back@sender.example>\n"
                + mail("else@sender.example", to: Site.inbox, date: "Mon, 05 Jan 2015 09:00:00 +0000")
                .split(separator: "\n", omittingEmptySubsequences: false).dropFirst().joined(separator: "\n"))
        let one = try await inbound(story, ["import", "--to", Site.inbox, "--answer-old", file])
        #expect(one.succeeded && one.output.contains("1 mails: 1 events"), "\(one.output)")
        try await eventually("it is answered", deadline: .seconds(45)) {
            try await !story.site.mailbox("back@sender.example").isEmpty
        }
        let unknown = try await inbound(story, ["import", "--to", "x@else.example", file])
        #expect(!unknown.succeeded && unknown.output.contains("has no route"), "\(unknown.output)")
        #expect(try await !inbound(story, ["import", "/nowhere.eml"]).succeeded)
        try await daemon.process.terminate()
        try await story.stop()
    }
}
