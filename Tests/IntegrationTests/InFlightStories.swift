import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Too much mail at once is put off and lost to nobody, with a real Postfix.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct InFlightStories {
    private static let note = StoryWorkflow.note("email.received", slug: "note")

    private static func large(_ sender: String, bytes: Int) -> String {
        let line = String(repeating: "x", count: 69) + "\n"
        return StoryMail.text(from: sender, body: String(repeating: line, count: bytes / 70))
    }

    @Test func aClientThatBringsTooMuchIsPutOff() async throws {
        let directory = try ServerDirectory.temporary()
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.note], in: directory,
            milter: "  client_bytes: 1MiB\n  in_flight_bytes: 4MiB")
        let daemon = try await story.start()
        let refused = try await story.site.receive(
            from: "eve@sender.example", Self.large("eve@sender.example", bytes: 3 << 20))
        #expect(refused.final.code == 452 && refused.final.text.contains("4.3.1"), "\(refused.final)")
        // Its place is free again, and nobody else had to wait.
        let small = try await story.site.receive(
            from: "ann@sender.example", Self.large("ann@sender.example", bytes: 1 << 19))
        #expect(small.final.code == 250, "\(small.final)")
        try await daemon.waitForExecution(of: "note", contact: "ann@sender.example", status: "EXITED")
        #expect(try await daemon.executions(of: "note", contact: "eve@sender.example").isEmpty)
        let milter = try await daemon.health()["milter"]
        #expect(milter?["refusedBusy"] == 1 && milter?["bytesInFlight"] == 0, "\(milter ?? .null)")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func oneMailTooManyIsPutOffWhileTheOtherIsUnderWay() async throws {
        let directory = try ServerDirectory.temporary()
        let story = try await StorySite(
            relayPort: nil, workflows: [Self.note], in: directory, milter: "  client_messages: 1")
        let daemon = try await story.start()
        let first = try await story.site.connectStranger()
        for line in ["MAIL FROM:<ann@sender.example>", "RCPT TO:<\(Site.inbox)>", "DATA"] {
            #expect(try await first.command(line).isPositive, "\(line)")
        }
        let second = try await story.site.receive(
            from: "ben@sender.example", StoryMail.text(from: "ben@sender.example"))
        #expect(second.final.code == 452, "\(second.final)")
        let text = SMTPClient.wireBytes(StoryMail.text(from: "ann@sender.example"))
        let answer = try await first.content(text)
        #expect(answer?.code == 250, "\(String(describing: answer))")
        first.hangUp()
        try await story.deliver(from: "cleo@sender.example", StoryMail.text(from: "cleo@sender.example"))
        try await daemon.waitForExecution(of: "note", contact: "cleo@sender.example", status: "EXITED")
        #expect(try await daemon.health()["milter"]?["messagesInFlight"] == 0)
        try await daemon.process.terminate()
        try await story.stop()
    }
}
