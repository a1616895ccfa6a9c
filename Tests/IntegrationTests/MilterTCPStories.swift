import ServerTestKit
import Testing

/// The milter's TCP entrance under a real Postfix: the same events, and none of the waits that small packets bring about
/// when the two ends do not take care (40 ms each).
@Suite(.serialized, .timeLimit(.minutes(1)))
struct MilterTCPStories {
    @Test func twentyMailsArriveOverTCPAsFastAsOverTheSocket() async throws {
        let port = try freePort()
        try await BadInputStage.play(prepare: { plan, _ in plan.milterLines = "  tcp: \"127.0.0.1:\(port)\"" }) {
            stage in
            let local = try await Self.deliver(20, as: "local", stage)
            try await stage.site.postfix.reconfigure {
                $0.milters = ["{ inet:127.0.0.1:\(port), default_action=tempfail }"]
                $0.internalMilters = []
            }
            let remote = try await Self.deliver(20, as: "remote", stage)
            // The TCP entrance is in use at all: without it the mails would have been deferred.
            for name in ["local", "remote"] {
                for number in 0..<20 {
                    #expect(try await stage.runs(of: "\(name)-\(number)@sender.example").count == 1)
                }
            }
            #expect(
                remote - local < .milliseconds(20), "a mail takes \(local) over the socket and \(remote) over TCP")
        }
    }

    @Test func anAddressThatOthersReachNeedsToBeAllowed() async throws {
        let directory = try ServerDirectory.temporary()
        var configuration = BadInputConfiguration(in: directory)
        configuration.socket += "\n  tcp: \"0.0.0.0:\(try freePort())\""
        let refusal = try await BadInputCommand.run(["serve", "--config", try configuration.write()])
        #expect(refusal.status == .exited(1))
        #expect(refusal.text.contains("milter.tcp"), "\(refusal.text)")
        try await directory.remove()
    }

    @Test func aTakenPortIsNamed() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        var configuration = BadInputConfiguration(in: directory)
        configuration.socket += "\n  tcp: \"127.0.0.1:\(sink.port)\""
        let refusal = try await BadInputCommand.run(["serve", "--config", try configuration.write()])
        #expect(refusal.status == .exited(1))
        #expect(refusal.text.contains("milter's TCP address 127.0.0.1:\(sink.port)"), "\(refusal.text)")
        #expect(refusal.text.contains("Address already in use"), "\(refusal.text)")
        try await sink.stop()
        try await directory.remove()
    }

    /// Sends mails one after the other, each in a session of its own.
    /// - Returns: the shortest time from MAIL to the reply to the final dot: what a busy machine adds is no stall, and a
    ///   stall is in every mail.
    private static func deliver(_ count: Int, as name: String, _ stage: BadInputStage) async throws -> Duration {
        var times: [Duration] = []
        for number in 0..<count {
            let sender = "\(name)-\(number)@sender.example"
            let client = try await stage.site.connectStranger()
            defer { client.hangUp() }
            let start = ContinuousClock.now
            let delivery = try await client.deliver(
                from: sender, to: [Site.inbox], SMTPClient.wireBytes(BadInputStage.mail(from: sender)))
            times.append(.now - start)
            #expect(delivery.final.code == 250, "\(delivery.final)")
        }
        return times.min() ?? .zero
    }
}
