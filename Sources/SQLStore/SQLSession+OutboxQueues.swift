import Engine
import WorkflowModel

extension SQLSession {
    // MARK: Queues

    func outboxQueues() throws -> [OutboxQueue] {
        var queues: [OutboxQueue] = []
        // One seek for each: SQLite reads all entries of an index for DISTINCT.
        var last = OutboxQueue(project: Identifier(high: 0, low: 0), isBulk: false)
        while let next = try queue(after: last) {
            queues.append(next)
            last = next
        }
        return queues
    }

    private func queue(after last: OutboxQueue) throws -> OutboxQueue? {
        try first(
            """
            SELECT project_id, class FROM outbox INDEXED BY outbox_queue
            WHERE status = 'pending' AND (project_id, class) > (?, ?) ORDER BY project_id, class LIMIT 1
            """, last.project, last.isBulk
        ) { OutboxQueue(project: $0[0], isBulk: $0[1]) }
    }

    func tickets(
        in queue: OutboxQueue, after position: OutboxTicket?, lane: Int64?, limit: Int
    ) throws -> [OutboxTicket] {
        let position =
            position
            ?? OutboxTicket(
                dueAt: Timestamp(microseconds: .min), lane: .min, id: Identifier(high: 0, low: 0))
        func ticket(_ row: SQLRow) -> OutboxTicket { OutboxTicket(dueAt: row[0], lane: row[1], id: row[2]) }
        guard let lane else {
            return try rows(
                """
                SELECT due_at, lane, id FROM outbox INDEXED BY outbox_queue
                WHERE status = 'pending' AND project_id = ? AND class = ? AND (due_at, lane, id) > (?, ?, ?)
                ORDER BY due_at, lane, id LIMIT ?
                """, queue.project, queue.isBulk, position.dueAt, position.lane, position.id, limit, decode: ticket)
        }
        return try rows(
            """
            SELECT due_at, lane, id FROM outbox INDEXED BY outbox_queue
            WHERE status = 'pending' AND project_id = ? AND class = ? AND (due_at, lane, id) > (?, ?, ?) AND lane = ?
            ORDER BY due_at, lane, id LIMIT ?
            """, queue.project, queue.isBulk, position.dueAt, position.lane, position.id, lane, limit, decode: ticket)
    }

    func pendingCount(in queue: OutboxQueue, limit: Int) throws -> Int {
        try first(
            """
            SELECT count(*) FROM (SELECT 1 FROM outbox INDEXED BY outbox_queue
                WHERE status = 'pending' AND project_id = ? AND class = ? LIMIT ?)
            """, queue.project, queue.isBulk, limit
        ) { $0[0] } ?? 0
    }

    func claim(_ ids: [Identifier], at time: Timestamp) throws -> [OutboxEntry] {
        var claimed: [OutboxEntry] = []
        claimed.reserveCapacity(ids.count)
        for id in ids {
            guard let status = try dueStatus(of: id, at: time) else { continue }
            switch status {
            case .success(let entry):
                try run("UPDATE outbox SET status = 'claimed' WHERE id = ?") { $0.add(id) }
                claimed.append(entry)
            case .failure:
                try countUnreadable(id)
                try run(
                    """
                    UPDATE outbox SET status = 'failed', last_reply = 'its stored data cannot be read',
                        completed_at = ? WHERE id = ?
                    """, time, id)
            }
        }
        return claimed
    }

    /// The entry when it is pending and due; nil otherwise.
    private func dueStatus(of id: Identifier, at time: Timestamp) throws -> Result<OutboxEntry, any Error>? {
        try first(
            """
            SELECT id, project_id, contact_id, execution_id, status, due_at, created_at, attempts, uncertain_attempts,
                generation, template_version_id, message_id, request, first_attempt_at
            FROM outbox WHERE id = ? AND status = 'pending' AND due_at <= ?
            """
        ) {
            $0.add(id)
            $0.add(time)
        } decode: { row in
            Result { try Self.outboxEntry(row) }
        }
    }

    func projectSlugs() throws -> [Identifier: String] {
        let pairs: [(Identifier, String)] = try rows("SELECT id, slug FROM projects") { ($0[0], $0[1]) }
        return Dictionary(pairs) { first, _ in first }
    }

    // MARK: Pauses

    func outboxPauses() throws -> [OutboxPause] {
        try rows("SELECT project_id, kind, name, paused_at, note FROM outbox_pauses") { row in
            let project: [UInt8] = row[0]
            return OutboxPause(
                projectID: Identifier(bytes: project),
                object: .init(try row.decoded(1, as: OutboxPause.Object.Kind.self), row[2]), pausedAt: row[3],
                note: row[4])
        }
    }

    func save(_ pause: OutboxPause) throws {
        try run(
            """
            INSERT INTO outbox_pauses (project_id, kind, name, paused_at, note) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (project_id, kind, name) DO UPDATE SET note = excluded.note
            """, pause.projectID?.bytes ?? [], pause.object.kind.rawValue, pause.object.name, pause.pausedAt, pause.note
        )
    }

    func deletePause(of object: OutboxPause.Object, in project: Identifier?) throws -> Bool {
        try run(
            "DELETE FROM outbox_pauses WHERE project_id = ? AND kind = ? AND name = ?", project?.bytes ?? [],
            object.kind.rawValue, object.name)
        return changeCount > 0
    }

    // MARK: Counts of the day

    func paceCounts(ofDay day: Int64) throws -> [String: Int] {
        let pairs: [(String, Int)] = try rows("SELECT scope, count FROM pace_counts WHERE day = ?", day) {
            ($0[0], $0[1])
        }
        return Dictionary(pairs) { first, _ in first }
    }

    func addPaceCount(_ scope: String, day: Int64, by amount: Int) throws {
        try run(
            """
            INSERT INTO pace_counts (scope, day, count) VALUES (?, ?, ?)
            ON CONFLICT (scope, day) DO UPDATE SET count = count + excluded.count
            """, scope, day, amount)
    }

    func deletePaceCounts(beforeDay day: Int64) throws { try run("DELETE FROM pace_counts WHERE day < ?", day) }
}
