import Glibc
import ServerTestKit
import Testing

/// The daemon is killed while a mail comes in: its sender keeps it, tries again, and it counts once.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CrashStoriesInbound {
    /// How far the sender got before the daemon died.
    enum Progress: Int, CaseIterable, Sendable, CustomTestStringConvertible {
        case hello, mail, recipient, data, halfTheContent, allButTheFinalDot

        var testDescription: String { "\(self)" }
    }

    /// A sender's mail transaction as single acts, so that it can be stopped between any two.
    private struct Sending {
        private enum Act {
            case command(String)
            case content([UInt8])
        }

        private let client: SMTPClient
        private let acts: [Act]

        init(_ client: SMTPClient, from sender: String, _ text: String) {
            self.client = client
            let bytes = SMTPClient.wireBytes(text)
            let half = bytes.count / 2
            acts = [
                .command("MAIL FROM:<\(sender)>"), .command("RCPT TO:<\(Site.inbox)>"), .command("DATA"),
                .content(Array(bytes[..<half])), .content(Array(bytes[half...])), .command("."),
            ]
        }

        /// Does the acts up to the point; all of them must go well.
        func begin(until progress: Progress) async throws {
            for act in acts.prefix(progress.rawValue) {
                switch act {
                case .command(let line):
                    let reply = try await client.command(line)
                    try #require(reply.isPositive, "\(line): \(reply)")
                case .content(let bytes): try await client.send(bytes)
                }
            }
        }

        /// Does the rest.
        /// - Returns: the reply that ended it; nil when the connection was lost.
        func end(from progress: Progress) async throws -> SMTPReply? {
            var last: SMTPReply?
            do {
                for act in acts.dropFirst(progress.rawValue) {
                    switch act {
                    case .command(let line):
                        last = try await client.command(line)
                        if last?.isPositive == false { return last }
                    case .content(let bytes): try await client.send(bytes)
                    }
                }
            } catch let error as FixtureError where error.code == .connection {
                return nil
            }
            return last
        }
    }

    @Test(arguments: Progress.allCases)
    func mailUnderWayIsTriedAgainAndAnsweredOnce(progress: Progress) async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let text = StoryMail.text(from: "ann@sender.example")

        let client = try await story.site.connectStranger()
        let sending = Sending(client, from: "ann@sender.example", text)
        try await sending.begin(until: progress)
        try await first.process.kill()
        let reply = try await sending.end(from: progress)
        client.hangUp()
        #expect(reply.map { (400...499).contains($0.code) } ?? true, "\(progress): \(reply?.description ?? "lost")")

        let second = try await story.start()
        try await story.deliver(from: "ann@sender.example", text)
        try await expectOneAnswer(to: "ann@sender.example", relay, second)
        #expect(try await second.counter("receptions_repeated") == 0)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func mailWhoseEndTheDaemonDidNotLiveToReadIsTriedAgain() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let first = try await story.start()
        let text = StoryMail.text(from: "ann@sender.example")

        let client = try await story.site.connectStranger()
        let sending = Sending(client, from: "ann@sender.example", text)
        try await sending.begin(until: .allButTheFinalDot)
        // Stopped, it cannot answer the end of the message; Postfix waits for it until it dies.
        try await first.process.freeze()
        try await client.send(Array(".\r\n".utf8))
        try await first.process.kill()
        let reply = try await client.reply()
        client.hangUp()
        #expect((400...499).contains(reply.code), "\(reply)")

        let second = try await story.start()
        try await story.deliver(from: "ann@sender.example", text)
        try await expectOneAnswer(to: "ann@sender.example", relay, second)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func acceptedMailIsAnsweredOnceAfterTheRestart() async throws {
        // Nobody listens there yet, so the reply cannot have left when the daemon dies.
        let port = try freePort()
        let story = try await StorySite(relayPort: port)
        let first = try await story.start()
        let text = StoryMail.text(from: "ann@sender.example")
        let delivery = try await story.site.receive(from: "ann@sender.example", text)
        try await first.process.kill()
        #expect(delivery.final.code == 250)

        let relay = try StoryRelay(port: port)
        let second = try await story.start()
        try await expectOneAnswer(to: "ann@sender.example", relay, second)
        // A sender that did not get the 250 comes again.
        let attempts = try await story.deliver(from: "ann@sender.example", text)
        try await expectOneAnswer(to: "ann@sender.example", relay, second)
        let repeated = try await second.counter("receptions_repeated")
        #expect(repeated == attempts)
        try await second.process.terminate()
        try await story.stop()
    }

    private func expectOneAnswer(to sender: String, _ relay: StoryRelay, _ daemon: RunningDaemon) async throws {
        try await relay.waitForMessages(to: sender)
        try await daemon.waitUntilSettled()
        #expect(relay.messages(to: sender).count == 1)
        #expect(try await daemon.executions(of: "answer", contact: sender).count == 1)
    }
}
