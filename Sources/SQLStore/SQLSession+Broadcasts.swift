import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Broadcasts

    func save(_ broadcast: Broadcast) throws {
        let pinned: String? =
            broadcast.pinned.isEmpty ? nil : JSONWriter.write(.array(broadcast.pinned.map(\.json)))
        try run(
            """
            INSERT INTO broadcasts (id, project_id, name, status, segment_id, definition, scheduled_at, pinned, phase,
                cursor, last_contact, decide_at, winner, winner_reason, reason, sweeping, active, created_at, updated_at,
                started_at, completed_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status,
                segment_id = excluded.segment_id, definition = excluded.definition,
                scheduled_at = excluded.scheduled_at, pinned = excluded.pinned, phase = excluded.phase,
                cursor = excluded.cursor, last_contact = excluded.last_contact, decide_at = excluded.decide_at,
                winner = excluded.winner, winner_reason = excluded.winner_reason, reason = excluded.reason,
                sweeping = excluded.sweeping, active = excluded.active, updated_at = excluded.updated_at,
                started_at = excluded.started_at, completed_at = excluded.completed_at
            """, broadcast.id, broadcast.projectID, broadcast.name, broadcast.status.rawValue, broadcast.segmentID,
            broadcast.definition.json.text, broadcast.scheduledAt, pinned, broadcast.phase?.rawValue, broadcast.cursor,
            broadcast.last, broadcast.decideAt, broadcast.winner, broadcast.winnerReason?.rawValue, broadcast.reason,
            broadcast.isSweeping, broadcast.isActive, broadcast.createdAt, broadcast.updatedAt, broadcast.startedAt,
            broadcast.completedAt)
    }

    func delete(broadcast id: Identifier) throws {
        try run("DELETE FROM broadcasts WHERE id = ?", id)
        try run("DELETE FROM broadcast_versions WHERE broadcast_id = ?", id)
    }

    func broadcast(_ id: Identifier) throws -> Broadcast? {
        try first(
            """
            SELECT id, project_id, name, status, segment_id, definition, scheduled_at, pinned, phase, cursor,
                last_contact, decide_at, winner, winner_reason, reason, sweeping, created_at, updated_at, started_at,
                completed_at
            FROM broadcasts WHERE id = ?
            """, id, decode: Self.broadcast)
    }

    func broadcast(_ id: Identifier, in project: Identifier) throws -> Broadcast? {
        guard let broadcast = try broadcast(id), broadcast.projectID == project else { return nil }
        return broadcast
    }

    func broadcasts(
        in project: Identifier, status: Broadcast.Status?, limit: Int, offset: Int
    ) throws -> (rows: [Broadcast], total: Int) {
        let total: Int =
            try first(
                "SELECT count(*) FROM broadcasts WHERE project_id = ?1 AND (?2 IS NULL OR status = ?2)", project,
                status?.rawValue
            ) { $0[0] } ?? 0
        let rows = try rows(
            """
            SELECT id, project_id, name, status, segment_id, definition, scheduled_at, pinned, phase, cursor,
                last_contact, decide_at, winner, winner_reason, reason, sweeping, created_at, updated_at, started_at,
                completed_at
            FROM broadcasts WHERE project_id = ?1 AND (?2 IS NULL OR status = ?2) ORDER BY id DESC LIMIT ?3 OFFSET ?4
            """, project, status?.rawValue, limit, offset, decode: Self.broadcast)
        return (rows, total)
    }

    func openBroadcasts(in project: Identifier) throws -> [Broadcast] {
        try rows(
            """
            SELECT id, project_id, name, status, segment_id, definition, scheduled_at, pinned, phase, cursor,
                last_contact, decide_at, winner, winner_reason, reason, sweeping, created_at, updated_at, started_at,
                completed_at
            FROM broadcasts WHERE project_id = ? AND status NOT IN ('sent', 'cancelled') ORDER BY id
            """, project
        ) { row in
            // One that cannot be read stands in nobody's way.
            try? Self.broadcast(row)
        }.compactMap(\.self)
    }

    func activeBroadcasts() throws -> [Broadcast] {
        try rows(
            """
            SELECT id, project_id, name, status, segment_id, definition, scheduled_at, pinned, phase, cursor,
                last_contact, decide_at, winner, winner_reason, reason, sweeping, created_at, updated_at, started_at,
                completed_at
            FROM broadcasts INDEXED BY broadcasts_active WHERE active = 1 ORDER BY id
            """
        ) { row in try? Self.broadcast(row) }.compactMap(\.self)
    }

    func status(ofBroadcast id: Identifier) throws -> Broadcast.Status? {
        try first("SELECT status FROM broadcasts WHERE id = ?", id) {
            try $0.decoded(0, as: Broadcast.Status.self)
        }
    }

    private static func broadcast(_ row: SQLRow) throws -> Broadcast {
        guard let definition = BroadcastDefinition(try row.json(5)) else {
            throw StoreError(.damaged, "a stored broadcast cannot be read")
        }
        var broadcast = Broadcast(
            id: row[0], projectID: row[1], name: row[2], segmentID: row[4], definition: definition,
            createdAt: row[16])
        broadcast.status = try row.decoded(3, as: Broadcast.Status.self)
        broadcast.scheduledAt = row[6]
        broadcast.pinned = try (row.json(7).arrayValue ?? []).map { value in
            guard let pinned = Broadcast.Pinned(value) else {
                throw StoreError(.damaged, "the versions of a stored broadcast cannot be read")
            }
            return pinned
        }
        let (phase, winnerReason): (String?, String?) = (row[8], row[13])
        broadcast.phase = phase.flatMap(Broadcast.Phase.init)
        (broadcast.cursor, broadcast.last, broadcast.decideAt) = (row[9], row[10], row[11])
        broadcast.winner = row[12]
        broadcast.winnerReason = winnerReason.flatMap(Broadcast.WinnerReason.init)
        broadcast.reason = row[14]
        broadcast.isSweeping = row[15]
        (broadcast.updatedAt, broadcast.startedAt, broadcast.completedAt) = (row[17], row[18], row[19])
        return broadcast
    }

    // MARK: Versions

    func pin(version: Identifier, for broadcast: Identifier) throws {
        try run(
            "INSERT INTO broadcast_versions (version_id, broadcast_id) VALUES (?, ?) ON CONFLICT DO NOTHING", version,
            broadcast)
    }

    // MARK: Mails

    func note(
        recipient contact: Identifier, of broadcast: Identifier, variant: Int, mail entry: Identifier
    ) throws -> Bool {
        try run(
            """
            INSERT INTO broadcast_mails (broadcast_id, contact_id, variant, entry_id) VALUES (?, ?, ?, ?)
            ON CONFLICT (broadcast_id, contact_id) DO NOTHING
            """, broadcast, contact, variant, entry)
        return changeCount > 0
    }

    func noteUnsubscription(by contact: Identifier, in broadcast: Identifier) throws -> Bool {
        try run(
            """
            UPDATE broadcast_mails SET unsubscribed = 1
            WHERE broadcast_id = ? AND contact_id = ? AND unsubscribed = 0
            """, broadcast, contact)
        return changeCount > 0
    }

    func pruneRecipients(ofBroadcast id: Identifier, limit: Int) throws -> Int {
        try run(
            """
            DELETE FROM broadcast_mails WHERE broadcast_id = ?1 AND contact_id IN (
                SELECT contact_id FROM broadcast_mails WHERE broadcast_id = ?1 ORDER BY contact_id LIMIT ?2)
            """, id, limit)
        return changeCount
    }

    func broadcastsWithRecipients(endedBefore time: Timestamp, limit: Int) throws -> [Identifier] {
        // From one broadcast to the next by the primary key: a seek for each, however many recipients it has.
        try rows(
            """
            WITH RECURSIVE known (id) AS (
                SELECT min(broadcast_id) FROM broadcast_mails
                UNION ALL
                SELECT (SELECT min(broadcast_id) FROM broadcast_mails WHERE broadcast_id > known.id) FROM known
                WHERE known.id IS NOT NULL)
            SELECT b.id FROM known CROSS JOIN broadcasts b ON b.id = known.id
            WHERE b.status IN ('sent', 'cancelled') AND b.sweeping = 0 AND b.completed_at < ? LIMIT ?
            """, time, limit
        ) { $0[0] }
    }

    /// A statement of its own, so that other mail has two columns less to write.
    func insert(_ entry: OutboxEntry, asPartOf broadcast: MailRequest.Broadcast) throws {
        try run(
            """
            INSERT INTO outbox (id, project_id, contact_id, execution_id, status, due_at, attempts, uncertain_attempts,
                generation, template_version_id, message_id, request, created_at, class, attachment_set, lane,
                broadcast_id, broadcast_variant)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, entry.id, entry.projectID, entry.contactID, entry.executionID, entry.status.rawValue, entry.dueAt,
            entry.attempts, entry.uncertainAttempts, entry.generation, entry.request.templateVersionID,
            entry.messageID, JSONWriter.write(entry.request.json), entry.createdAt, entry.isBulk,
            entry.request.attachmentSet, entry.lane, broadcast.id, broadcast.variant)
    }

    func holdMails(of broadcast: Identifier, limit: Int) throws -> Int {
        let mails = try mails(of: broadcast, status: .pending, limit: limit)
        for mail in mails { try run("UPDATE outbox SET status = 'held' WHERE id = ?", mail.id) }
        return mails.count
    }

    func hold(_ entries: [Identifier]) throws {
        for id in entries { try run("UPDATE outbox SET status = 'held' WHERE id = ? AND status = 'claimed'", id) }
    }

    func releaseMails(of broadcast: Identifier, limit: Int) throws -> [Timestamp] {
        try mails(of: broadcast, status: .held, limit: limit).compactMap { mail in
            try run("UPDATE outbox SET status = 'pending' WHERE id = ?", mail.id)
            return try first("SELECT due_at FROM outbox WHERE id = ?", mail.id) { $0[0] }
        }
    }

    func cancelMails(of broadcast: Identifier, at time: Timestamp, limit: Int) throws -> [Int: Int] {
        var counts: [Int: Int] = [:]
        for status in [OutboxEntry.Status.held, .pending] {
            let found = counts.values.reduce(0, +)
            for mail in try mails(of: broadcast, status: status, limit: limit - found) {
                try run(
                    "UPDATE outbox SET status = 'cancelled', last_reply = ?, completed_at = ? WHERE id = ?",
                    Broadcast.cancellation, time, mail.id)
                counts[mail.variant, default: 0] += 1
            }
        }
        return counts
    }

    private func mails(
        of broadcast: Identifier, status: OutboxEntry.Status, limit: Int
    ) throws -> [(id: Identifier, variant: Int)] {
        try rows(
            """
            SELECT id, broadcast_variant FROM outbox INDEXED BY outbox_by_broadcast
            WHERE broadcast_id = ? AND status IN ('pending', 'held', 'claimed') AND status = ? LIMIT ?
            """, broadcast, status.rawValue, limit
        ) { ($0[0], $0[1]) }
    }

    // MARK: Counts

    func count(_ count: Broadcast.Count, of broadcast: Identifier, variant: Int, by amount: Int) throws {
        tally.broadcasts[BroadcastTally(broadcast: broadcast, variant: variant, count: count), default: 0] += amount
    }

    /// Written with the commit: a batch changes a count many times.
    func flushBroadcastCounts(_ counts: [BroadcastTally: Int]) throws {
        for (key, amount) in counts where amount != 0 {
            try run(
                """
                INSERT INTO broadcast_counts (broadcast_id, variant, name, count) VALUES (?, ?, ?, ?)
                ON CONFLICT (broadcast_id, variant, name) DO UPDATE SET count = count + excluded.count
                """, key.broadcast, key.variant, key.count.rawValue, amount)
        }
    }

    func broadcastCounts(of id: Identifier) throws -> [Int: BroadcastCounts] {
        var counts: [Int: BroadcastCounts] = [:]
        for (variant, name, count) in try rows(
            "SELECT variant, name, count FROM broadcast_counts WHERE broadcast_id = ?", id,
            decode: { row -> (Int, String, Int) in (row[0], row[1], row[2]) })
        {
            if let name = Broadcast.Count(rawValue: name) { counts[variant, default: .init()][name] += count }
        }
        // What the transaction itself has changed.
        for (key, amount) in tally.broadcasts where key.broadcast == id {
            counts[key.variant, default: .init()][key.count] += amount
        }
        for (variant, count) in try rows(
            """
            SELECT broadcast_variant, count(*) FROM outbox INDEXED BY outbox_by_broadcast
            WHERE broadcast_id = ? AND status IN ('pending', 'held', 'claimed') GROUP BY broadcast_variant
            """, id, decode: { row -> (Int, Int) in (row[0], row[1]) })
        {
            counts[variant, default: .init()].queued = count
        }
        return counts
    }

    func openMailCount(ofBroadcast id: Identifier) throws -> Int {
        try first(
            """
            SELECT count(*) FROM outbox INDEXED BY outbox_by_broadcast
            WHERE broadcast_id = ? AND status IN ('pending', 'held', 'claimed')
            """, id
        ) { $0[0] } ?? 0
    }

    func audience(ofSegment segment: Identifier?, in project: Identifier, at time: Timestamp) throws -> Audience {
        func audience(_ row: SQLRow) -> Audience { Audience(members: row[0], subscribed: row[1], sendable: row[2]) }
        guard let segment else {
            return try first(
                """
                SELECT count(*), count(*), coalesce(sum(NOT EXISTS (
                        SELECT 1 FROM suppressions s WHERE s.project_id = c.project_id AND s.address = c.email
                            AND (s.expires_at IS NULL OR s.expires_at > ?2))), 0)
                FROM contacts c WHERE c.project_id = ?1 AND c.subscribed = 1
                """, project, time, decode: audience) ?? Audience(members: 0, subscribed: 0, sendable: 0)
        }
        return try first(
            """
            SELECT count(*), coalesce(sum(c.subscribed), 0), coalesce(sum(c.subscribed AND NOT EXISTS (
                    SELECT 1 FROM suppressions s WHERE s.project_id = c.project_id AND s.address = c.email
                        AND (s.expires_at IS NULL OR s.expires_at > ?3))), 0)
            FROM members_by_segment m JOIN contacts c ON c.id = m.contact_id
            WHERE m.segment_id = ?1 AND c.project_id = ?2
            """, segment, project, time, decode: audience) ?? Audience(members: 0, subscribed: 0, sendable: 0)
    }

    /// Of a mail that cannot be read and is given up.
    func countUnreadable(_ id: Identifier) throws {
        let mail: (broadcast: Identifier, variant: Int)? = try first(
            "SELECT broadcast_id, broadcast_variant FROM outbox WHERE id = ? AND broadcast_id IS NOT NULL", id
        ) { ($0[0], $0[1]) }
        if let mail { try count(.failed, of: mail.broadcast, variant: mail.variant, by: 1) }
    }

    // MARK: Erasure

    /// Of a mail that goes with its contact. One that waits is no mail to come any more.
    func eraseBroadcastMail(_ ref: HistoryRef, of contact: Identifier) throws {
        let mail: (broadcast: Identifier, variant: Int, status: String)? = try first(
            """
            SELECT broadcast_id, broadcast_variant, status FROM outbox
            WHERE id = ? AND broadcast_id IS NOT NULL
            """, ref
        ) { ($0[0], $0[1], $0[2]) }
        guard let mail else { return }
        try run(
            "DELETE FROM broadcast_mails WHERE broadcast_id = ? AND contact_id = ?", mail.broadcast, contact)
        if ["pending", "held", "claimed"].contains(mail.status) {
            try count(.skipped, of: mail.broadcast, variant: mail.variant, by: 1)
        }
    }
}

/// A count of one variant.
struct BroadcastTally: Hashable {
    var broadcast: Identifier
    var variant: Int
    var count: Broadcast.Count
}
