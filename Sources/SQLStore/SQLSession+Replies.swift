import Engine
import WorkflowModel

extension SQLSession {
    /// The domain under which all replies are counted.
    private static let everybody = ""

    func replies(to recipient: String) throws -> [SentReply] {
        try rows("SELECT project_id, route, template_id, at FROM reply_windows WHERE recipient = ?", recipient) {
            SentReply(projectID: $0[0], route: $0[1], template: $0[2], at: $0[3])
        }
    }

    func save(_ reply: SentReply, to recipient: String) throws {
        try run(
            """
            INSERT INTO reply_windows (recipient, project_id, route, template_id, at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (recipient, project_id, route, template_id) DO UPDATE SET at = excluded.at
            """, recipient, reply.projectID, reply.route, reply.template, reply.at)
    }

    func replyCount(domain: String?, since slot: Int64) throws -> Int {
        try first(
            "SELECT coalesce(sum(count), 0) FROM reply_counts WHERE domain = ? AND slot >= ?",
            domain ?? Self.everybody, slot
        ) { $0[0] } ?? 0
    }

    func countReply(domain: String, slot: Int64) throws {
        for name in Set([domain, Self.everybody]) {
            try run(
                """
                INSERT INTO reply_counts (domain, slot, count) VALUES (?, ?, 1)
                ON CONFLICT (domain, slot) DO UPDATE SET count = count + 1
                """, name, slot)
        }
    }

    func forgetReplyCounts() throws { try run("DELETE FROM reply_counts") }

    func save(_ stop: ReplyStop) throws {
        try run(
            """
            INSERT INTO reply_stops (id, opened_at, ends_at) VALUES (1, ?, ?)
            ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, ends_at = excluded.ends_at
            """, stop.openedAt, stop.until)
    }

    func replyStop() throws -> ReplyStop? {
        try first("SELECT opened_at, ends_at FROM reply_stops WHERE id = 1") {
            ReplyStop(openedAt: $0[0], until: $0[1])
        }
    }

    func pruneReplies(before time: Timestamp, slot: Int64, after place: String?, limit: Int) throws -> String? {
        try run("DELETE FROM reply_counts WHERE slot < ?", slot)
        let recipients: [String] = try rows(
            "SELECT DISTINCT recipient FROM reply_windows WHERE recipient > ? ORDER BY recipient LIMIT ?",
            place ?? "", limit
        ) { $0[0] }
        guard let last = recipients.last else { return nil }
        try run(
            "DELETE FROM reply_windows WHERE recipient > ? AND recipient <= ? AND at < ?", place ?? "", last, time)
        return recipients.count < limit ? nil : last
    }
}
