import EngineTestKit
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// One project's hundred thousand mails beside another's single one, on the board alone.
@Suite struct FairBoardTests {
    private static let start = Timestamp(seconds: 1_800_000_000)
    private static let delivered = DeliveryOutcome.delivered(
        reply: Reply(code: 250, enhancedCode: "2.0.0", text: "Ok"), queueID: "4ABC")
    private static let many = Identifier(high: 1, low: 1)
    private static let other = Identifier(high: 1, low: 2)

    /// A board with a project that always has mail, and one that has none yet.
    private struct Stage {
        var board: DispatchBoard
        let queue: OutboxQueue
        var written = 0
        var running: [DispatchBoard.Seat] = []

        init(places: [Int], isBulk: Bool) {
            board = DispatchBoard(
                places.enumerated().map { (rules: RelayRules(name: "r\($0.offset)"), places: $0.element) },
                PaceGates([]), lifetime: 86_400)
            board.know([FairBoardTests.many: "many", FairBoardTests.other: "other"])
            queue = OutboxQueue(project: FairBoardTests.many, isBulk: isBulk)
            board.note(queue, dueAt: FairBoardTests.start.adding(seconds: -100), now: FairBoardTests.start)
        }

        /// Seats for all that may go; of `single`, one mail is pending.
        mutating func go(single: OutboxQueue? = nil, at now: Timestamp) -> [DispatchBoard.Seat] {
            if let single { board.note(single, dueAt: now, now: now) }
            for read in board.reads(at: now) {
                var tickets: [OutboxTicket] = []
                if read.queue == queue, read.lane == nil {
                    tickets = (written..<written + read.limit).map { number in
                        OutboxTicket(
                            dueAt: FairBoardTests.start.adding(microseconds: Int64(number) - 100_000_000),
                            lane: Int64(number % 50), id: Identifier(high: 2, low: UInt64(number)))
                    }
                    written += read.limit
                } else if read.queue == single, read.lane == nil {
                    tickets = [OutboxTicket(dueAt: now, lane: 99, id: Identifier(high: 3, low: 0))]
                }
                board.take(tickets, for: read, at: now)
            }
            let seats = board.next(at: now).seats
            running += seats
            return seats
        }

        mutating func end(_ index: Int, at now: Timestamp) {
            _ = board.end(running.remove(at: index), FairBoardTests.delivered, at: now, jitter: 0)
        }
    }

    /// The relay was quick, so that mails were made ready in advance, and falls silent: the other's mail has a connection all the
    /// same, at once.
    @Test func anothersMailHasAConnectionWheneverTheRelayFallsSilent() {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<60 {
            let places = Int.random(in: 2...40, using: &random)
            let reserve = max(1, places / 8)
            var stage = Stage(places: [places], isBulk: Bool.random(using: &random))
            var now = Self.start
            for _ in 0..<Int.random(in: 0...800, using: &random) {
                _ = stage.go(at: now)
                // Neither more than its share nor less.
                #expect(stage.running.count == places - reserve)
                now = now.adding(microseconds: Int64.random(in: 100...2000, using: &random))
                stage.end(Int.random(in: 0..<stage.running.count, using: &random), at: now)
            }
            _ = stage.go(at: now)
            now = now.adding(microseconds: Int64.random(in: 0...5_000_000, using: &random))
            let single = OutboxQueue(project: Self.other, isBulk: Bool.random(using: &random))
            let seats = stage.go(single: single, at: now)
            #expect(seats.map(\.queue) == [single])
            #expect(stage.running.count <= places)
        }
    }

    /// Mails that come over from a relay in trouble take no connection that is kept, either.
    @Test func failOverTakesNoConnectionThatIsKept() throws {
        var stage = Stage(places: [4, 4], isBulk: true)
        #expect(stage.go(at: Self.start).count == 6)
        let single = OutboxQueue(project: Self.other, isBulk: false)
        var another = try #require(stage.go(single: single, at: Self.start).first)
        var seat = try #require(
            stage.running.first(where: { $0.relay == another.relay && $0.queue == stage.queue }))
        let tried: Set<Int> = [another.relay]
        let down = DeliveryOutcome.unreachable(reason: "connection refused")
        let next = stage.board.failOver(
            &seat, from: down, tried: tried, sender: "news@example.com", at: Self.start, jitter: 0)
        #expect(next.relay == nil && next.hasAnother)
        let kept = stage.board.failOver(
            &another, from: down, tried: tried, sender: "desk@example.com", at: Self.start, jitter: 0)
        #expect(kept.relay == 1 - (tried.first ?? 0))
    }

    /// What is kept for others is no part of the share of either kind.
    @Test func mailToManyHasEveryFourthPlaceBesideWhatIsKept() {
        var stage = Stage(places: [8], isBulk: false)
        let bulk = OutboxQueue(project: Self.many, isBulk: true)
        var now = Self.start
        var pending = 0
        var counts = [false: 0, true: 0]
        for _ in 0..<400 {
            // Of both kinds there is always more.
            stage.board.note(bulk, dueAt: now, now: now)
            for read in stage.board.reads(at: now) where read.queue == bulk && read.lane == nil {
                pending += 1
                let ticket = OutboxTicket(dueAt: now, lane: 77, id: Identifier(high: 4, low: UInt64(pending)))
                stage.board.take([ticket], for: read, at: now)
            }
            for seat in stage.go(at: now) { counts[seat.queue.isBulk, default: 0] += 1 }
            now = now.adding(microseconds: 500)
            stage.end(0, at: now)
        }
        #expect(counts[true, default: 0] * 5 >= counts[false, default: 0])
    }
}
