import EngineTestKit

extension TemporaryDatabase {
    /// Takes the steps of the schema back that came after one of 17 or later. Nobody may have the database open.
    func goBack(toSchema number: Int) throws {
        try Rows(path).run(
            """
            DROP TABLE test_mails; DROP INDEX inbound_gaps_by_sender;
            DROP VIEW members_by_segment; DROP TABLE segment_blocks; DROP TABLE contact_blocks;
            CREATE INDEX segment_members_by_segment ON segment_members (segment_id, contact_id);
            PRAGMA user_version = \(number)
            """)
    }
}
