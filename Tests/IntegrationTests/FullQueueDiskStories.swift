import Foundation
import JSONValue
import ServerTestKit
import Testing

/// A real Postfix whose queue lies on a disk without room, with the daemon's own milter before it: mail waits in the outbox, and
/// leaves once when there is room, whoever died in between.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct FullQueueDiskStories {
    /// The disk is full before anything is said: Postfix refuses the sender with 452.
    @Test func mailRefusedByAFullQueueWaitsAndArrivesOnce() async throws {
        try await Self.play { story, disk in
            try await disk.fill()
            let first = try await story.start()
            let addresses = try await Self.signUp(12, first)
            try await first.process.waitForLine(containing: "mail pending")
            #expect(first.process.lines.contains { $0.text.contains("452") }, "the log says what the relay said")
            #expect(try await first.counter("possible_duplicates") == 0, "a clear no leaves nothing in the dark")
            try await first.process.kill()
            let second = try await story.start()
            try await second.process.waitForLine(containing: "mail pending")
            #expect(try await second.health()["outbox"]?["pending"]?.intValue != 0)
            try await second.process.waitForLine(containing: "relay is left alone")
            try disk.makeRoom()
            try await second.waitUntilSettled(deadline: .seconds(60))
            try await ExactlyOnceStories.expectOneCopyEach(addresses, story)
            #expect(try await second.counter("submissions_discarded") == 0)
            try await second.process.terminate()
        }
    }

    /// The queue fills up with our own mail, which nobody takes away: some of it ends in the middle of its text. The daemon is killed
    /// again and again meanwhile.
    @Test func aQueueThatFillsUpWhileMailIsWrittenLosesAndDoublesNothing() async throws {
        try await Self.play(bodyBytes: 48_000) { story, disk in
            let postfix = story.site.postfix
            try await postfix.reconfigure { $0.parameters["defer_transports"] = "smtp" }
            var daemon = try await story.start()
            let addresses = try await Self.signUp(70, daemon)
            for _ in 0..<6 {
                let running = daemon.process
                // Some mails have come to an end, or none can any more.
                try await eventually("mail is handed over", deadline: .seconds(30)) {
                    let lines = running.lines.map(\.text)
                    return lines.count { $0.contains("mail delivered") || $0.contains("mail pending") } >= 5
                        || lines.contains { $0.contains("relay is left alone") }
                }
                try await daemon.process.kill()
                daemon = try await story.start()
            }
            try await postfix.waitForLog(containing: "No space left on device")
            #expect(try await daemon.health()["outbox"]?["pending"]?.intValue != 0, "not all of it fits")
            // What is in the queue leaves, and what waits comes after it.
            try await postfix.reconfigure { $0.parameters["defer_transports"] = "" }
            try await postfix.flush()
            try await daemon.waitUntilSettled(deadline: .seconds(90))
            try await ExactlyOnceStories.expectOneCopyEach(addresses, story)
            let (possible, prevented) = (
                try await daemon.counter("possible_duplicates"), try await daemon.counter("duplicates_prevented")
            )
            print(
                "\(addresses.count) mails, 6 kills: \(possible) attempts may have made a second copy, \(prevented) found queued"
            )
            try await daemon.process.terminate()
        }
    }

    /// Our milter has said yes and noted it, and then a filter behind it needs more room than there is. The daemon hears of it.
    @Test func aQueueThatIsFullBehindOurAnswerIsARefusalAndTheRetryGoesIn() async throws {
        try await Self.play { story, disk in
            let last = try StoryMilter()
            try await story.site.postfix.reconfigure { $0.milters.append(last.endpoint) }
            last.addField(length: 60_000)
            try await disk.fill(leaving: 40)
            let daemon = try await story.start()
            #expect(try await daemon.track("signup", "ann@customer.example") == 200)
            try await daemon.process.waitForLine(containing: "mail pending")
            #expect(try await story.site.postfix.queueIDs().isEmpty, "it is not in the queue")
            try disk.makeRoom()
            try await daemon.waitUntilSettled()
            try await eventually("the mail arrives") { try await !story.site.mailbox("ann@customer.example").isEmpty }
            #expect(try await daemon.counter("submissions_discarded") == 0)
            try await ExactlyOnceStories.expectOneCopyEach(["ann@customer.example"], story)
            try await daemon.process.terminate()
            last.stop()
        }
    }

    /// The same, and the daemon dies before it hears of it: the note is there, and the mail is not.
    @Test func aQueueThatIsFullBehindOurAnswerAndADeadDaemonLoseNothing() async throws {
        try await Self.play { story, disk in
            let last = try StoryMilter()
            try await story.site.postfix.reconfigure { $0.milters.append(last.endpoint) }
            last.addField(length: 60_000)
            try await disk.fill(leaving: 40)
            let first = try await story.start()
            last.hold()
            #expect(try await first.track("signup", "ann@customer.example") == 200)
            try await last.waitUntilHeld()
            try await first.process.kill()
            let seen = story.site.postfix.logLines().count
            last.release()
            try await story.site.postfix.waitForLog(containing: "No space left on device", from: seen)
            try disk.makeRoom()
            let second = try await story.start()
            try await second.waitUntilSettled()
            try await eventually("the mail arrives") { try await !story.site.mailbox("ann@customer.example").isEmpty }
            #expect(try await second.counter("duplicates_prevented") == 0)
            try await ExactlyOnceStories.expectOneCopyEach(["ann@customer.example"], story)
            try await second.process.terminate()
            last.stop()
        }
    }

    /// The other disk: the database has no room for the note when Postfix shows us our mail, nor for what Postfix says then.
    @Test func aDatabaseThatIsFullWhenOurMailIsShownToUsSendsItOnce() async throws {
        try await Self.play(databaseDisk: true) { story, disk in
            let proxy = try StoryProxy(relay: story.site.postfix.port)
            for (number, point) in [(false, StoryProxy.Step.content), (true, .content)].enumerated() {
                let address = "d\(number)@customer.example"
                let daemon = try await story.start(relayPort: proxy.port)
                proxy.hold(at: .init(step: point.1, isAnswered: point.0))
                #expect(try await daemon.track("signup", address) == 200)
                try await proxy.waitUntilHeld()
                try await disk.fill()
                proxy.release()
                try await daemon.process.waitForLine(containing: "outcome not recorded")
                try disk.makeRoom()
                try await daemon.waitUntilSettled()
                try await eventually("the mail arrives") { try await !story.site.mailbox(address).isEmpty }
                try await daemon.process.terminate()
            }
            try await ExactlyOnceStories.expectOneCopyEach(["d0@customer.example", "d1@customer.example"], story)
            proxy.stop()
        }
    }

    // MARK: Acts

    /// Each address has a domain of its own, so that none of them is left alone for the sake of another.
    private static func signUp(_ count: Int, _ daemon: RunningDaemon) async throws -> [String] {
        var addresses: [String] = []
        for number in 0..<count {
            let address = "ann@c\(number).example"
            #expect(try await daemon.track("signup", address) == 200)
            addresses.append(address)
        }
        return addresses
    }

    /// A site whose Postfix keeps its queue on a disk of 2 MiB, or whose database lies on one of 16 MiB.
    private static func play(
        bodyBytes: Int = 100, databaseDisk: Bool = false, _ act: (StorySite, FullDisk) async throws -> Void
    ) async throws {
        let place = try ServerDirectory.temporary()
        let disk: FullDisk
        do {
            disk = try await FullDisk.mount(
                in: place, name: databaseDisk ? "small" : "postfix/queue", kibibytes: databaseDisk ? 16_384 : 2048)
        } catch let error as FixtureError where error.code == .unavailable {
            print("skipped: no story with a full queue: \(error.explanation)")
            return
        }
        do {
            let story = try await StorySite(
                relayPort: nil, workflows: [welcome(bodyBytes)], settings: DeliveryLogStories.settings, in: place,
                databaseDirectory: databaseDisk ? disk.path : nil)
            try await story.site.postfix.reconfigure {
                // Without a limit, smtpd asks for any room at all, and only the disk itself says when there is none.
                $0.parameters["message_size_limit"] = "0"
                $0.parameters["smtpd_discard_ehlo_keywords"] = "size"
            }
            try await act(story, disk)
            try await story.site.stop()
        } catch {
            try? await disk.unmount()
            throw error
        }
        try await disk.unmount()
        try await place.remove()
    }

    /// Writes to whoever signs up, at some length.
    private static func welcome(_ bytes: Int) -> StoryWorkflow {
        let line = String(repeating: "Welcome to us. ", count: 4)
        let lines = Array(repeating: "        " + line, count: max(1, bytes / 60)).joined(separator: "\n")
        return StoryWorkflow(
            slug: "welcome",
            text: """
                workflow: welcome
                enabled: true
                allowReentry: true
                trigger: {event: signup}
                steps:
                  signed-up: {type: TRIGGER, next: mail}
                  mail: {type: SEND_EMAIL, config: {template: welcome}, next: done}
                  done: {type: EXIT, config: {reason: written}}
                templates:
                  welcome:
                    type: TRANSACTIONAL
                    from: \(Site.inbox)
                    subject: Welcome
                    text: |
                """ + "\n" + lines + "\n")
    }
}
