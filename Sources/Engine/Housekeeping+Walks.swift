import WorkflowModel

/// Tables that have no order by time, because it would cost every row that is written: they are gone through from end to
/// end, a part of them in each round.
extension Housekeeping {
    /// How far that has come; nil begins again.
    package struct Places: Hashable, Sendable {
        package var pixelHits: HitPlace?
        package var clickHits: HitPlace?
        package var receptions: [UInt8]?

        package init() {}
    }

    /// Seconds for which it is kept who fetched a pixel or followed a link. What came of it stays: the counts and the first
    /// time with the mail, and the events.
    package static let hitMemory: Int64 = 90 * 86_400
    /// Seconds for which a mail that comes again is known, at the least: no server tries for so long to send one (RFC 5321
    /// 4.5.4.1 speaks of four to five days).
    package static let receptionMemory: Int64 = 90 * 86_400
    /// Rows that one transaction looks at, and transactions in a round.
    package static let walkSize = 1000
    private static let walkParts = 50

    /// Forgets old hits and receptions, of the next ones of each table.
    /// - Parameter places: where that begins, and where the next round goes on.
    /// - Returns: how many were forgotten.
    @discardableResult
    package func sweepTables(_ places: inout Places) async throws -> Int {
        let now = context.clock.now()
        let oldHit = now.adding(seconds: -Self.hitMemory)
        // A mail that can be replayed is known for as long, or a replay of all would take it once more.
        let memory = max(Self.receptionMemory, context.configuration.rawMail.largestAge + 86_400)
        let oldReception = now.adding(seconds: -memory)
        let pixels = try await walk(from: places.pixelHits) {
            try $0.prunePixelHits(before: oldHit, after: $1, limit: Self.walkSize)
        }
        places.pixelHits = pixels.next
        let clicks = try await walk(from: places.clickHits) {
            try $0.pruneClickHits(before: oldHit, after: $1, limit: Self.walkSize)
        }
        places.clickHits = clicks.next
        let receptions = try await walk(from: places.receptions) {
            try $0.pruneReceptions(before: oldReception, after: $1, limit: Self.walkSize)
        }
        places.receptions = receptions.next
        return pixels.forgotten + clicks.forgotten + receptions.forgotten
    }

    /// Forgets how many mails went to each domain, or from each sender, on days that are over: that counts on its day alone. Their
    /// table is gone through whole, once a day.
    /// - Parameter last: what the round before returned; nil for the first.
    package func sweepPaces(after last: Int64?) async throws -> Int64 {
        let day = PaceGate.day(of: context.clock.now()) - 1
        if day != last { try await context.store.write { try $0.deletePaceCounts(beforeDay: day) } }
        return day
    }

    private func walk<Place: Sendable>(
        from start: Place?,
        _ part: @escaping @Sendable (any StoreTransaction, Place?) throws -> (forgotten: Int, next: Place?)
    ) async throws -> (forgotten: Int, next: Place?) {
        var (forgotten, place) = (0, start)
        for _ in 0..<Self.walkParts {
            let from = place
            let done = try await context.store.write { try part($0, from) }
            forgotten += done.forgotten
            place = done.next
            // Where little is old, the rest can wait. More comes to be old the longer a way through the table takes, so a
            // round does more before the table grows without end.
            guard place != nil, 4 * done.forgotten >= Self.walkSize, !Task.isCancelled else { break }
        }
        return (forgotten, place)
    }
}
