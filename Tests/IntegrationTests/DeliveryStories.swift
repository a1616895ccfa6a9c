import JSONValue
import ServerTestKit
import Testing

/// What the relay says decides what becomes of a mail; what the sender does decides how often a mail counts.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DeliveryStories {
    private static let sender = "ann@sender.example"

    @Test(arguments: [StoryRelay.Point.recipient, .content])
    func mailDeferredTwiceIsDeliveredByTheThirdAttempt(point: StoryRelay.Point) async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        relay.answer(at: point, ["451 4.3.0 Not now", "451 4.3.0 Not yet"])
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        let line = try await daemon.process.waitForLine(containing: "mail delivered")
        #expect(line.text.contains("attempt=3"), "\(line.text)")
        try await daemon.waitUntilSettled()
        #expect(relay.attempts == 3)
        #expect(relay.messages.count == 1)
        #expect(try await daemon.counter("possible_duplicates") == 0)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func refusedRecipientIsNotTriedAgainAndBecomesABounce() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(
            relayPort: relay.port, workflows: [.answerAndWait, .note("email.bounced", slug: "bounced")])
        relay.answer(at: .recipient, ["550 5.1.1 No such user"])
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        let noted = try await daemon.waitForExecution(of: "bounced", contact: Self.sender, status: "EXITED")
        #expect(noted["exitReason"]?.stringValue == "noted")
        try await daemon.waitUntilSettled()
        #expect(daemon.process.lines.contains { $0.text.contains("mail bounced") && $0.text.contains("attempt=1") })
        // Another mail goes the same way a second later than any retry would have.
        try await story.deliver(from: "ben@sender.example", StoryMail.text(from: "ben@sender.example"))
        try await relay.waitForMessages(to: "ben@sender.example")
        #expect(relay.attempts == 2)
        #expect(try await daemon.executions(of: "bounced").count == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailWaitsForARelayThatIsDown() async throws {
        let port = try freePort()
        let story = try await StorySite(relayPort: port)
        let daemon = try await story.start()
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender))
        try await daemon.process.waitForLine(containing: "mail pending")
        let relay = try StoryRelay(port: port)
        try await relay.waitForMessages(to: Self.sender)
        try await daemon.waitUntilSettled()
        #expect(relay.messages.count == 1)
        #expect(try await daemon.counter("possible_duplicates") == 0)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func everyRoutedRecipientOfOneMailCountsOnce() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(
            relayPort: relay.port, workflows: [.answer],
            routes: ["recipient: sales@test.example", "domain: shop.test.example"])
        try await story.site.postfix.reconfigure { $0.domains.append("shop.test.example") }
        let daemon = try await story.start()
        let recipients = [
            Site.inbox, "sales@test.example", "any@shop.test.example", "nobody@test.example", "SALES@test.example",
        ]
        let text = StoryMail.text(from: Self.sender, to: recipients.joined(separator: ", "))
        try await story.deliver(from: Self.sender, to: recipients, text)
        try await relay.waitForMessages(3, to: Self.sender)
        try await daemon.waitUntilSettled()
        let executions = try await daemon.executions(of: "answer", contact: Self.sender)
        #expect(executions.count == 3)
        // Each reply comes from the address that was written to.
        let writers = relay.messages.map { StoryMail.field("From", of: $0.text) }.sorted()
        #expect(writers.count == 3, "\(writers)")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailSentAgainAfterALostAnswerCountsOnce() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [.answer])
        let daemon = try await story.start()
        let text = StoryMail.text(from: Self.sender)
        let first = try await story.site.receive(from: Self.sender, text)
        let second = try await story.site.receive(from: Self.sender, text)
        #expect(first.queueID != nil && second.queueID != nil && first.queueID != second.queueID)
        // Another mail of the same text is another mail, which is not answered again so soon.
        try await story.deliver(from: Self.sender, StoryMail.text(from: Self.sender, id: "2-\(Self.sender)"))
        try await relay.waitForMessages(1, to: Self.sender)
        try await daemon.waitUntilSettled()
        #expect(relay.messages.count == 1)
        #expect(try await daemon.executions(of: "answer").count == 2)
        #expect(try await daemon.counter("receptions_repeated") == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }
}
