import EngineTestKit
import MailModel
import Testing
import WorkflowModel

@testable import Engine

private let down = DeliveryOutcome.unreachable(reason: "no connection")

/// Over which relay a mail goes, and what their trouble means for it.
@Suite struct DispatchRelayTests {
    @Test func mailGoesOverTheNextRelayAtOnceWhenOneCannotBeReached() async throws {
        let stage = try await DispatchStage(relays: [RelayRules(name: "a"), RelayRules(name: "b", isBackup: true)])
        stage.relays[0].answer(Array(repeating: down, count: 100))
        let ids = try await stage.fill((0..<20).map { "p\($0)@example.org" })
        await stage.send()
        #expect(Set(stage.relays[1].sent.map(\.recipient)).count == 20 && stage.relays[1].sent.count == 20)
        // After five failures in a row nobody asks it.
        #expect(stage.relays[0].sent.count < 12)
        let entry = try #require(try await stage.entry(ids[0]))
        #expect(entry.status == .delivered && entry.attempts == 1)
        let health = stage.dispatch.state.use { $0.relayHealth }
        #expect(health.map(\.state) == [.open, .ok])
    }

    @Test func nothingIsClaimedWhileEveryRelayIsOutOfOrder() async throws {
        let stage = try await DispatchStage()
        stage.relays[0].answer(Array(repeating: down, count: 8))
        let ids = try await stage.fill((0..<50).map { "p\($0)@example.org" })
        let next = await stage.send()
        #expect(stage.relays[0].sent.count <= 8)
        #expect(next > stage.engine.clock.now() && next <= stage.engine.clock.now().adding(seconds: 13))
        let untouched = try await stage.engine.context.store.read { reader in
            try ids.count { try reader.entry($0)?.attempts == 0 }
        }
        #expect(untouched >= 42)
        stage.engine.clock.advance(seconds: 13)
        await stage.send()
        #expect(stage.dispatch.state.use { $0.relayHealth[0].state } == .ok)
        stage.engine.clock.advance(seconds: 100)
        await stage.send()
        #expect(Set(stage.relays[0].sent.map(\.recipient)).count == 50)
    }

    /// A relay that warms up has had its attempts also where another took the mail in the end, and after a restart.
    @Test func attemptsThatFailedOverCountForTheirDayOverARestart() async throws {
        let rules = [RelayRules(name: "a"), RelayRules(name: "b", isBackup: true)]
        let stage = try await DispatchStage(relays: rules) {
            $0.pacing = [PacingRule(.relays(["a"]), Pace(perDay: 5))]
        }
        stage.relays[0].answer(Array(repeating: down, count: 3))
        try await stage.fill((0..<3).map { "p\($0)@example.org" })
        await stage.send()
        #expect(stage.relays.map(\.sent.count) == [3, 3])
        let next = Dispatch(
            context: stage.engine.context,
            relays: zip(rules, stage.relays).map { MailRelay($0, transport: $1) })
        try await next.recover()
        try await stage.fill((0..<10).map { "q\($0)@example.org" })
        await stage.send(next)
        #expect(stage.relays.map(\.sent.count) == [5, 3])
    }

    @Test func outcomeThatNobodyKnowsIsNotTriedElsewhereAtOnce() async throws {
        let stage = try await DispatchStage(relays: [RelayRules(name: "a"), RelayRules(name: "b", isBackup: true)])
        stage.relays[0].answer([.unknown(reason: "lost after DATA")])
        let id = try #require(try await stage.fill(["ann@example.org"]).first)
        await stage.send()
        #expect(stage.relays[1].sent.isEmpty)
        let entry = try #require(try await stage.entry(id))
        #expect(entry.status == .pending && entry.uncertainAttempts == 1)
    }

    @Test func suppressionBetweenTwoRelaysStopsTheMail() async throws {
        let stage = try await DispatchStage(relays: [RelayRules(name: "a"), RelayRules(name: "b", isBackup: true)])
        let id = try #require(try await stage.fill(["ann@example.org"]).first)
        let control = Suppressions(context: stage.engine.context)
        let project = stage.engine.project.id
        let slow = SuppressingTransport { _ = try? await control.add([.init(address: "ann@example.org")], to: project) }
        let dispatch = Dispatch(
            context: stage.engine.context,
            relays: [
                MailRelay(RelayRules(name: "a"), transport: slow),
                MailRelay(RelayRules(name: "b"), transport: stage.relays[1]),
            ])
        var looks = Dispatch.Looks()
        guard case .go(let claimed) = await dispatch.round(&looks, at: stage.engine.clock.now()) else {
            Issue.record("nothing was claimed")
            return
        }
        await dispatch.deliverAll(claimed)
        let entry = try #require(try await stage.entry(id))
        #expect(stage.relays[1].sent.isEmpty && entry.status == .suppressed)
    }

    @Test func relayIsChosenByTheSendersDomain() async throws {
        let stage = try await DispatchStage(relays: [
            RelayRules(name: "all"), RelayRules(name: "shop", senderDomains: ["shop.example"]),
        ])
        try await stage.fill((0..<5).map { "a\($0)@example.org" }, from: "Shop <hello@Shop.example>")
        try await stage.fill((0..<5).map { "b\($0)@example.org" })
        await stage.send()
        stage.engine.clock.advance(seconds: 60)
        await stage.send()
        #expect(
            stage.relays[1].sent.map(\.recipient).allSatisfy { $0.hasPrefix("a") } && stage.relays[1].sent.count == 5)
        #expect(stage.relays[0].sent.count == 5)
    }

    /// What a relay without room says is nothing about the domain of the mail: when there is room, all of it goes on.
    @Test func fullRelayLeavesNoDomainAlone() async throws {
        let stage = try await DispatchStage { ($0.firstRetry, $0.longestRetry) = (1, 1) }
        try await stage.fill((0..<20).map { "p\($0)@example.org" })
        let full = DeliveryOutcome.deferred(
            reply: Reply(code: 452, enhancedCode: "4.3.1", text: "Insufficient system storage"))
        stage.relays[0].answer(Array(repeating: full, count: 8))
        await stage.send()
        #expect(stage.recipients.count <= 8, "five in a row are enough")
        // Some probes find it full; then everything goes at once.
        for _ in 0..<4 {
            stage.engine.clock.advance(seconds: 60)
            await stage.send()
        }
        #expect(Set(stage.recipients).count == 20)
        let counts = try await stage.engine.context.store.read { try $0.outboxCounts() }
        #expect(counts[.pending] == 0)
    }

    /// A queue file that cannot be written is nothing about the domain of its mail; the same words to the recipient are.
    @Test(arguments: [true, false])
    func relayThatCannotKeepMessagesLeavesNoDomainAlone(isToContent: Bool) async throws {
        let stage = try await DispatchStage { ($0.firstRetry, $0.longestRetry) = (1, 1) }
        try await stage.fill(["ann@example.org"])
        let refusal = DeliveryOutcome.deferred(
            reply: Reply(code: 451, enhancedCode: "4.3.0", text: "Error", isToContent: isToContent))
        stage.relays[0].answer(Array(repeating: refusal, count: 3))
        for _ in 0..<4 {
            await stage.send()
            stage.engine.clock.advance(seconds: 2)
        }
        let counts = try await stage.engine.context.store.read { try $0.outboxCounts() }
        #expect(counts[.pending] == (isToContent ? 0 : 1))
        stage.engine.clock.advance(seconds: 40)
        await stage.send()
        let later = try await stage.engine.context.store.read { try $0.outboxCounts() }
        #expect(later[.pending] == 0 && stage.recipients.count == 4)
    }
}

/// Cannot be reached, and something happens while that is found out.
private struct SuppressingTransport: MailTransport {
    let concurrency = 1
    let meanwhile: @Sendable () async -> Void

    init(_ meanwhile: @escaping @Sendable () async -> Void) { self.meanwhile = meanwhile }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        await meanwhile()
        return down
    }

    func stop() {}
}
