import Foundation
import JSONValue
import ServerTestKit
import Testing

/// The daemon is killed while it hands mail to a real Postfix that shows it to the daemon's own milter: every mail arrives, and
/// none of them twice.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct ExactlyOnceStories {
    /// A small linear congruential generator (Knuth's MMIX constants): the same moments in every run.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    /// - Parameter proofWait: a minute where the proof comes. Then it is the first look that finds it, however slow the
    ///   machine is: what goes out when the wait is over is found again by the milter, and counted as discarded.
    private static func site(proofWait: String = "3s") async throws -> StorySite {
        try await StorySite(
            relayPort: nil, workflows: [DeliveryLogStories.welcome],
            settings: DeliveryLogStories.settings(proofWait: proofWait))
    }

    /// Every mail of these is in its mailbox once, and nothing is on its way any more.
    static func expectOneCopyEach(_ addresses: [String], _ story: StorySite) async throws {
        try await eventually("all mail has left Postfix", deadline: .seconds(60)) {
            try await story.site.postfix.queueIDs().isEmpty
        }
        var copies: [String: Int] = [:]
        for message in try await story.site.sink.messages() {
            for recipient in message.recipients { copies[recipient, default: 0] += 1 }
        }
        let wrong = addresses.filter { copies[$0] != 1 }
        #expect(wrong.isEmpty, "\(wrong.map { "\($0): \(copies[$0] ?? 0)" })")
    }

    // MARK: At every point

    @Test func killedAtAnyPointOfADeliveryItIsSentOnce() async throws {
        let story = try await Self.site(proofWait: "60s")
        let proxy = try StoryProxy(relay: story.site.postfix.port)
        var addresses: [String] = []
        for (number, point) in StoryProxy.Point.allCases.enumerated() {
            let address = "p\(number)@customer.example"
            addresses.append(address)
            let first = try await story.start(relayPort: proxy.port)
            proxy.hold(at: point)
            #expect(try await first.track("signup", address) == 200)
            try await proxy.waitUntilHeld()
            try await first.process.kill()
            proxy.release()
            let second = try await story.start(relayPort: proxy.port)
            try await second.waitUntilSettled()
            try await eventually("\(point): the mail arrives") { try await !story.site.mailbox(address).isEmpty }
            let prevented = try await second.counter("duplicates_prevented")
            #expect(prevented == (point == .init(step: .content, isAnswered: true) ? 1 : 0), "\(point)")
            try await second.process.terminate()
        }
        try await Self.expectOneCopyEach(addresses, story)
        proxy.stop()
        try await story.stop()
    }

    /// The note is there, and the mail is not: a filter behind ours has refused it, and nobody lived to hear of it.
    @Test func mailThatPostfixGaveUpAfterOurAnswerIsSentAgain() async throws {
        let story = try await Self.site()
        let last = try StoryMilter()
        try await story.site.postfix.reconfigure { $0.milters.append(last.endpoint) }
        let first = try await story.start()
        last.refuse(1)
        last.hold()
        #expect(try await first.track("signup", "ann@customer.example") == 200)
        try await last.waitUntilHeld()
        try await first.process.kill()
        last.release()
        let second = try await story.start()
        try await second.waitUntilSettled()
        try await eventually("the mail arrives") { try await !story.site.mailbox("ann@customer.example").isEmpty }
        #expect(try await second.counter("duplicates_prevented") == 0)
        try await Self.expectOneCopyEach(["ann@customer.example"], story)
        try await second.process.terminate()
        last.stop()
        try await story.stop()
    }

    /// The same, and it was only slow: the proof comes while it is waited for, and nothing is sent.
    @Test func mailThatIsStillWithAFilterBehindOursIsWaitedFor() async throws {
        let story = try await Self.site(proofWait: "60s")
        let last = try StoryMilter()
        try await story.site.postfix.reconfigure { $0.milters.append(last.endpoint) }
        let first = try await story.start()
        last.hold()
        #expect(try await first.track("signup", "ann@customer.example") == 200)
        try await last.waitUntilHeld()
        try await first.process.kill()
        let second = try await story.start()
        last.release()
        try await second.waitUntilSettled()
        try await eventually("the mail arrives") { try await !story.site.mailbox("ann@customer.example").isEmpty }
        #expect(try await second.counter("duplicates_prevented") == 1)
        #expect(try await second.counter("submissions_discarded") == 0)
        try await Self.expectOneCopyEach(["ann@customer.example"], story)
        try await second.process.terminate()
        last.stop()
        try await story.stop()
    }

    @Test func aRetryAfterA4xxOfALaterFilterGoesIn() async throws {
        let story = try await Self.site()
        let last = try StoryMilter()
        try await story.site.postfix.reconfigure { $0.milters.append(last.endpoint) }
        let daemon = try await story.start()
        last.refuse(2)
        #expect(try await daemon.track("signup", "ann@customer.example") == 200)
        try await daemon.process.waitForLine(containing: "mail pending")
        try await daemon.waitUntilSettled()
        try await eventually("the mail arrives") { try await !story.site.mailbox("ann@customer.example").isEmpty }
        #expect(try await daemon.counter("submissions_discarded") == 0)
        try await Self.expectOneCopyEach(["ann@customer.example"], story)
        try await daemon.process.terminate()
        last.stop()
        try await story.stop()
    }

    // MARK: At random

    /// `make kill COUNT=3000` plays it longer.
    @Test func killedAtRandomMomentsEveryMailArrivesOnce() async throws {
        let kills = ProcessInfo.processInfo.environment["POSTRIDER_KILLS"].flatMap { Int($0) } ?? 100
        let story = try await Self.site()
        try await story.site.postfix.reconfigure { $0.parameters["default_process_limit"] = "20" }
        var dice = Dice(state: 42)
        var (addresses, done): ([String], Int) = ([], 0)
        while done < kills {
            // Nothing leaves in this life: its relay is nobody.
            let filling = try await story.start(relayPort: 1)
            for _ in 0..<300 {
                let address = "r\(addresses.count)@customer.example"
                addresses.append(address)
                #expect(try await filling.track("signup", address) == 200)
            }
            try await filling.process.kill()
            for _ in 0..<50 where done < kills {
                let daemon = try await story.start()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...120, using: &dice)))
                try await daemon.process.kill()
                done += 1
            }
        }
        let last = try await story.start()
        try await last.waitUntilSettled(deadline: .seconds(120))
        try await Self.expectOneCopyEach(addresses, story)
        let prevented = try await last.counter("duplicates_prevented")
        let discarded = try await last.counter("submissions_discarded")
        let possible = try await last.counter("possible_duplicates")
        print(
            "\(done) kills, \(addresses.count) mails: \(possible) attempts ended in the dark, \(prevented) found queued, \(discarded) discarded"
        )
        try await last.process.terminate()
        try await story.stop()
    }
}
