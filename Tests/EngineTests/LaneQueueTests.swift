import EngineTestKit
import Testing
import WorkflowModel

@testable import Engine

/// The queue in memory over a table in memory.
@Suite struct LaneQueueTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    /// What is pending, as the database would have it.
    private struct Table {
        var rows: [OutboxTicket] = []
        /// Rows that were looked at.
        var looks = 0

        mutating func answer(_ read: LaneQueue.Read) -> [OutboxTicket] {
            let start = read.after.map { after in rows.partitioned { $0 > after } } ?? 0
            var found: [OutboxTicket] = []
            for row in rows[start...] {
                looks += 1
                if read.lane == nil || read.lane == row.lane { found.append(row) }
                if found.count == read.limit { break }
            }
            return found
        }
    }

    private func table(_ lanes: [Int64]) -> Table {
        Table(
            rows: lanes.enumerated().map { number, lane in
                OutboxTicket(
                    dueAt: Self.now.adding(microseconds: Int64(number) - 100_000_000), lane: lane,
                    id: Identifier(high: 1, low: UInt64(number)))
            }.sorted())
    }

    private let name = OutboxQueue(project: Identifier(high: 9, low: 9), isBulk: true)

    private func fill(_ lanes: inout DispatchLanes, _ table: inout Table, at now: Timestamp = now) {
        while case let reads = lanes.reads(at: now), !reads.isEmpty {
            for read in reads { lanes.take(table.answer(read), for: read, at: now) }
        }
    }

    /// Takes everything that can go.
    private func drain(
        _ lanes: inout DispatchLanes, _ table: inout Table, at now: Timestamp = now,
        closed: (Int64) -> Timestamp? = { _ in nil }
    ) -> [OutboxTicket] {
        var taken: [OutboxTicket] = []
        while true {
            fill(&lanes, &table, at: now)
            guard let lane = lanes.candidate(in: 0, at: now) else { return taken }
            if let end = closed(lane) {
                lanes.rest(in: 0, until: end, at: now)
            } else if let ticket = lanes.take(in: 0) {
                taken.append(ticket)
                table.rows.remove(at: table.rows.partitioned { $0 >= ticket })
            }
        }
    }

    @Test func everythingIsTakenOnceAndDomainsTakeTurns() {
        var table = table((0..<5000).map { Int64($0 % 7) })
        var lanes = DispatchLanes()
        lanes.add(name)
        let taken = drain(&lanes, &table)
        #expect(taken.count == 5000 && Set(taken.map(\.id)).count == 5000)
        #expect(Set(taken.prefix(7).map(\.lane)).count == 7)
        for lane in Int64(0)..<7 {
            let order = taken.filter { $0.lane == lane }
            #expect(order == order.sorted())
        }
        #expect(table.looks < 12_000 && lanes.heldCount == 0)
    }

    @Test func domainThatTakesNothingIsPassedOverOnceAndComesBackWhole() {
        // A hundred thousand for one domain, and behind them some for another.
        var table = table(Array(repeating: 1, count: 100_000) + Array(repeating: 2, count: 500))
        var lanes = DispatchLanes()
        lanes.add(name)
        let end = Self.now.adding(seconds: 900)
        let first = drain(&lanes, &table) { $0 == 1 ? end : nil }
        #expect(first.map(\.lane) == Array(repeating: 2, count: 500))
        #expect(table.looks < 110_000 && lanes.heldCount <= LaneQueue.restingLimit)
        // Mail to others meanwhile costs what it costs alone.
        table.looks = 0
        for number in UInt64(0)..<100 {
            let ticket = OutboxTicket(dueAt: Self.now, lane: 3, id: Identifier(high: 2, low: number))
            table.rows.append(ticket)
            lanes.note(name, dueAt: Self.now, now: Self.now)
            #expect(drain(&lanes, &table) { $0 == 1 ? end : nil } == [ticket])
        }
        #expect(table.looks < 300)
        let rest = drain(&lanes, &table, at: end)
        #expect(rest.count == 100_000 && rest == rest.sorted())
    }

    @Test func mailThatBecomesDueIsFound() {
        var table = table([1, 1])
        table.rows.append(OutboxTicket(dueAt: Self.now.adding(seconds: 5), lane: 1, id: Identifier(high: 3, low: 0)))
        var lanes = DispatchLanes()
        lanes.add(name)
        #expect(drain(&lanes, &table).count == 2)
        #expect(lanes.nextLook(after: Self.now) == Self.now.adding(seconds: 5))
        #expect(drain(&lanes, &table, at: Self.now.adding(seconds: 4)).isEmpty)
        #expect(drain(&lanes, &table, at: Self.now.adding(seconds: 5)).count == 1)
        #expect(lanes.nextLook(after: Self.now) == .never)
    }

    @Test func earlierMailThanTheCursorsIsFoundWhenSomebodyTells() {
        var table = table([1, 1, 1])
        var lanes = DispatchLanes()
        lanes.add(name)
        #expect(drain(&lanes, &table).count == 3)
        let early = OutboxTicket(
            dueAt: table.rows.first?.dueAt ?? Self.now.adding(seconds: -500), lane: 4, id: Identifier(high: 3, low: 0))
        table.rows.insert(early, at: 0)
        #expect(drain(&lanes, &table).isEmpty)
        lanes.note(name, dueAt: early.dueAt, now: Self.now)
        #expect(drain(&lanes, &table) == [early])
    }

    @Test func restingLanesRiseWhenToldTo() {
        var table = table([1, 2, 1, 2])
        var lanes = DispatchLanes()
        lanes.add(name)
        #expect(drain(&lanes, &table) { _ in .never }.isEmpty)
        #expect(lanes.restingCount == 2 && lanes.nextLook(after: Self.now) == .never)
        lanes.rise(1, in: 0)
        #expect(drain(&lanes, &table).map(\.lane) == [1, 1])
        lanes.riseAll()
        #expect(drain(&lanes, &table).map(\.lane) == [2, 2])
    }

    @Test(arguments: 0..<30) func randomRestsLoseNothingAndDoubleNothing(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var table = table((0..<4000).map { _ in Int64.random(in: 0..<6, using: &generator) })
        var lanes = DispatchLanes()
        lanes.add(name)
        var now = Self.now
        var taken: Set<Identifier> = []
        for _ in 0..<200 {
            let batch = drain(&lanes, &table, at: now) { lane in
                Int.random(in: 0..<20, using: &generator) == 0
                    ? now.adding(seconds: Int64.random(in: 1..<20, using: &generator)) : nil
            }
            for ticket in batch { #expect(taken.insert(ticket.id).inserted) }
            now = now.adding(seconds: 7)
            if Int.random(in: 0..<10, using: &generator) == 0 { lanes.rewind() }
        }
        #expect(taken.count == 4000)
    }
}

extension Array {
    /// The first index at which the condition holds, in an array where it goes on to hold.
    fileprivate func partitioned(_ holds: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
