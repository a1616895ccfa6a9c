/// Who has left a segment is no longer a row of it: nobody asks, and each entry and exit wrote two places of the index.
///
/// The rules of the first schema hold here too.
enum Migration0015 {
    static let sql = """
        DROP INDEX segment_members_by_segment;
        DELETE FROM segment_members WHERE exited_at IS NOT NULL;
        ALTER TABLE segment_members DROP COLUMN exited_at;
        CREATE INDEX segment_members_by_segment ON segment_members (segment_id, contact_id);
        """
}
