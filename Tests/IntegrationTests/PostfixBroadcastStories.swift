import Foundation
import JSONValue
import ServerTestKit
import Testing

/// A broadcast over a real Postfix that shows it to the daemon's own milter and whose log is followed: each recipient gets one
/// mail, and the counts say what became of it.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PostfixBroadcastStories {
    /// Whom Postfix refuses as unknown, whom it refuses by a rule of its own, and whose mail it takes and cannot deliver.
    private static let unknown = [3, 40, 77, 150, 299].map(BroadcastStories.address)
    private static let unwanted = [9, 222].map(BroadcastStories.address)
    private static let lost = [5, 120, 201].map(BroadcastStories.address)

    private static func site(settings: String = "") async throws -> StorySite {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.bounced", slug: "bounced")],
            settings: DeliveryLogStories.settings + "mail:\n  default_from: Post <post@example.com>\n" + settings)
        try await story.site.postfix.reconfigure { configuration in
            configuration.parameters["default_process_limit"] = "20"
            for address in unknown { configuration.refused[address] = "5.1.1 no such user" }
            for address in unwanted { configuration.refused[address] = "5.7.1 not from you" }
            for address in lost { configuration.undeliverable[address] = "5.1.1 no such user" }
        }
        return story
    }

    private static func importPeople(_ count: Int, _ story: StorySite) async throws {
        let file = try BroadcastStories.people(count, in: story.directory)
        let said = try await Site.run(
            story.site.plan.executable, ["contact", "import", "--config", story.site.configurationPath, file])
        #expect(said.contains("\(count) created"), "\(said)")
    }

    /// Waits until the log has said of every mail what became of it, and compares the counts.
    private static func expectCounts(of path: String, people: Int, _ daemon: RunningDaemon) async throws {
        let refused = unknown.count + unwanted.count
        let delivered = people - refused - lost.count
        try await eventually("the log tells of each mail", deadline: .seconds(60), every: .milliseconds(100)) {
            let stats = try await daemon.api("\(path)/stats")
            return stats["delivered"]?.intValue == Int64(delivered)
                && stats["bounced"]?.intValue == Int64(refused + lost.count)
        }
        let stats = try await daemon.api("\(path)/stats")
        let expected = [
            "recipients": people, "queued": 0, "sent": people - refused, "failed": refused, "skipped": 0,
            "cancelled": 0, "delivered": delivered, "bounced": refused + lost.count, "complained": 0,
        ]
        for (name, count) in expected {
            #expect(stats[name]?.intValue == Int64(count), "\(name): \(stats[name] ?? .null)")
        }
    }

    /// Who does not exist gets no more mail; who is there and did not want this one does.
    private static func expectSuppressions(_ daemon: RunningDaemon) async throws {
        let listed = try await daemon.api("/suppressions?limit=100")["data"]?.arrayValue ?? []
        let reasons = listed.map { "\($0["email"]?.stringValue ?? "") \($0["reason"]?.stringValue ?? "")" }
        #expect(Set(reasons) == Set((unknown + lost).map { "\($0) bounce" }), "\(reasons)")
    }

    /// Whom Postfix took the mail of has it once, and nobody else has it.
    private static func expectOneCopyEach(people: Int, _ story: StorySite) async throws {
        let away = Set(unknown + unwanted + lost)
        let others = (0..<people).map(BroadcastStories.address).filter { !away.contains($0) }
        try await ExactlyOnceStories.expectOneCopyEach(others, story)
        let wrong = away.intersection(try await story.site.sink.messages().flatMap(\.recipients))
        #expect(wrong.isEmpty, "\(wrong)")
    }

    @Test func eachGetsOneMailAndWhomPostfixRefusesIsCountedAndSuppressed() async throws {
        let story = try await Self.site()
        let people = 300
        try await Self.importPeople(people, story)
        let daemon = try await story.start()
        let path = try await daemon.makeBroadcast()
        try await daemon.post("\(path)/send")
        try await daemon.waitUntilSent(path)
        try await Self.expectCounts(of: path, people: people, daemon)
        try await Self.expectOneCopyEach(people: people, story)
        try await Self.expectSuppressions(daemon)
        // Our milter has seen each of them on its way in, and taken none for a stranger's.
        #expect(try await daemon.counter("submissions_discarded") == 0)
        try await eventually("each bounce is an event") {
            try await daemon.executions(of: "bounced").count
                == Self.unknown.count + Self.unwanted.count + Self.lost.count
        }

        // The next one leaves out whom it would not reach.
        let next = try await daemon.makeBroadcast()
        #expect(try await daemon.api("\(next)/estimate")["sendable"]?.intValue == 292)
        try await daemon.post("\(next)/send")
        try await daemon.waitUntilSent(next)
        #expect(try await daemon.broadcastCount("skipped", of: next) == Self.unknown.count + Self.lost.count)
        #expect(try await daemon.broadcastCount("failed", of: next) == Self.unwanted.count)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func killedInTheMiddleItGoesOnAndNobodyGetsTwo() async throws {
        // So slow that it cannot be done before the story has seen it begin, however busy the machine is.
        let story = try await Self.site(settings: "pacing:\n  - projects: [default]\n    rate: 100/s\n")
        let people = 1200
        try await Self.importPeople(people, story)
        var daemon = try await story.start()
        let path = try await daemon.makeBroadcast()
        try await daemon.post("\(path)/send")
        var kills = 0
        while kills < 5 {
            let before = try await daemon.broadcastCount("sent", of: path)
            guard before < people - 200 else { break }
            let running = daemon
            try await eventually("the broadcast comes on", deadline: .seconds(30), every: .milliseconds(5)) {
                try await running.broadcastCount("sent", of: path) >= before + 20
            }
            try await daemon.process.kill()
            kills += 1
            daemon = try await story.start()
        }
        #expect(kills > 1)
        try await daemon.waitUntilSent(path)
        try await Self.expectCounts(of: path, people: people, daemon)
        try await Self.expectOneCopyEach(people: people, story)
        try await Self.expectSuppressions(daemon)
        let (possible, prevented) = (
            try await daemon.counter("possible_duplicates"), try await daemon.counter("duplicates_prevented")
        )
        print(
            "\(people) mails, \(kills) kills: \(possible) attempts may have made a second copy, \(prevented) found queued"
        )
        try await daemon.process.terminate()
        try await story.stop()
    }
}
