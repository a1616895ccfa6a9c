import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Mail that comes back

    func insert(_ mailReturn: MailReturn) throws -> Bool {
        try run(
            """
            INSERT INTO mail_returns (entry_id, kind, at, details) VALUES (?, ?, ?, ?)
            ON CONFLICT (entry_id, kind) DO NOTHING
            """, mailReturn.entryID, mailReturn.kind.rawValue, mailReturn.at, mailReturn.details.textOrNil)
        return changeCount > 0
    }

    func returns(of entry: Identifier) throws -> [MailReturn] {
        try rows("SELECT kind, at, details FROM mail_returns WHERE entry_id = ?", entry) { row in
            MailReturn(
                entryID: entry, kind: try row.decoded(0, as: MailReturn.Kind.self), at: row[1],
                details: try row.object(2))
        }
    }

    func entries(relayQueueID id: String, since time: Timestamp) throws -> [OutboxEntry] {
        let ids: [Identifier] = try rows(
            """
            SELECT id FROM outbox INDEXED BY outbox_by_queue_id
            WHERE relay_queue_id = ? AND completed_at >= ? ORDER BY completed_at DESC LIMIT 10
            """, id, time
        ) { $0[0] }
        return try ids.compactMap { try entry($0) }
    }

    func noteAnswer(to execution: Identifier, at time: Timestamp) throws {
        try run(
            """
            INSERT INTO answered_executions (execution_id, at) VALUES (?, ?)
            ON CONFLICT (execution_id) DO UPDATE SET at = excluded.at
            """, execution, time)
    }

    func answeredAt(execution id: Identifier) throws -> Timestamp? {
        try first("SELECT at FROM answered_executions WHERE execution_id = ?", id) { $0[0] }
    }

    // MARK: Reports

    func insert(_ report: InboundReport) throws {
        try run(
            """
            INSERT INTO inbound_reports (project_id, id, at, class, outcome, is_verified, matched_by, entry_id, address,
                details)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, report.projectID, report.id, report.at, report.mailClass, report.outcome, report.isVerified,
            report.matchedBy, report.entryID, report.address, report.details.textOrNil)
    }

    func reports(_ selection: ReportSelection) throws -> [InboundReport] {
        // An address has an index of its own; the rest reads along the project's rows.
        let end = selection.cursor ?? Identifier(high: .max, low: .max)
        if let address = selection.address {
            return try rows(
                """
                SELECT id, at, class, outcome, is_verified, matched_by, entry_id, address, details FROM inbound_reports
                WHERE project_id = ?1 AND address = ?2 AND id < ?3 AND (?4 IS NULL OR is_verified = ?4)
                    AND (?5 IS NULL OR outcome = ?5)
                ORDER BY id DESC LIMIT ?6
                """, selection.projectID, address, end, selection.isVerified, selection.outcome, selection.limit
            ) { try Self.report($0, in: selection.projectID) }
        }
        return try rows(
            """
            SELECT id, at, class, outcome, is_verified, matched_by, entry_id, address, details FROM inbound_reports
            WHERE project_id = ?1 AND id < ?2 AND (?3 IS NULL OR is_verified = ?3) AND (?4 IS NULL OR outcome = ?4)
            ORDER BY id DESC LIMIT ?5
            """, selection.projectID, end, selection.isVerified, selection.outcome, selection.limit
        ) { try Self.report($0, in: selection.projectID) }
    }

    private static func report(_ row: SQLRow, in project: Identifier) throws -> InboundReport {
        InboundReport(
            id: row[0], projectID: project, at: row[1], mailClass: row[2], outcome: row[3], isVerified: row[4],
            matchedBy: row[5], entryID: row[6], address: row[7], details: try row.object(8))
    }

    func pruneReports(before time: Timestamp, limit: Int) throws -> Int {
        let old: [(Identifier, Identifier)] = try rows(
            "SELECT project_id, id FROM inbound_reports WHERE at < ? ORDER BY at LIMIT ?", time, limit
        ) { ($0[0], $0[1]) }
        for (project, id) in old {
            try run("DELETE FROM inbound_reports WHERE project_id = ? AND id = ?", project, id)
        }
        return old.count
    }

    // MARK: Erasure

    func eraseReturns(ofMail entry: HistoryRef) throws {
        try run("DELETE FROM mail_returns WHERE entry_id = ?", entry)
        try run("DELETE FROM inbound_reports WHERE entry_id = ?", entry)
    }

    func eraseReports(about address: String, in project: Identifier) throws {
        try run("DELETE FROM inbound_reports WHERE project_id = ? AND address = ?", project, address)
    }
}
