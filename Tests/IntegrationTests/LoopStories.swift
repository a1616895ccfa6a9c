import JSONValue
import ServerTestKit
import Testing

/// Two programs that answer each other never stop: so what a program wrote is never answered, and what we wrote
/// ourselves is no event.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct LoopStories {
    private static let sender = "ann@sender.example"

    @Test func replyThatReachesAnotherRouteOfOursIsNoEvent() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [.answer], routes: ["domain: sender.example"])
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await eventually("the reply passed Postfix") { try await !story.site.mailbox(Self.sender).isEmpty }
        // A stranger's mail to the same address shows that its route is in force.
        try await SMTPClient.send(
            port: story.site.postfix.port, from: "ben@third.example", to: [Self.sender],
            text: StoryMail.text(from: "ben@third.example", to: Self.sender))
        try await eventually("the second reply") { try await !story.site.mailbox("ben@third.example").isEmpty }
        try await daemon.waitUntilSettled()
        let contacts = try await daemon.executions(of: "answer").compactMap { $0["contact"]?["email"]?.stringValue }
        #expect(contacts.sorted() == [Self.sender, "ben@third.example"])
        #expect(try await story.site.mailbox(Self.sender).filter { $0.reversePath.isEmpty }.count == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailOfProgramsIsNeverAnswered() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [.answer])
        let daemon = try await story.start()
        let programs: [(sender: String, reversePath: String, field: String?, refusal: String)] = [
            ("null@sender.example", "", nil, "null_sender"),
            ("auto@sender.example", "auto@sender.example", "Auto-Submitted: auto-replied", "auto_submitted"),
            ("list@sender.example", "list@sender.example", "List-Id: <all.sender.example>", "mailing_list"),
            ("bulk@sender.example", "bulk@sender.example", "Precedence: bulk", "precedence"),
            ("mailer-daemon@sender.example", "mailer-daemon@sender.example", nil, "machine_address"),
            (Site.inbox, Site.inbox, nil, "own_address"),
        ]
        for program in programs {
            let text = StoryMail.text(from: program.sender, fields: program.field.map { [$0] } ?? [])
            try await story.deliver(from: program.reversePath, text)
        }
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await eventually("a person is answered") { try await !story.site.mailbox(Self.sender).isEmpty }
        try await daemon.waitUntilSettled()
        let executions = try await daemon.executions()
        #expect(executions.count == programs.count + 1)
        for program in programs {
            let own = executions.filter { $0["contact"]?["email"]?.stringValue == program.sender }
            let output = own.first?.output(ofStep: "reply")
            #expect(own.count == 1, "\(program.sender)")
            #expect(output?["skipped"]?.stringValue == "reply_refused", "\(program.sender)")
            #expect(output?["reason"]?.stringValue == program.refusal, "\(program.sender)")
        }
        // The inbox got every mail as it came, the others nothing at all.
        let sunk = try await story.site.sink.messages().filter { $0.recipients != [Site.inbox] }
        #expect(sunk.map(\.recipients) == [[Self.sender]])
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func replyThatCannotArriveComesBackToNobody() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [.answer])
        try await story.site.postfix.reconfigure { $0.undeliverable[Self.sender] = "5.1.1 no such user" }
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        // Its reverse path is null, so Postfix has nobody to tell.
        try await story.site.postfix.waitForLog(containing: "status=bounced")
        try await expectSilence(story, daemon)
        #expect(try await daemon.executions().count == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    private static let gone = "gone@sender.example"
    /// Tells somebody of every mail.
    private static let notice = StoryWorkflow(
        "notice", on: "email.received",
        steps: """
              received: {type: TRIGGER, next: reply}
              reply: {type: SEND_EMAIL, config: {template: notice}, next: tell}
              tell: {type: SEND_EMAIL, config: {template: notice, to: \(gone)}, next: done}
              done: {type: EXIT, config: {reason: told}}
            """)

    @Test func noticeToADeadAddressEndsWithItsFirstBounce() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [Self.notice])
        try await story.site.postfix.reconfigure { $0.undeliverable[Self.gone] = "5.1.1 no such user" }
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await daemon.process.waitForLine(containing: "mail came back")
        try await expectSilence(story, daemon)
        // The bounce is nobody's mail: it starts nothing, and the next notice is not written.
        #expect(try await daemon.executions().count == 1)
        try await story.deliver(from: "ben@third.example", StoryMail.text(from: "ben@third.example"))
        try await expectSilence(story, daemon)
        let executions = try await daemon.executions()
        #expect(executions.map { $0["contact"]?["email"]?.stringValue } == [Self.sender, "ben@third.example"])
        #expect(executions.last?.output(ofStep: "tell")?["skipped"]?.stringValue == "suppressed")
        #expect(try await daemon.counter("event_loops_stopped") == 0)
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Tells somebody else that a mail came back.
    private static let alarm = StoryWorkflow(
        "alarm", on: "email.bounced",
        steps: """
              bounced: {type: TRIGGER, next: tell}
              tell: {type: SEND_EMAIL, config: {template: alarm, to: \(gone)}, next: done}
              done: {type: EXIT, config: {reason: told}}
            """)

    @Test func noticeWhoseBounceStartsItsOwnWorkflowEndsByGenerations() async throws {
        // As long as dead addresses are written to.
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.notice, Self.alarm],
            settings: "limits:\n  generations: 2\nsuppression:\n  bounces: false\n")
        try await story.site.postfix.reconfigure { $0.undeliverable[Self.gone] = "5.1.1 no such user" }
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        // Postfix's bounces reach the inbox that the mails came from.
        try await daemon.process.waitForLine(containing: "event=email.bounced generation=3")
        try await expectSilence(story, daemon)
        let alarms = try await daemon.executions(of: "alarm")
        #expect(alarms.map { $0["status"]?.stringValue } == ["FAILED", "EXITED", "EXITED"])
        #expect(alarms.first?["exitReason"]?.stringValue?.hasPrefix("event_loop") == true)
        // What Postfix writes makes nobody a contact, and nobody is answered.
        let notices = try await daemon.executions(of: "notice")
        #expect(notices.map { $0["contact"]?["email"]?.stringValue } == [Self.sender])
        let contacts = try await daemon.api("/contacts")["data"]?.arrayValue ?? []
        #expect(contacts.map { $0["email"]?.stringValue } == [Self.sender])
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Waits until neither the daemon nor Postfix has anything left to send, so that nothing can come back any more.
    private func expectSilence(_ story: StorySite, _ daemon: RunningDaemon) async throws {
        try await daemon.waitUntilSettled()
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        try await daemon.waitUntilSettled()
    }

    @Test func twoSitesThatAnswerEachOtherAnswerOnce() async throws {
        let (here, there) = ("desk@here.example", "desk@there.example")
        let one = try await StorySite(relayPort: nil, workflows: [.answer], routes: ["recipient: \(here)"])
        let other = try await StorySite(relayPort: nil, workflows: [.answer], routes: ["recipient: \(there)"])
        let ports = (one.site.postfix.port, other.site.postfix.port)
        try await one.site.postfix.reconfigure {
            $0.domains.append("here.example")
            $0.parameters["transport_maps"] = "inline:{ { there.example = smtp:[127.0.0.1]:\(ports.1) } }"
        }
        try await other.site.postfix.reconfigure {
            $0.domains.append("there.example")
            $0.parameters["transport_maps"] = "inline:{ { here.example = smtp:[127.0.0.1]:\(ports.0) } }"
        }
        let daemons = (try await one.start(), try await other.start())
        // As if each had written to the other: both replies are to arrive where a program reads.
        try await one.deliver(from: there, to: [here], StoryMail.text(from: there, to: here))
        try await other.deliver(from: here, to: [there], StoryMail.text(from: here, to: there))
        for (daemon, correspondent) in [(daemons.0, there), (daemons.1, here)] {
            try await eventually("the other's reply has come") {
                try await daemon.executions(of: "answer", contact: correspondent).count == 2
            }
            try await daemon.waitUntilSettled()
        }
        for (story, daemon) in [(one, daemons.0), (other, daemons.1)] {
            try await expectSilence(story, daemon)
            let outputs = try await daemon.executions().map { $0.output(ofStep: "reply") }
            #expect(outputs.count == 2)
            #expect(outputs.count { $0?["automaticReply"]?.boolValue == true } == 1)
            #expect(outputs.count { $0?["reason"]?.stringValue == "null_sender" } == 1)
            try await daemon.process.terminate()
            try await story.stop()
        }
    }
}
