import JSONValue
import ServerTestKit
import Testing

/// The daemon is killed between the reply and its end: the execution goes on where it was.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CrashStoriesWaiting {
    private static let sender = "ann@sender.example"

    @Test func executionThatWaitedEndsWhenTheReplyIsOpenedAfterTheRestart() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let pixel = try await reachWaiting(story, relay, first)
        try await first.process.kill()

        let second = try await story.start()
        let waiting = try await second.executions(of: "answer")
        #expect(waiting.map { $0["status"]?.stringValue } == ["WAITING"])
        let image = try await second.fetchPixel(pixel)
        #expect(image.status == 200)
        let done = try await second.waitForExecution(contact: Self.sender, status: "EXITED")
        #expect(done["exitReason"]?.stringValue == "opened")
        #expect(relay.messages.count == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func openIsKeptWhenTheDaemonDiesRightAfterThePixel() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let pixel = try await reachWaiting(story, relay, first)
        let image = try await first.fetchPixel(pixel)
        try await first.process.kill()
        #expect(image.status == 200)

        let second = try await story.start()
        let done = try await second.waitForExecution(contact: Self.sender, status: "EXITED")
        #expect(done["exitReason"]?.stringValue == "opened")
        #expect(try await second.executions(of: "answer").count == 1)
        #expect(relay.messages.count == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func executionThatEndedStaysEnded() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let pixel = try await reachWaiting(story, relay, first)
        _ = try await first.fetchPixel(pixel)
        let ended = try await first.waitForExecution(contact: Self.sender, status: "EXITED")
        try await first.process.kill()

        let second = try await story.start()
        _ = try await second.fetchPixel(pixel)
        try await second.waitUntilSettled()
        #expect(try await second.executions(of: "answer") == [ended])
        #expect(relay.messages.count == 1)
        try await second.process.terminate()
        try await story.stop()
    }

    /// A mail comes, is answered, and the answer's delivery is recorded.
    /// - Returns: the path of the answer's pixel.
    private func reachWaiting(
        _ story: StorySite, _ relay: StoryRelay, _ daemon: RunningDaemon
    ) async throws -> String {
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        let reply = try await relay.waitForMessages(to: Self.sender)
        try await daemon.waitForExecution(contact: Self.sender, status: "WAITING")
        try await daemon.waitUntilSettled()
        return try #require(reply.first.flatMap { StoryMail.pixel(of: $0.text) }, "\(reply)")
    }
}
