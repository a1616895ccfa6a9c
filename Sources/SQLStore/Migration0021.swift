import Engine
import GRDB

/// The index of histories, many entries to a row.
///
/// The rules of the first schema hold here too.
enum Migration0021 {
    static let before = """
        ALTER TABLE contact_history RENAME TO contact_history_rows;
        -- Entries of a run in their order, and the last of them: contact (16 bytes), kind (1 for an event, 2 for an execution,
        -- 3 for a mail), and the rowid of an event (8 bytes) or the id (16). What they refer to may be gone.
        CREATE TABLE contact_history (
            run INTEGER NOT NULL,
            last BLOB NOT NULL,
            entries BLOB NOT NULL,
            PRIMARY KEY (run, last)
        ) STRICT, WITHOUT ROWID;
        """

    static let after = "DROP TABLE contact_history_rows;"

    /// Between the two: no SQL of the versions of SQLite that are supported makes bytes of a number.
    static func pack(_ database: Database) throws {
        let session = SQLSession(database)
        for run in try session.historyRuns().map(\.run) {
            var entries: [HistoryEntry] = []
            func write() throws {
                try session.append(entries, to: run, limit: 950)
                entries.removeAll(keepingCapacity: true)
            }
            _ = try session.firstDecoded(
                """
                SELECT contact_id, kind, ref FROM contact_history_rows WHERE run = ? ORDER BY contact_id, kind, ref
                """, run
            ) { row -> Bool? in
                if let kind = HistoryKind(rawValue: row[1]) {
                    entries.append(HistoryEntry(contact: row[0], kind: kind, ref: row[2]))
                }
                if entries.count >= 10_000 { try write() }
                return nil
            }
            try write()
        }
    }
}
