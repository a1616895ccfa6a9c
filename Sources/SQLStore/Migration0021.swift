import GRDB
import WorkflowModel

/// The index of histories, many entries to a row.
///
/// The rules of the first schema hold here too. What it does with bytes is written out here, because a step never changes.
enum Migration0021 {
    static let before = """
        ALTER TABLE contact_history RENAME TO contact_history_rows;
        -- Entries of a run in their order, and the last of them: contact (16 bytes), kind (1 for an event, 2 for an execution,
        -- 3 for a mail), and the rowid of an event (8 bytes) or the id (16). What they refer to may be gone. The rows are too
        -- long for a table without rowid: its inner pages would hold five of them.
        CREATE TABLE contact_history (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            last BLOB NOT NULL,
            entries BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX contact_history_by_last ON contact_history (run, last);
        """

    static let after = "DROP TABLE contact_history_rows;"

    /// Bytes of entries in a row.
    private static let limit = 950

    /// Between the two: no SQL of the versions of SQLite that are supported makes bytes of a number.
    static func pack(_ database: Database) throws {
        let session = SQLSession(database)
        var run: Int64?
        var last: [UInt8] = []
        var entries: [UInt8] = []
        func write() throws {
            guard let run, !entries.isEmpty else { return }
            try session.run("INSERT INTO contact_history (run, last, entries) VALUES (?, ?, ?)", run, last, entries)
            entries.removeAll(keepingCapacity: true)
        }
        // What is of no known form is left out: nothing could find it.
        _ = try session.firstDecoded(
            """
            SELECT run, contact_id, kind, ref FROM contact_history_rows
            WHERE length(contact_id) = 16 AND (
                kind = 1 AND typeof(ref) = 'integer' AND ref >= 0
                OR kind IN (2, 3) AND typeof(ref) = 'blob' AND length(ref) = 16)
            ORDER BY run, contact_id, kind, ref
            """
        ) { row -> Bool? in
            let kind: Int64 = row[2]
            var entry: [UInt8] = row[1]
            entry.append(UInt8(kind))
            if kind == 1 {
                let number: Int64 = row[3]
                withUnsafeBytes(of: number.bigEndian) { entry.append(contentsOf: $0) }
            } else {
                entry += row[3] as [UInt8]
            }
            if row[0] != run || entries.count + entry.count > limit { try write() }
            run = row[0]
            last = entry
            entries += entry
            return nil
        }
        try write()
    }
}
