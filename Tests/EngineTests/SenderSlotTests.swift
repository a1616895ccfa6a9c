import EngineTestKit
import Testing
import WorkflowModel

@testable import Engine

/// Mail of one sender that is faster than its pace: one a second.
@Suite struct SenderSlotTests {
    private let start = Timestamp(seconds: 1_800_000_000)

    /// One that asks whether it may go, and when.
    private struct Asker {
        var at: Timestamp
        var number: Int
        var isUrgent: Bool

        var id: Identifier { Identifier(high: isUrgent ? 2 : 1, low: UInt64(number)) }
        /// Mail to many asks first: whoever is first must not matter.
        static func comesFirst(_ left: Asker, _ right: Asker) -> Bool {
            (left.at, left.isUrgent ? 1 : 0, left.number) < (right.at, right.isUrgent ? 1 : 0, right.number)
        }
    }

    private func bulk(_ count: Int) -> [Asker] {
        (0..<count).map { Asker(at: start, number: $0, isUrgent: false) }
    }

    /// Everybody asks again when its time comes.
    private func run(_ askers: [Asker], for seconds: Int64 = 1_000_000) -> (gone: [Asker], asks: Int) {
        var gates = PaceGates([
            PacingRule(.senders(["news@example.com"]), Pace(rate: .init(count: 60, seconds: 60)))
        ])
        let names = gates.gates(ofSender: "news@example.com")
        var slots = SenderSlots()
        var (waiting, gone, asks): ([Asker], [Asker], Int) = (askers, [], 0)
        while let next = waiting.indices.min(by: { Asker.comesFirst(waiting[$0], waiting[$1]) }) {
            let asker = waiting[next]
            if asker.at > start.adding(seconds: seconds) { break }
            asks += 1
            if let time = slots.slot(for: asker.id, isUrgent: asker.isUrgent, names, &gates, at: asker.at) {
                #expect(time > asker.at)
                waiting[next].at = time
            } else {
                gates.enter(names, at: asker.at)
                gates.leave(names)
                gone.append(asker)
                waiting.remove(at: next)
            }
        }
        return (gone, asks)
    }

    @Test func whatSomebodyWaitsForTakesTheNextOpening() {
        let urgent = Asker(at: start.adding(microseconds: 100_300_000), number: 0, isUrgent: true)
        let (gone, asks) = run(bulk(300) + [urgent])
        let time = gone.first(where: \.isUrgent)?.at ?? .never
        #expect(time <= urgent.at.adding(seconds: 1))
        // The pace holds for all of it together, and nothing is lost by the detour.
        #expect(zip(gone, gone.dropFirst()).allSatisfy { $1.at >= $0.at.adding(seconds: 1) })
        #expect(gone.count == 301 && gone.last?.at == start.adding(seconds: 300))
        #expect(gone.filter { !$0.isUrgent }.map(\.number) == Array(0..<300))
        #expect(asks < 4 * 301)
    }

    @Test func mailToManyHasEveryFourthOpeningHoweverMuchElseWaits() {
        let urgent = (0..<150).map {
            Asker(at: start.adding(microseconds: Int64($0) * 900_000), number: $0, isUrgent: true)
        }
        let (gone, _) = run(bulk(100) + urgent, for: 120)
        let many = gone.count { !$0.isUrgent }
        #expect(gone.count >= 118 && (28...34).contains(many))
        for isUrgent in [true, false] {
            let order = gone.filter { $0.isUrgent == isUrgent }.map(\.number)
            #expect(order == order.sorted())
        }
    }

    /// What was given a time may be cancelled before it comes.
    @Test func whatDoesNotComeHoldsNobodyUp() {
        var gates = PaceGates([
            PacingRule(.senders(["news@example.com"]), Pace(rate: .init(count: 60, seconds: 60)))
        ])
        let names = gates.gates(ofSender: "news@example.com")
        var slots = SenderSlots()
        for number in 0..<100 {
            let id = Identifier(high: 2, low: UInt64(number))
            if slots.slot(for: id, isUrgent: true, names, &gates, at: start) == nil { gates.enter(names, at: start) }
        }
        var now = start
        while let time = slots.slot(for: Identifier(high: 1, low: 0), isUrgent: false, names, &gates, at: now) {
            now = time
            if now > start.adding(seconds: 50) { break }
        }
        #expect(now <= start.adding(seconds: 5))
    }

    @Test func broadcastDoesNotHoldUpMailOfItsSender() async throws {
        let stage = try await DispatchStage {
            $0.pacing = [PacingRule(.senders(["news@example.com"]), Pace(rate: .init(count: 60, seconds: 60)))]
        }
        try await stage.fill((0..<200).map { "p\($0)@example.org" }, kind: .marketing)
        await stage.send()
        try await stage.fill(["ann@example.net"])
        await stage.send()
        #expect(stage.recipients.count == 1)
        for second in 1...3 {
            stage.engine.clock.advance(seconds: 1)
            await stage.send()
            #expect(stage.recipients.count == 1 + second)
        }
        #expect(stage.recipients.contains("ann@example.net"))
    }
}
