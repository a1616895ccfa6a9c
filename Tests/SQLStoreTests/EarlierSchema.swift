import EngineTestKit

extension TemporaryDatabase {
    /// Takes the steps of the schema back that came after one of 17 or later; the index of histories loses what it has. Nobody may have the database open.
    func goBack(toSchema number: Int) throws {
        let rows = Rows(path)
        if number < 21 {
            try rows.run(
                """
                DROP TABLE contact_history; DELETE FROM contact_runs;
                CREATE TABLE contact_history (
                    run INTEGER NOT NULL, contact_id BLOB NOT NULL, kind INTEGER NOT NULL, ref ANY NOT NULL,
                    PRIMARY KEY (run, contact_id, kind, ref)
                ) STRICT, WITHOUT ROWID
                """)
        }
        if number < 20 {
            try rows.run(
                """
                ALTER TABLE event_occurrences DROP COLUMN is_repeated;
                DROP TABLE test_mails; DROP INDEX inbound_gaps_by_sender
                """)
        }
        if number < 19 {
            try rows.run(
                """
                DROP VIEW members_by_segment; DROP TABLE segment_blocks; DROP TABLE contact_blocks;
                CREATE INDEX segment_members_by_segment ON segment_members (segment_id, contact_id)
                """)
        }
        try rows.run("PRAGMA user_version = \(number)")
    }
}
