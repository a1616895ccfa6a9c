import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import Engine

/// What is forgotten of broadcasts and of looks at mail, and what stays.
@Suite struct BroadcastRetentionTests {
    private static let day: Int64 = 86_400

    private func recipients(_ stage: BroadcastStage) throws -> Int? {
        try Rows(stage.database.path).count("SELECT count(*) FROM broadcast_mails")
    }

    @Test func recipientsOfAnEndedBroadcastAreForgottenAndItsCountsStay() async throws {
        let stage = try await BroadcastStage()
        stage.engine.context.trackingAddress.value = "https://mail.example.com"
        try await stage.people(1200)
        let broadcast = try await stage.send()
        try await stage.run()
        try await unsubscribe(by: stage.mails[7], stage)
        let stats = try await stage.broadcasts.stats(of: broadcast.id).total
        #expect(stats == BroadcastCounts([.recipients: 1200, .sent: 1200, .unsubscribed: 1]))
        let housekeeping = Housekeeping(context: stage.engine.context)
        // To the second.
        stage.engine.clock.advance(seconds: 90 * Self.day)
        #expect(try await housekeeping.sweepBroadcasts() == 0)
        stage.engine.clock.advance(seconds: 1)
        #expect(try await housekeeping.sweepBroadcasts() == 1200)
        #expect(try recipients(stage) == 0)
        #expect(try await stage.broadcasts.stats(of: broadcast.id).total == stats)
        // What comes so late counts no more, and none of it is sent again.
        let last = stage.mails[8]
        try await unsubscribe(by: last, stage)
        #expect(try await stage.engine.contact(try #require(last.field("To")))?.isSubscribed == false)
        try await stage.run()
        #expect(try await stage.broadcasts.stats(of: broadcast.id).total == stats)
        #expect(stage.recipients.count == 1200)
        #expect(try await housekeeping.sweepBroadcasts() == 0)
    }

    /// However long it takes, who has his mail gets no other.
    @Test func recipientsOfABroadcastUnderWayAreKept() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(40)
        try await stage.segment("vip", people)
        let broadcast = try await stage.send(
            segment: "vip", variants: ["a", "b"], test: .init(share: 50, rule: .manual))
        try await stage.run()
        let written = stage.recipients.count
        #expect(written > 0 && written < 40)
        let housekeeping = Housekeeping(context: stage.engine.context)
        stage.engine.clock.advance(seconds: 400 * Self.day)
        #expect(try await housekeeping.sweepBroadcasts() == 0)
        _ = try await stage.broadcasts.pause(broadcast.id)
        stage.engine.clock.advance(seconds: 400 * Self.day)
        #expect(try await housekeeping.sweepBroadcasts() == 0)
        _ = try await stage.broadcasts.resume(broadcast.id)
        _ = try await stage.broadcasts.choose("a", for: broadcast.id)
        try await stage.run()
        #expect(Set(stage.recipients).count == 40 && stage.recipients.count == 40)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
        stage.engine.clock.advance(seconds: 91 * Self.day)
        #expect(try await housekeeping.sweepBroadcasts() == 40)
    }

    @Test func cancelledBroadcastIsForgottenToo() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(10)
        let broadcast = try await stage.send()
        try await stage.write()
        _ = try await stage.broadcasts.cancel(broadcast.id)
        let housekeeping = Housekeeping(context: stage.engine.context)
        stage.engine.clock.advance(seconds: 91 * Self.day)
        // Its mails have yet to be dropped.
        #expect(try await housekeeping.sweepBroadcasts() == 0)
        try await stage.run()
        #expect(try await housekeeping.sweepBroadcasts() == 10)
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 10, .cancelled: 10]))
        #expect(stage.recipients.isEmpty)
    }

    @Test func looksThatNobodyIsShownAnyMoreAreForgotten() async throws {
        let (engine, database) = try await makeEngine()
        let place = SharedPlace(project: engine.project.id, version: nil, step: "")
        let start = engine.clock.now()
        try await engine.context.transact { transaction in
            for number in 0..<1100 {
                try transaction.store.count(
                    SharedHit(place: place, link: "https://x.example/\(number)", at: start, isMachine: false))
            }
        }
        func rows() throws -> Int? { try Rows(database.path).count("SELECT count(*) FROM shared_hits") }
        let housekeeping = Housekeeping(context: engine.context)
        let opens = Opens(context: engine.context)
        engine.clock.advance(seconds: Int64(Opens.longestOverview - 1) * Self.day)
        #expect(try await housekeeping.sweep() == 0)
        #expect(try await opens.overview(of: engine.project.id, days: Opens.longestOverview).counts.count == 1100)
        engine.clock.advance(seconds: Self.day)
        #expect(try await opens.overview(of: engine.project.id, days: Opens.longestOverview).counts.isEmpty)
        #expect(try rows() == 1100)
        #expect(try await housekeeping.sweep() == 1100)
        #expect(try rows() == 0)
    }

    private func unsubscribe(by mail: SentMail, _ stage: BroadcastStage) async throws {
        let token = String(try #require(mail.tokens("u").first))
        _ = try await OptOuts(context: stage.engine.context).unsubscribe(token, reason: .oneClick)
    }
}
