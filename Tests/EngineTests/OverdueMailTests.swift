import EngineTestKit
import MailModel
import Testing
import WorkflowModel

@testable import Engine

private let busy = DeliveryOutcome.deferred(reply: Reply(code: 421, enhancedCode: "4.7.0", text: "try again later"))

/// Mail that gets no turn because its domain is left alone, and what else it may have waited for.
@Suite struct OverdueMailTests {
    private let start = Timestamp(seconds: 1_800_000_000)

    /// A domain that refuses every probe.
    /// - Parameter gap: seconds between the end of each pause and its probe, which something else keeps back.
    private func trouble(
        for seconds: Int64, lifetime: Int64, gap: Int64
    ) -> (trouble: DomainTrouble, end: Timestamp) {
        var trouble = DomainTrouble(lifetime: lifetime)
        var now = start
        for _ in 0..<3 { trouble.failed(at: now, jitter: 0) }
        while now < start.adding(seconds: seconds), case .at(let time) = trouble.opening(at: now) {
            now = time.adding(seconds: gap)
            trouble.begin(at: now)
            now = now.adding(seconds: 1)
            trouble.failed(at: now, jitter: 0)
        }
        return (trouble, now)
    }

    @Test func whatItsDomainAloneKeptBackForALifetimeIsOverdue() {
        #expect(trouble(for: 1800, lifetime: 3600, gap: 0).trouble.keepsBackSince == nil)
        let (trouble, end) = trouble(for: 20_000, lifetime: 3600, gap: 0)
        let since = trouble.keepsBackSince ?? .never
        #expect(since <= end.adding(seconds: -3600))
        // A pause of the domain and a sixteenth of the lifetime later at most.
        #expect(since >= end.adding(seconds: -3600 - 901 - 225))
    }

    /// A warm-up leaves one probe a day.
    @Test func whatWaitsForACeilingIsNotOverdue() {
        let (trouble, _) = trouble(for: 30 * 86_400, lifetime: 5 * 86_400, gap: 86_400)
        #expect(!trouble.isClosed && trouble.keepsBackSince == nil)
    }

    @Test func domainThatIsNotLeftAloneKeepsNothingBack() {
        var trouble = DomainTrouble(lifetime: 60)
        trouble.failed(at: start, jitter: 0)
        trouble.failed(at: start.adding(seconds: 3600), jitter: 0)
        trouble.failed(at: start.adding(seconds: 7200), jitter: 0)
        #expect(!trouble.isClosed && trouble.keepsBackSince == nil)
    }

    /// Mails that were given up without an attempt.
    private func givenUp(_ stage: DispatchStage, _ ids: [Identifier]) async throws -> Int {
        // What the dispatch does in a task of its own, done again.
        let entry = try #require(try await stage.entry(ids[0]))
        await stage.dispatch.expireOverdue(like: entry)
        return try await stage.engine.context.store.read { reader in
            try ids.compactMap { try reader.entry($0) }.count { $0.status == .expired && $0.attempts == 0 }
        }
    }

    @Test func pauseCostsNoMailItsTime() async throws {
        let stage = try await DispatchStage { $0.maximalLifetime = 3600 }
        let control = OutboxControl(context: stage.engine.context)
        let ids = try await stage.fill((0..<50).map { "p\($0)@slow.example" }, kind: .marketing)
        try await control.pause(.domain("slow.example"), in: nil)
        await stage.send()
        stage.engine.clock.advance(seconds: 6 * 86_400)
        await stage.send()
        try await control.resume(.domain("slow.example"), in: nil)
        stage.relays[0].answer(Array(repeating: busy, count: 50))
        await stage.send()
        #expect(stage.recipients.count >= 3)
        #expect(try await givenUp(stage, ids) == 0)
    }

    @Test func pauseWhileTheDomainTakesNothingCostsNoMailItsTime() async throws {
        let stage = try await DispatchStage { $0.maximalLifetime = 3600 }
        let control = OutboxControl(context: stage.engine.context)
        let ids = try await stage.fill((0..<60).map { "p\($0)@slow.example" }, kind: .marketing)
        stage.relays[0].answer(Array(repeating: busy, count: 500))
        func goOn(_ seconds: Int64) async {
            for _ in 0..<(seconds / 90) {
                await stage.send()
                stage.engine.clock.advance(seconds: 90)
            }
        }
        await goOn(2700)
        try await control.pause(.everything, in: stage.engine.project.id)
        await goOn(2700)
        #expect(try await givenUp(stage, ids) == 0)
        try await control.resume(.everything, in: stage.engine.project.id)
        await goOn(2700)
        #expect(try await givenUp(stage, ids) == 0)
        await goOn(10_800)
        #expect(try await givenUp(stage, ids) > 0)
    }

    /// One that cannot be ended keeps no other from it, and is not left claimed: nobody would look at it until the next start.
    @Test func aDamagedMailIsNotGivenUpAndTheOthersAre() async throws {
        let stage = try await DispatchStage { $0.maximalLifetime = 3600 }
        let other = try await stage.engine.track("known", "bad@example.org", subscribed: true).contactID
        let ids = try await stage.fill((0..<60).map { "p\($0)@slow.example" }, kind: .marketing)
        let damaged = try await stage.fill(["q@slow.example"], kind: .marketing, contact: other)[0]
        try DamagedDatabase(stage.database.path).spoil(
            "UPDATE contacts SET data = '{' WHERE email = 'bad@example.org'")
        stage.relays[0].answer(Array(repeating: busy, count: 500))
        var count = 0
        for _ in 0..<200 where count == 0 {
            await stage.send()
            stage.engine.clock.advance(seconds: 90)
            count = try await givenUp(stage, ids)
        }
        #expect(count > 0)
        #expect(try await stage.entry(damaged)?.status == .pending)
    }
}
