import Glibc
import JSONValue
import ServerTestKit
import Testing

/// The daemon is killed while its mail goes out: the mail is not lost, and only one whose 250 it did not live to record
/// can arrive twice, with the same Message-ID, and counted.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CrashStoriesOutbound {
    private static let sender = "ann@sender.example"

    @Test(arguments: StoryRelay.Point.allCases)
    func mailWithoutA250IsSentOnceInTheEnd(point: StoryRelay.Point) async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        relay.hold(at: point)
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await relay.waitUntilHeld()
        try await first.process.kill()
        relay.release()
        #expect(relay.messages.isEmpty)

        let second = try await story.start()
        try await relay.waitForMessages(to: Self.sender)
        try await second.waitUntilSettled()
        #expect(relay.messages.count == 1)
        // Nobody can know afterwards how far the attempt had come, so it counts.
        #expect(try await second.counter("possible_duplicates") == 1)
        #expect(try await second.executions(of: "answer").count == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func mailWhose250WasNotRecordedComesTwiceWithOneMessageIDAndIsCounted() async throws {
        let (relay, story, first) = try await StorySite.holding(.content, answering: Self.sender)
        // Stopped, it has the 250 in its socket and does not come to record it.
        try await first.process.freeze()
        relay.release()
        try await eventually("the 250 is on the wire") { relay.answered == 1 }
        try await first.process.kill()

        let second = try await story.start()
        let copies = try await relay.waitForMessages(2, to: Self.sender)
        try await second.waitUntilSettled()
        #expect(relay.messages.count == 2)
        #expect(copies[0].messageID == copies[1].messageID && !copies[0].messageID.isEmpty)
        #expect(StoryMail.field("Date", of: copies[0].text) == StoryMail.field("Date", of: copies[1].text))
        #expect(try await second.counter("possible_duplicates") == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func recordedDeliveryIsNotRepeated() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await first.process.waitForLine(containing: "mail delivered")
        try await first.process.kill()

        let second = try await story.start()
        try await second.waitUntilSettled()
        // A second mail's reply shows that the outbox has been looked through.
        try await story.deliver(from: "ben@sender.example", StoryMail.text(from: "ben@sender.example"))
        try await relay.waitForMessages(to: "ben@sender.example")
        #expect(relay.messages(to: Self.sender).count == 1)
        #expect(try await second.counter("possible_duplicates") == 0)
        try await second.process.terminate()
        try await story.stop()
    }
}
