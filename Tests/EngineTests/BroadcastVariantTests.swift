import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Variants of a broadcast, their test, and what is counted of them.
@Suite struct BroadcastVariantTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

    private func open(_ mail: SentMail, _ stage: BroadcastStage, userAgent: String = browser) async throws {
        let token = try #require(mail.tokens("o").first)
        Opens(context: stage.engine.context).note(
            .init(token: token, userAgent: userAgent, address: "192.0.2.7", wantsPrivacy: false))
        // The note has taken its place in the writer's queue; this comes after it.
        _ = try await stage.engine.contact()
    }

    private func click(_ mail: SentMail, _ stage: BroadcastStage, userAgent: String = browser) async throws {
        let token = try #require(mail.tokens("c").first)
        let link = try #require(stage.engine.context.tokens.verifyLink(token))
        Opens(context: stage.engine.context).noteClick(
            entry: link.entry, link: link.destination,
            by: .init(userAgent: userAgent, address: "192.0.2.7", wantsPrivacy: false))
        _ = try await stage.engine.contact()
    }

    private func mails(_ variant: String, _ stage: BroadcastStage) -> [SentMail] {
        stage.mails.filter { $0.field("Subject")?.hasPrefix("\(variant): ") == true }
    }

    // MARK: Who gets what

    @Test func groupsFollowFromTheContactAndAreEven() throws {
        var broadcast = Broadcast(
            id: Identifier(high: 5, low: 6), projectID: Identifier(high: 1, low: 1), name: "B",
            definition: BroadcastDefinition(
                variants: ["a", "b", "c"].map { .init(name: $0, content: .init(subject: $0)) },
                test: .init(share: 30, rule: .opens, duration: 60)), createdAt: Timestamp(seconds: 0))
        // Ids of one moment differ in few bits.
        let contacts = (0..<30_000).map { Identifier(high: 7, low: UInt64($0)) }
        let groups = contacts.map { broadcast.group(of: $0) }
        #expect(groups == contacts.map { broadcast.group(of: $0) })
        for variant in 0..<3 {
            let count = groups.count { $0 == .test(variant) }
            #expect((2800...3200).contains(count), "\(count)")
        }
        // Another broadcast has another test group.
        broadcast.id = Identifier(high: 5, low: 7)
        let others = contacts.map { broadcast.group(of: $0) }
        let both = zip(groups, others).count { $0.0 != .rest && $0.1 != .rest }
        #expect((2400...3000).contains(both), "\(both)")
        broadcast.definition.test = nil
        #expect(!contacts.contains { broadcast.group(of: $0) == .rest })
    }

    @Test func withoutATestEachVariantHasItsPart() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(400)
        let broadcast = try await stage.send(variants: ["a", "b"])
        try await stage.run()
        #expect(stage.recipients.count == 400)
        let stats = try await stage.broadcasts.stats(of: broadcast.id)
        #expect(stats.variants.map { $0[.sent] } == [mails("a", stage).count, mails("b", stage).count])
        #expect(stats.variants.allSatisfy { (150...250).contains($0[.sent]) } && stats.total[.sent] == 400)
        #expect(try await stage.broadcast(broadcast.id).winner == nil)
    }

    @Test func theBestOfTheTestGoesToEverybodyElse() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(300)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 20, rule: .opens, duration: 3600))
        try await stage.run()
        let tested = stage.recipients.count
        #expect((30...90).contains(tested))
        var now = try await stage.broadcast(broadcast.id)
        #expect(now.status == .sending && now.phase == .deciding)
        #expect(now.decideAt == stage.engine.clock.now().adding(seconds: 3600))
        stage.engine.clock.advance(seconds: 600)
        for mail in mails("b", stage).prefix(3) { try await open(mail, stage) }
        try await open(mails("a", stage)[0], stage)
        stage.engine.clock.advance(seconds: 2999)
        try await stage.run()
        #expect(stage.recipients.count == tested)
        stage.engine.clock.advance(seconds: 1)
        try await stage.run()
        now = try await stage.broadcast(broadcast.id)
        #expect(now.status == .sent && now.winner == 1 && now.winnerReason == .opens)
        #expect(stage.recipients.count == 300 && Set(stage.recipients).count == 300)
        let rest = stage.mails.dropFirst(tested)
        #expect(rest.allSatisfy { $0.field("Subject")?.hasPrefix("b: ") == true })
        let stats = try await stage.broadcasts.stats(of: broadcast.id)
        #expect(stats.variants.map { $0[.opened] } == [1, 3])
        #expect(stats.total.addsUp && stats.variants.allSatisfy(\.addsUp))
        let events = try await stage.store.read { [project = stage.project] in
            try $0.newestEventData(of: "email.opened", in: project, among: 10_000)
        }
        #expect(events.compactMap { $0["variant"]?.stringValue }.sorted() == ["a", "b", "b", "b"])
    }

    @Test func machinesDoNotVote() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(100)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 50, rule: .clicks, duration: 3600))
        try await stage.run()
        // At once, and by a program that says so.
        for mail in mails("a", stage) { try await click(mail, stage) }
        stage.engine.clock.advance(seconds: 600)
        for mail in mails("a", stage) { try await click(mail, stage, userAgent: "curl/8.0") }
        try await click(mails("b", stage)[0], stage)
        // Followed again, it is the same mail.
        stage.engine.clock.advance(seconds: 600)
        try await click(mails("b", stage)[0], stage)
        stage.engine.clock.advance(seconds: 3600)
        try await stage.run()
        let ended = try await stage.broadcast(broadcast.id)
        #expect(ended.winner == 1 && ended.winnerReason == .clicks)
        #expect(try await stage.broadcasts.stats(of: broadcast.id).variants.map { $0[.clicked] } == [0, 1])
    }

    @Test func withoutAnyLookTheFirstWins() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(50)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 50, rule: .opens, duration: 60))
        try await stage.run()
        stage.engine.clock.advance(seconds: 60)
        try await stage.run()
        let ended = try await stage.broadcast(broadcast.id)
        #expect(ended.status == .sent && ended.winner == 0 && ended.winnerReason == .noData)
    }

    /// Where a window or a pace holds the mails of the test up, its time begins when they have left.
    @Test func testDoesNotEndBeforeItsMailsHaveLeft() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(300)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 50, rule: .opens, duration: 3600))
        try await stage.write()
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.write()
        var now = try await stage.broadcast(broadcast.id)
        #expect(now.phase == .deciding && now.decideAt == nil && now.winner == nil)
        // A few that stay behind keep nobody waiting.
        let late = try await stage.claim(3)
        #expect(late.count == 3)
        try await stage.run()
        now = try await stage.broadcast(broadcast.id)
        #expect(now.decideAt == stage.engine.clock.now().adding(seconds: 3600))
        stage.engine.clock.advance(seconds: 600)
        try await open(mails("b", stage)[0], stage)
        stage.engine.clock.advance(seconds: 3000)
        try await stage.write()
        now = try await stage.broadcast(broadcast.id)
        #expect(now.winner == 1 && now.winnerReason == .opens)
    }

    @Test func winnerIsChosenByHand() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(60)
        let broadcast = try await stage.send(variants: ["a", "b"], test: .init(share: 50, rule: .manual))
        try await stage.run()
        stage.engine.clock.advance(seconds: 90 * 86_400)
        try await stage.run()
        let waiting = try await stage.broadcast(broadcast.id)
        #expect(waiting.phase == .deciding && waiting.decideAt == nil)
        let error = await #expect(throws: UseCaseError.self) {
            try await stage.broadcasts.choose("c", for: broadcast.id)
        }
        #expect(error?.problems.first?.message == "must be one of a, b")
        #expect(try await stage.broadcasts.choose("b", for: broadcast.id).phase == .rest)
        let twice = await #expect(throws: UseCaseError.self) {
            try await stage.broadcasts.choose("a", for: broadcast.id)
        }
        #expect(twice?.code == .conflict)
        try await stage.run()
        let ended = try await stage.broadcast(broadcast.id)
        #expect(ended.status == .sent && ended.winner == 1 && ended.winnerReason == .chosen)
        #expect(stage.recipients.count == 60)
    }

    /// Chosen before the test is written, the winner waits for it.
    @Test func winnerChosenEarlyIsNotDecidedAgain() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(40)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 50, rule: .opens, duration: 60))
        #expect(try await stage.broadcasts.choose("b", for: broadcast.id).phase == .test)
        try await stage.run()
        let ended = try await stage.broadcast(broadcast.id)
        #expect(ended.status == .sent && ended.winner == 1 && ended.winnerReason == .chosen)
        #expect(stage.recipients.count == 40 && Set(stage.recipients).count == 40)
    }

    private typealias Case = (sent: [Int], hits: [Int], winner: Int, reason: Broadcast.WinnerReason)

    @Test func winnerHasTheLargestPart() {
        let cases: [Case] = [
            ([100, 100], [10, 11], 1, .opens), ([100, 10], [20, 3], 1, .opens), ([0, 10], [0, 1], 1, .opens),
            ([100, 100], [0, 0], 0, .noData), ([0, 0], [0, 0], 0, .noData), ([100, 200], [10, 20], 0, .tie),
            ([100, 100, 100], [5, 9, 9], 1, .tie), ([100, 100, 100], [9, 5, 10], 2, .opens),
        ]
        for (sent, hits, winner, reason) in cases {
            var counts: [Int: BroadcastCounts] = [:]
            for position in sent.indices {
                counts[position] = BroadcastCounts([.sent: sent[position], .opened: hits[position]])
            }
            let found = BroadcastDefinition.Test.Rule.opens.winner(of: counts, among: sent.count)
            #expect(found.position == winner && found.1 == reason, "\(sent) \(hits)")
        }
        // Nothing is known of one that had nobody.
        #expect(
            BroadcastDefinition.Test.Rule.clicks.winner(of: [1: .init([.sent: 1, .clicked: 1])], among: 2) == (
                1, .clicks
            ))
    }

    // MARK: Counts

    @Test func whatComesBackIsCountedOnce() async throws {
        let stage = try await BroadcastStage()
        stage.engine.context.trackingAddress.value = "https://mail.example.com"
        try await stage.people(4)
        let broadcast = try await stage.send()
        stage.transport.answer([
            ScriptedTransport.accepted, .rejected(reply: Reply(code: 550, enhancedCode: "5.1.1", text: "nobody")),
        ])
        try await stage.run()
        #expect(try await stage.total(broadcast.id)[.sent] == 3)
        stage.engine.clock.advance(seconds: 600)
        let mail = stage.mails[0]
        for _ in 0..<3 {
            try await open(mail, stage)
            stage.engine.clock.advance(seconds: 120)
        }
        let token = String(try #require(mail.tokens("u").first))
        let optOuts = OptOuts(context: stage.engine.context)
        _ = try await optOuts.unsubscribe(token, reason: .oneClick)
        let address = try #require(mail.field("To"))
        try await stage.engine.track("back", address, subscribed: true)
        _ = try await optOuts.unsubscribe(token, reason: .page)
        let total = try await stage.total(broadcast.id)
        #expect(
            total
                == BroadcastCounts([
                    .recipients: 4, .sent: 3, .rejected: 1, .bounced: 1, .opened: 1, .unsubscribed: 1,
                ]))
        #expect(total.addsUp)
    }

    @Test func whatTheRelaysLogSaysIsCountedOnce() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(3)
        let broadcast = try await stage.send()
        try await stage.run()
        let ids = try Rows(stage.database.path).run("SELECT hex(id) FROM outbox WHERE broadcast_id IS NOT NULL")
            .compactMap {
                Identifier(
                    bytes: stride(from: 0, to: 32, by: 2).compactMap { [hex = Array($0[0])] in
                        UInt8(String(hex[$0..<$0 + 2]), radix: 16)
                    })
            }
        try #require(ids.count == 3)
        let now = stage.engine.clock.now()
        for _ in 0..<2 {
            for (id, status) in zip(ids, [MailFate.Status.delivered, .bounced, .delivered]) {
                try await stage.engine.context.transact { transaction in
                    if try transaction.store.relayedMail(id)?.fate == nil {
                        let code = status == .bounced ? "5.1.1" : "2.0.0"
                        try transaction.store.setFate(
                            MailFate(status: status, at: now, queueID: "Q", enhancedCode: code), of: id)
                    }
                    try transaction.tellFate(of: id)
                }
            }
        }
        let total = try await stage.total(broadcast.id)
        #expect(total == BroadcastCounts([.recipients: 3, .sent: 3, .delivered: 2, .bounced: 1]))
    }

    // MARK: Tests for the author

    @Test func testMailIsMarkedAndCountsForNothing() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(1)
        let draft = try await stage.draft(variants: ["a", "b"], data: ["code": "X1"])
        let test = try await stage.broadcasts.sendTest(
            of: draft.id, .init(recipient: "author@example.com", variant: "b", contactID: people[0].id))
        #expect(test.subject == "[Test] b: N0")
        _ = try await stage.broadcasts.sendTest(of: draft.id, .init(recipient: "author@example.com"))
        try await stage.run()
        #expect(stage.recipients == ["author@example.com", "author@example.com"])
        #expect(stage.mails[0].text.contains("X1 of Spring"))
        #expect(stage.mails[0].tokens("o").isEmpty)
        #expect(try await stage.total(draft.id) == BroadcastCounts())
        #expect(try await stage.broadcast(draft.id).status == .draft)
        let error = await #expect(throws: UseCaseError.self) {
            try await stage.broadcasts.sendTest(of: draft.id, .init(recipient: "author@example.com", variant: "c"))
        }
        #expect(error?.problems.map(\.path) == ["variant"])
    }

    /// Stopping the broadcast is no reason not to look at it.
    @Test func testMailGoesWhileTheBroadcastIsPausedOrCancelled() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let broadcast = try await stage.send()
        _ = try await stage.broadcasts.pause(broadcast.id)
        _ = try await stage.broadcasts.sendTest(of: broadcast.id, .init(recipient: "author@example.com"))
        try await stage.run()
        _ = try await stage.broadcasts.cancel(broadcast.id)
        _ = try await stage.broadcasts.sendTest(of: broadcast.id, .init(recipient: "author@example.com"))
        try await stage.run()
        #expect(stage.recipients == ["author@example.com", "author@example.com"])
    }
}
