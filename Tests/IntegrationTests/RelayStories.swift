import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import Testing
import WorkflowModel

/// Several relays, turns and pauses, with the daemon and what it talks to as processes of their own.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RelayStories {
    private static func relays(_ lines: [String]) -> String { "relays:\n" + lines.map { "  - {\($0)}\n" }.joined() }

    private func relay(of daemon: RunningDaemon, _ name: String) async throws -> JSON? {
        try await daemon.health()["relay.\(name)"]
    }

    @Test func mailGoesOverTheSpareRelayWhileTheFirstIsDownAndBackWhenItIsThere() async throws {
        let (main, spare) = (try freePort(), try StoryRelay())
        let story = try await StorySite(
            relayPort: nil, workflows: [.answer],
            settings: Self.relays([
                "name: main, host: 127.0.0.1, port: \(main)",
                "name: spare, host: 127.0.0.1, port: \(spare.port), backup: true",
            ]))
        let daemon = try await story.start()
        for number in 0..<8 {
            let sender = "p\(number)@sender.example"
            try await story.deliver(from: sender, StoryMail.text(from: sender))
            try await spare.waitForMessages(to: sender)
        }
        // Each arrived with its first attempt, and the one that is down is known to be.
        #expect(daemon.process.lines.contains { $0.text.contains("mail delivered") && $0.text.contains("relay=spare") })
        #expect(!daemon.process.lines.contains { $0.text.contains("attempt=2") })
        try await daemon.process.waitForLine(containing: "relay is left alone")
        #expect(try await relay(of: daemon, "main")?["isOutOfOrder"]?.intValue == 1)
        let back = try StoryRelay(port: main)
        try await eventually("the first relay gets mail again", deadline: .seconds(40), every: .milliseconds(500)) {
            let sender = "q\(Int.random(in: 0..<1_000_000))@sender.example"
            try await story.deliver(from: sender, StoryMail.text(from: sender))
            return !back.messages.isEmpty
        }
        try await daemon.process.waitForLine(containing: "relay is in order again")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func checkSaysHowEveryRelayIs() async throws {
        let (relay, dead) = (try StoryRelay(), try freePort())
        let directory = try ServerDirectory.temporary()
        let configuration = try directory.write(
            "postrider.yaml",
            Self.relays([
                "name: main, host: 127.0.0.1, port: \(relay.port)", "name: other, host: 127.0.0.1, port: \(dead)",
            ]))
        let process = try DaemonProcess(
            try BuiltProduct.path(), ["check", "--relays", "--config", configuration])
        #expect(try await process.waitForExit() == .exited(1))
        try await process.terminate()
        let lines = process.lines.map(\.text)
        #expect(lines.contains("relay main: ok") && lines.contains { $0.hasPrefix("relay other: 127.0.0.1:\(dead)") })
        #expect(relay.messages.isEmpty)
        try await directory.remove()
    }

    @Test func oneProjectsHundredThousandMailsDoNotDelayAnothersMailByASecond() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [.answer])
        try await Self.fill(story.directory.path("postrider.db"), mails: 100_000)
        let daemon = try await story.startQuietly()
        var waits: [Duration] = []
        for number in 0..<10 {
            let sender = "p\(number)@sender.example"
            try await story.deliver(from: sender, StoryMail.text(from: sender))
            let start = ContinuousClock.now
            try await relay.waitForMessages(to: sender)
            waits.append(ContinuousClock.now - start)
        }
        let rest = try await daemon.health()["outbox"]?["pending"]?.intValue ?? 0
        #expect(rest > 10_000, "the other project was done too early for this to mean anything")
        // One of them may meet a machine that does something else.
        #expect(waits.sorted()[8] < .seconds(1), "\(waits)")
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Five thousand mails wait for domains that take none: that is waiting, and not asking again and again.
    @Test func domainsThatPutMailOffCostNextToNothing() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [.answer])
        try await Self.fill(story.directory.path("postrider.db"), mails: 5000)
        relay.answer(at: .recipient, Array(repeating: "450 4.7.1 Not now", count: 5000))
        let daemon = try await story.startQuietly()
        var attempts = -1
        try await eventually("all twenty domains are left alone", deadline: .seconds(30), every: .seconds(2)) {
            defer { attempts = relay.attempts }
            return relay.attempts >= 60 && relay.attempts == attempts
        }
        let before = try #require(daemon.process.processorTime)
        #expect(before > .zero)
        try await Task.sleep(for: .seconds(5))
        let spent = try #require(daemon.process.processorTime) - before
        #expect(relay.attempts - attempts <= 20, "one probe for each domain at most")
        #expect(spent < .milliseconds(500), "a tenth of a processor at most, and not a hot loop: \(spent)")
        print("5000 mails for 20 domains that put them off: \(attempts) attempts, then \(spent) of a processor in 5 s")
        // Everybody else's mail goes at once meanwhile.
        relay.answer(at: .recipient, [])
        let start = ContinuousClock.now
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        try await relay.waitForMessages(to: "ann@sender.example")
        #expect(ContinuousClock.now - start < .seconds(1))
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// A second project with so many mails that are due.
    private static func fill(_ path: String, mails: Int) async throws {
        let store = try SQLiteStore(path: path, exclusively: false)
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        let identifiers = IdentifierSource()
        let project = Project(id: identifiers.make(at: now), slug: "big", name: "Big")
        let catalog = try await store.read { try $0.loadCatalog() }
        let first = try #require(catalog.projects.first)
        let template = try #require(catalog.templates.first { $0.projectID == first.id }).current.id
        let contact = Contact(
            id: identifiers.make(at: now), email: "known@example.org", isSubscribed: true, data: [:], createdAt: now,
            updatedAt: now)
        try await store.write { transaction in
            try transaction.insert(project, at: now)
            try transaction.insert(contact, in: project.id)
        }
        for start in stride(from: 0, to: mails, by: 5000) {
            try await store.write { transaction in
                for number in start..<start + 5000 {
                    let id = identifiers.make(at: now)
                    try transaction.insert(
                        OutboxEntry(
                            id: id, projectID: project.id, contactID: contact.id, executionID: nil,
                            dueAt: now.adding(seconds: -600), createdAt: now, generation: 0,
                            request: MailRequest(
                                id: id, step: "news", templateVersionID: template, kind: .marketing,
                                recipient: "big\(number)@d\(number % 20).example", from: "news@example.com"),
                            messageID: "\(id)@example.com"))
                }
            }
        }
        try store.close()
    }

    @Test func pausedMailWaitsOverARestartAndGoesWhenItIsResumed() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [.answer])
        var daemon = try await story.start()
        let arguments = ["--config", story.site.configurationPath]
        let executable = try BuiltProduct.path()
        try await Site.run(
            executable, ["outbox", "pause", "--domain", "Sender.Example", "--note", "asked"] + arguments)
        // Beside the daemon, it takes effect within a second, with the next mail that leaves.
        let running = daemon
        var senders = (0...).makeIterator()
        try await eventually("the pause is known", deadline: .seconds(10), every: .milliseconds(200)) {
            let sender = "p\(senders.next() ?? 0)@other.example"
            try await story.deliver(from: sender, StoryMail.text(from: sender))
            return try await running.health()["outboxQueues"]?["pauses"]?.intValue == 1
        }
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        try await story.deliver(from: "ben@other.example", StoryMail.text(from: "ben@other.example"))
        try await relay.waitForMessages(to: "ben@other.example")
        try await daemon.process.terminate()
        daemon = try await story.start()
        try await story.deliver(from: "cid@other.example", StoryMail.text(from: "cid@other.example"))
        try await relay.waitForMessages(to: "cid@other.example")
        #expect(!relay.messages.contains { $0.recipient == "ann@sender.example" })
        let status = try await daemon.api("/outbox")
        #expect(status["pauses"]?.arrayValue?.first?["name"]?.stringValue == "sender.example")
        #expect(status["queues"]?.arrayValue?.first?["pending"]?.intValue == 1)
        #expect(status["relays"]?.arrayValue?.first?["state"]?.stringValue == "ok")
        let last = try await Site.run(executable, ["outbox", "status"] + arguments)
        #expect(last.hasPrefix("pending\tdefault\tdirect\t1\t"))
        try await Site.run(executable, ["outbox", "resume", "--domain", "sender.example"] + arguments)
        let idle = try await BadInputCommand.run(["outbox", "resume-replies"] + arguments)
        #expect(idle.status == .exited(1) && idle.text.contains("automatic replies are not stopped"), "\(idle.text)")
        try await relay.waitForMessages(to: "ann@sender.example")
        try await daemon.process.terminate()
        try await story.stop()
    }
}

extension StorySite {
    /// Starts the daemon without a line for every mail.
    fileprivate func startQuietly() async throws -> RunningDaemon {
        try await site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(relayPort)", "POSTRIDER_SMTP_WORKERS": "8", "POSTRIDER_LOG_LEVEL": "notice",
        ])
    }
}
