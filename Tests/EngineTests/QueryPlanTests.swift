import EngineTestKit
import Foundation
import GRDBSQLite
import SQLStore
import Testing

/// What is asked with every event and every timer must cost the same with ten executions and with a million: no table is
/// read from end to end, and nothing is sorted.
@Suite struct QueryPlanTests {
    @Test(arguments: [
        // The next timer, and what is due.
        "SELECT due_at FROM executions WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
        "SELECT id FROM executions WHERE due_at IS NOT NULL AND due_at <= ?1 ORDER BY due_at LIMIT ?2",
        // Who waits for an event, and who may enter.
        "SELECT execution_id FROM waits WHERE contact_id = ?1 AND event_name = ?2",
        "SELECT 1 FROM executions WHERE workflow_id = ?1 AND contact_id = ?2 AND once = 1",
        "SELECT 1 FROM executions WHERE workflow_id = ?1 AND contact_id = ?2 AND status IN ('RUNNING', 'WAITING')",
        // Who is under way, in pages.
        """
        SELECT id, contact_id, reentry_value FROM executions
        WHERE workflow_id = ?1 AND status IN ('RUNNING', 'WAITING') AND (contact_id, reentry_value) > (?2, ?3)
        ORDER BY contact_id, reentry_value LIMIT ?4
        """,
        // Whether a contact was here with that value of the re-entry key.
        """
        SELECT 1 FROM executions
        WHERE workflow_id = ?1 AND contact_id = ?2 AND reentry_value = ?3 AND status IN ('RUNNING', 'WAITING')
        """,
        "SELECT 1 FROM executions WHERE workflow_id = ?1 AND contact_id = ?2 AND reentry_value = ?3 AND once = 1",
        // Whether a schedule's earlier run is under way.
        "SELECT 1 FROM executions WHERE workflow_id = ?1 AND status IN ('RUNNING', 'WAITING') LIMIT 1",
        // A page of a list: ids alone, out of the index.
        "SELECT id FROM executions WHERE workflow_id = ?1 ORDER BY id DESC LIMIT ?2 OFFSET ?3",
        // The lock, and the counts.
        "SELECT count FROM execution_counts WHERE workflow_id = ?1 AND step = '' AND status = ?2",
        // A row of a file, and the report of those that were not applied.
        """
        SELECT id, email, subscribed, data, created_at, updated_at, import_job FROM contacts
        WHERE project_id = ?1 AND email = ?2
        """,
        """
        SELECT row, field, rule, message FROM contact_job_errors WHERE job = ?1 AND row > ?2 ORDER BY row LIMIT ?3
        """,
        // The history that somebody looks back on.
        """
        SELECT at FROM event_occurrences
        WHERE contact_id = ?1 AND name = ?2 AND is_repeated = 0 ORDER BY at DESC LIMIT 1
        """,
        // Who is in which segment, and when that may change.
        "SELECT segment_id FROM segment_members WHERE contact_id = ?1",
        "SELECT 1 FROM segment_members WHERE contact_id = ?1 AND segment_id = ?2",
        """
        SELECT contact_id, entered_at FROM members_by_segment
        WHERE segment_id = ?1 AND block_start >= ?2 ORDER BY block_start, contact_id LIMIT ?3 OFFSET ?4
        """,
        """
        SELECT contact_id FROM members_by_segment
        WHERE segment_id = ?1 AND block_start >= ifnull((
                SELECT b.first_id FROM segments g JOIN contact_blocks b ON b.project_id = g.project_id
                WHERE g.id = ?1 AND b.first_id <= ?2 ORDER BY b.first_id DESC LIMIT 1), x'')
            AND block_start <= ?3 AND contact_id > ?2 AND contact_id <= ?3
        ORDER BY block_start, contact_id LIMIT ?4
        """,
        """
        SELECT b.first_id, s.members FROM segments g
        CROSS JOIN contact_blocks b ON b.project_id = g.project_id
        CROSS JOIN segment_blocks s ON s.block_id = b.id AND s.segment_id = g.id
        WHERE g.id = ?1 ORDER BY b.first_id
        """,
        "SELECT due_at FROM segment_timers WHERE segment_id = ?1 AND contact_id = ?2",
        "SELECT segment_id, contact_id, due_at FROM segment_timers WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2",
        "SELECT due_at FROM segment_timers ORDER BY due_at LIMIT 1",
        // What happened to a contact: a seek in each run.
        "SELECT entries FROM contact_history WHERE run = ?1 AND last >= ?2 ORDER BY last LIMIT 1",
        "SELECT entries FROM contact_history WHERE run = ?1 AND last < ?2 AND last >= ?3 ORDER BY last DESC",
        "SELECT id, entries FROM contact_history WHERE run = ?1 AND last >= ?2 ORDER BY last",
        "SELECT id, entries FROM contact_history WHERE run = ?1 ORDER BY last LIMIT ?2",
        // Mails of a broadcast that wait, what is to be done about broadcasts, and who needs a version.
        """
        SELECT count(*) FROM outbox INDEXED BY outbox_by_broadcast
        WHERE broadcast_id = ?1 AND status IN ('pending', 'held', 'claimed')
        """,
        """
        SELECT id, broadcast_variant FROM outbox INDEXED BY outbox_by_broadcast
        WHERE broadcast_id = ?1 AND status IN ('pending', 'held', 'claimed') AND status = ?2 LIMIT ?3
        """,
        "SELECT status FROM broadcasts WHERE id = ?1",
        "SELECT id FROM contacts WHERE project_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4",
        "SELECT 1 FROM broadcast_versions WHERE version_id = ?1 LIMIT 1",
        // The new events, and a page of all.
        "SELECT rowid, contact_id, project_id, name, created_at FROM events WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        // Who is erased, and whether an address was.
        "SELECT 1 FROM suppressed_addresses WHERE project_id = ?1 AND hash = ?2 AND reason = 'erased'",
        """
        SELECT reason, at, expires_at FROM suppressed_addresses
        WHERE project_id = ?1 AND hash = ?2 AND reason <> 'erased'
        """,
        // Which mails need a file or a body.
        "SELECT 1 FROM outbox WHERE attachment_set = ?1 LIMIT 1",
        "SELECT 1 FROM outbox WHERE execution_id IS NULL AND template_version_id = ?1 LIMIT 1",
        "SELECT 1 FROM unnamed_versions WHERE version_id = ?1",
        "SELECT DISTINCT set_id FROM mail_attachments WHERE set_id > ?1 ORDER BY set_id LIMIT ?2",
        "SELECT version_id FROM unnamed_versions WHERE version_id > ?1 ORDER BY version_id LIMIT ?2",
        "SELECT 1 FROM suppressed_addresses WHERE project_id = ?1 LIMIT 1",
        // What is old enough to be forgotten, of the next rows.
        """
        SELECT entry_id, sequence FROM pixel_hits
        WHERE (entry_id, sequence) > (?1, ?2) AND entry_id < ?3 ORDER BY entry_id, sequence LIMIT 1 OFFSET ?4
        """,
        """
        DELETE FROM pixel_hits
        WHERE (entry_id, sequence) > (?1, ?2) AND (entry_id, sequence) <= (?3, ?4) AND at < ?5
        """,
        """
        SELECT entry_id, sequence FROM click_hits
        WHERE (entry_id, sequence) > (?1, ?2) AND entry_id < ?3 ORDER BY entry_id, sequence LIMIT 1 OFFSET ?4
        """,
        """
        DELETE FROM click_hits
        WHERE (entry_id, sequence) > (?1, ?2) AND (entry_id, sequence) <= (?3, ?4) AND at < ?5
        """,
        "SELECT key FROM receptions WHERE key > ?1 ORDER BY key LIMIT 1 OFFSET ?2",
        "DELETE FROM receptions WHERE key > ?1 AND key <= ?2 AND received_at < ?3",
    ])
    func readsAnIndexAndSortsNothing(_ sql: String) throws {
        let database = try TemporaryDatabase()
        try SQLiteStore(path: database.path, exclusively: true).close()
        let plan = try plan(of: sql, database.path)
        #expect(!plan.isEmpty)
        for line in plan where !line.hasSuffix("SUBQUERY \(line.suffix(1))") {
            #expect(line.hasPrefix("SEARCH") || line.contains("INDEX"), "\(plan)")
        }
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
        // A plan says something about the store as long as the store asks in these words.
        let asked = sql.replacing(/\?\d/, with: "?").joinedWords
        #expect(Self.sources.contains(asked), "nobody asks \(asked)")
    }

    /// The text of the store's sources, with one blank between any two words.
    private static let sources: String = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/SQLStore").path
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.sorted().compactMap { FileManager.default.contents(atPath: "\(folder)/\($0)") }
            .map { String(decoding: $0, as: UTF8.self).replacing(/\?\d/, with: "?").joinedWords }.joined(separator: " ")
    }()

    struct Failure: Error {}

    private func plan(of sql: String, _ path: String) throws -> [String] {
        var connection: OpaquePointer?
        var statement: OpaquePointer?
        defer {
            sqlite3_finalize(statement)
            sqlite3_close(connection)
        }
        guard sqlite3_open(path, &connection) == SQLITE_OK,
            sqlite3_prepare_v2(connection, "EXPLAIN QUERY PLAN " + sql, -1, &statement, nil) == SQLITE_OK
        else { throw Failure() }
        var lines: [String] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            if let text = sqlite3_column_text(statement, 3) { lines.append(String(cString: text)) }
        }
        return lines
    }
}

extension String {
    fileprivate var joinedWords: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
