import Engine
import WorkflowModel

/// Tables that have no order by time are gone through in the order of their keys.
extension SQLSession {
    func pruneReceptions(
        before time: Timestamp, after key: [UInt8]?, limit: Int
    ) throws -> (forgotten: Int, next: [UInt8]?) {
        let start = key ?? []
        let last: [UInt8]? = try first(
            "SELECT key FROM receptions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", start, limit - 1
        ) { $0[0] }
        try run(
            "DELETE FROM receptions WHERE key > ? AND key <= ? AND received_at < ?", start,
            last ?? [UInt8](repeating: 255, count: 64), time)
        return (changeCount, last)
    }

    // No hit is older than its mail, and the id of a mail begins with the time at which it was made: hits of later mails
    // need no look.

    func prunePixelHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?) {
        let (start, end) = (place ?? Self.firstHit, Identifier(at: time, random: (0, 0)))
        let last = try first(
            """
            SELECT entry_id, sequence FROM pixel_hits
            WHERE (entry_id, sequence) > (?1, ?2) AND entry_id < ?3 ORDER BY entry_id, sequence LIMIT 1 OFFSET ?4
            """, start.entryID, start.sequence, end, limit - 1
        ) { HitPlace(entryID: $0[0], sequence: $0[1]) }
        try run(
            """
            DELETE FROM pixel_hits
            WHERE (entry_id, sequence) > (?1, ?2) AND (entry_id, sequence) <= (?3, ?4) AND at < ?5
            """, start.entryID, start.sequence, last?.entryID ?? end, last?.sequence ?? -1, time)
        return (changeCount, last)
    }

    func pruneClickHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?) {
        let (start, end) = (place ?? Self.firstHit, Identifier(at: time, random: (0, 0)))
        let last = try first(
            """
            SELECT entry_id, sequence FROM click_hits
            WHERE (entry_id, sequence) > (?1, ?2) AND entry_id < ?3 ORDER BY entry_id, sequence LIMIT 1 OFFSET ?4
            """, start.entryID, start.sequence, end, limit - 1
        ) { HitPlace(entryID: $0[0], sequence: $0[1]) }
        try run(
            """
            DELETE FROM click_hits
            WHERE (entry_id, sequence) > (?1, ?2) AND (entry_id, sequence) <= (?3, ?4) AND at < ?5
            """, start.entryID, start.sequence, last?.entryID ?? end, last?.sequence ?? -1, time)
        return (changeCount, last)
    }

    /// Before all hits.
    private static let firstHit = HitPlace(entryID: Identifier(high: 0, low: 0), sequence: -1)
}
