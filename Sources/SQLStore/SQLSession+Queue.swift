import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Acceptances

    func insert(_ acceptance: Acceptance) throws -> Bool {
        try run(
            """
            INSERT INTO acceptances (entry_id, attempt, queue_id, at, discarded) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (entry_id, attempt) DO NOTHING
            """, acceptance.entryID, acceptance.attempt, acceptance.queueID, acceptance.at, acceptance.isDiscarded)
        return changeCount > 0
    }

    func acceptances(of entry: Identifier) throws -> [Acceptance] {
        try rows(
            "SELECT attempt, queue_id, at, discarded FROM acceptances WHERE entry_id = ? ORDER BY attempt", entry
        ) {
            Acceptance(entryID: entry, attempt: $0[0], queueID: $0[1], at: $0[2], isDiscarded: $0[3])
        }
    }

    // MARK: Fates

    func relayedMail(_ id: Identifier) throws -> RelayedMail? {
        guard let entry = try entry(id) else { return nil }
        return try first("SELECT relay_queue_id, fate FROM outbox WHERE id = ?", id) {
            RelayedMail(entry: entry, queueID: $0[0], fate: Self.fate($0, 1))
        }
    }

    func fate(of entry: Identifier) throws -> MailFate? {
        try firstDecoded("SELECT fate FROM outbox WHERE id = ?", entry) { Self.fate($0, 0) }
    }

    /// What cannot be read is not known.
    static func fate(_ row: SQLRow, _ column: Int) -> MailFate? {
        (try? row.object(column)).flatMap { MailFate($0) }
    }

    func setFate(_ fate: MailFate, of entry: Identifier) throws {
        try run("UPDATE outbox SET fate = ? WHERE id = ?", JSONWriter.write(.object(fate.json)), entry)
    }

    // MARK: Logs

    func logPosition(of source: String) throws -> String? {
        try first("SELECT position FROM log_positions WHERE source = ?", source) { $0[0] }
    }

    func saveLogPosition(_ position: String, of source: String, at time: Timestamp) throws {
        try run(
            """
            INSERT INTO log_positions (source, position, at) VALUES (?, ?, ?)
            ON CONFLICT (source) DO UPDATE SET position = excluded.position, at = excluded.at
            """, source, position, time)
    }

    func queuedDelivery(instance: String, queueID: String) throws -> QueuedDelivery? {
        try first(
            "SELECT entry_id, at FROM queued_deliveries WHERE instance = ? AND queue_id = ?", instance, queueID
        ) {
            QueuedDelivery(instance: instance, queueID: queueID, entryID: $0[0], at: $0[1])
        }
    }

    func save(_ delivery: QueuedDelivery) throws {
        try run(
            """
            INSERT INTO queued_deliveries (instance, queue_id, entry_id, at) VALUES (?, ?, ?, ?)
            ON CONFLICT (instance, queue_id) DO UPDATE SET entry_id = excluded.entry_id, at = excluded.at
            """, delivery.instance, delivery.queueID, delivery.entryID, delivery.at)
    }

    func deleteQueuedDelivery(instance: String, queueID: String) throws {
        try run("DELETE FROM queued_deliveries WHERE instance = ? AND queue_id = ?", instance, queueID)
    }

    // MARK: Gaps

    func receivedRecipients(underQueueIDs queueIDs: Set<String>) throws -> [String: [String]] {
        guard !queueIDs.isEmpty else { return [:] }
        // Asked for mail that seems to be missing, which is rare: an index would cost every mail that is not.
        let list = JSONWriter.write(.array(queueIDs.map { .string($0) }))
        let found = try rows(
            "SELECT queue_id, recipient FROM receptions WHERE queue_id IN (SELECT value FROM json_each(?))", list
        ) { ($0[0] as String, $0[1] as String) }
        return Dictionary(grouping: found, by: \.0).mapValues { $0.map(\.1) }
    }

    func insert(_ gap: InboundGap) throws -> Bool {
        try run(
            """
            INSERT INTO inbound_gaps (queue_id, recipient, message_id, sender, at, found_at, resolved_at)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (queue_id, recipient) DO NOTHING
            """, gap.queueID, gap.recipient, gap.messageID, gap.sender, gap.at, gap.foundAt, gap.resolvedAt)
        return changeCount > 0
    }

    func resolveGaps(of queueID: String, recipient: String?, at time: Timestamp) throws -> Int {
        try run(
            """
            UPDATE inbound_gaps SET resolved_at = ?3
            WHERE queue_id = ?1 AND (?2 IS NULL OR recipient = ?2) AND resolved_at IS NULL
            """, queueID, recipient, time)
        return changeCount
    }

    func resolveAllGaps(at time: Timestamp) throws -> Int {
        try run("UPDATE inbound_gaps SET resolved_at = ? WHERE resolved_at IS NULL", time)
        return changeCount
    }

    func inboundGaps(includingResolved: Bool, limit: Int) throws -> [InboundGap] {
        try rows(
            """
            SELECT queue_id, recipient, message_id, sender, at, found_at, resolved_at FROM inbound_gaps
            WHERE ?1 OR resolved_at IS NULL ORDER BY at DESC, queue_id LIMIT ?2
            """, includingResolved, limit
        ) {
            InboundGap(
                queueID: $0[0], recipient: $0[1], messageID: $0[2], sender: $0[3], at: $0[4], foundAt: $0[5],
                resolvedAt: $0[6])
        }
    }

    func openGapCount() throws -> Int {
        try first("SELECT count(*) FROM inbound_gaps WHERE resolved_at IS NULL") { $0[0] } ?? 0
    }

    func pruneQueue(before time: Timestamp) throws {
        // Ids begin with the time at which they were made.
        try run("DELETE FROM acceptances WHERE entry_id < ?", Identifier(at: time, random: (0, 0)))
        try run("DELETE FROM queued_deliveries WHERE at < ?", time)
        try run("DELETE FROM inbound_gaps WHERE found_at < ?", time)
    }
}
