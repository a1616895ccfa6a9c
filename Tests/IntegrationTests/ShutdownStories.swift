import Glibc
import JSONValue
import ServerTestKit
import Testing

/// An orderly stop finishes what is under way and takes nothing new.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ShutdownStories {
    private static let sender = "ann@sender.example"

    @Test func mailUnderWayIsFinishedWhileNewMailIsPutOff() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let client = try await story.site.connectStranger()
        for line in ["MAIL FROM:<\(Self.sender)>", "RCPT TO:<\(Site.inbox)>", "DATA"] {
            let reply = try await client.command(line)
            try #require(reply.isPositive, "\(line): \(reply)")
        }
        // Postfix answers these by itself and does not wait for the milter, which might hear of the mail behind its stop.
        try await eventually("the milter knows of the mail") {
            try await first.health()["milter"]?["messagesInFlight"] == 1
        }
        let start = ContinuousClock.now
        first.process.signal(SIGTERM)
        try await first.process.waitForLine(containing: "stopping")
        try await eventually("new mail is put off") {
            let text = StoryMail.text(from: "ben@sender.example")
            let reply = try await story.site.receive(from: "ben@sender.example", text).final
            #expect(reply.code == 250 || (400...499).contains(reply.code), "\(reply)")
            return !reply.isPositive
        }
        #expect(first.process.exitStatus == nil)
        let reply = try await client.content(SMTPClient.wireBytes(StoryMail.text(from: Self.sender)))
        #expect(reply?.code == 250, "\(String(describing: reply))")
        client.hangUp()
        #expect(try await first.process.waitForExit(deadline: .seconds(25)) == .exited(0))
        #expect(ContinuousClock.now - start < .seconds(25))

        let second = try await story.start()
        try await relay.waitForMessages(to: Self.sender)
        try await second.waitUntilSettled()
        #expect(relay.messages(to: Self.sender).count == 1)
        #expect(try await second.executions(of: "answer", contact: Self.sender).count == 1)
        #expect(try await second.counter("possible_duplicates") == 0)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func deliveryUnderWayIsFinishedAndRecorded() async throws {
        let (relay, story, first) = try await StorySite.holding(.content, answering: Self.sender)
        first.process.signal(SIGTERM)
        // The milter is the first to stop; from now on the daemon waits for nothing but the relay.
        try await first.process.waitForLine(containing: "milter has stopped")
        #expect(first.process.exitStatus == nil)
        relay.release()
        #expect(try await first.process.waitForExit(deadline: .seconds(25)) == .exited(0))
        #expect(relay.messages.count == 1)

        let second = try await story.start()
        try await second.waitUntilSettled()
        #expect(try await second.counter("possible_duplicates") == 0)
        #expect(relay.messages.count == 1 && relay.attempts == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func relayThatNeverAnswersDoesNotKeepTheDaemonFromStopping() async throws {
        let (relay, story, first) = try await StorySite.holding(.content, answering: Self.sender)
        #expect(try await first.process.terminate(deadline: .seconds(30)) == .exited(0))
        // Now the relay takes the mail after all, as one that was only slow would.
        relay.release()

        let second = try await story.start()
        try await relay.waitForMessages(to: Self.sender)
        try await second.waitUntilSettled()
        let possible = try await second.counter("possible_duplicates")
        #expect(possible == 1)
        #expect(relay.messages.count <= 1 + possible)
        #expect(Set(relay.messages.map(\.messageID)).count == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func hangUpSignalAndASecondDaemonLeaveTheFirstAtWork() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let daemon = try await story.start()
        daemon.process.signal(SIGHUP)
        try await daemon.process.waitForLine(containing: "SIGHUP is ignored")

        let other = try DaemonProcess(try BuiltProduct.path(), ["serve", "--config", story.site.configurationPath])
        #expect(try await other.waitForExit() == .exited(1))
        try await eventually("its last words") { other.lines.contains { $0.text.contains("critical") } }
        let complaints = other.lines.map(\.text).filter { $0.contains("critical") }
        #expect(complaints.count == 1, "\(complaints)")
        #expect(complaints.allSatisfy { $0.contains("another postrider works with this database") }, "\(complaints)")

        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await relay.waitForMessages(to: Self.sender)
        #expect(try await daemon.process.terminate() == .exited(0))
        try await story.stop()
    }
}
