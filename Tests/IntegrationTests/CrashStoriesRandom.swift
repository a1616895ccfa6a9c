import JSONValue
import ServerTestKit
import Synchronization
import Testing

/// Many mails come in while the daemon dies at moments that nobody chose.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CrashStoriesRandom {
    private static let senders = (1...15).map { "sender\($0)@sender.example" }

    /// Commands seen by the relay: the daemon's age, measured in what it did.
    private final class Activity: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func add() { count.withLock { $0 += 1 } }
    }

    /// A small linear congruential generator (Knuth's MMIX constants): the same moments in every run.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func everyAcceptedMailCountsOnceAndIsAnswered(seed: UInt64) async throws {
        let activity = Activity()
        let relay = try StoryRelay { activity.add() }
        let story = try await StorySite(relayPort: relay.port)
        var dice = Dice(state: seed)
        let daemon = try await withThrowingTaskGroup(of: Void.self) { group in
            var daemon = try await story.start()
            for sender in Self.senders {
                group.addTask { try await story.deliver(from: sender, StoryMail.text(from: sender)) }
            }
            for _ in 1...5 {
                let before = activity.value
                let age = Int.random(in: 1...14, using: &dice)
                // The last lives find nothing more to do, and die idle.
                try? await eventually("\(age) acts", deadline: .seconds(1), every: .milliseconds(1)) {
                    activity.value - before >= age
                }
                try await daemon.process.kill()
                daemon = try await story.start()
            }
            try await group.waitForAll()
            return daemon
        }
        try await expectEverybodyServed(relay, daemon)
        try await daemon.process.terminate()
        try await story.stop()
    }

    private func expectEverybodyServed(_ relay: StoryRelay, _ daemon: RunningDaemon) async throws {
        for sender in Self.senders { try await relay.waitForMessages(to: sender) }
        try await daemon.waitUntilSettled()
        let executions = try await daemon.executions(of: "answer").compactMap { $0["contact"]?["email"]?.stringValue }
        #expect(executions.sorted() == Self.senders.sorted())
        for sender in Self.senders {
            let copies = relay.messages(to: sender)
            #expect(Set(copies.map(\.messageID)).count == 1, "\(sender): \(copies.map(\.messageID))")
        }
        let extra = relay.messages.count - Self.senders.count
        let possible = try await daemon.counter("possible_duplicates")
        #expect(extra <= possible, "\(extra) extra copies, \(possible) counted")
    }
}
