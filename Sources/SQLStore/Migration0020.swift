/// What erasure did not reach: test mails, which are nobody's, senders of mail that became no event, and what finished jobs
/// were asked for. And filters ask for the first click in each mail.
///
/// The rules of the first schema hold here too.
enum Migration0020 {
    static let sql = """
        -- By whom a test mail is found: the contact whose data it shows, and project and address of its recipient.
        CREATE TABLE test_mails (
            about BLOB NOT NULL,
            entry_id BLOB NOT NULL,
            PRIMARY KEY (about, entry_id)
        ) STRICT, WITHOUT ROWID;

        -- Nothing says any more about whom they are.
        DELETE FROM outbox
        WHERE contact_id = id AND execution_id IS NULL AND status NOT IN ('pending', 'held', 'claimed');

        CREATE INDEX inbound_gaps_by_sender ON inbound_gaps (lower(sender)) WHERE sender IS NOT NULL;

        -- A query or the data of an update.
        UPDATE contact_jobs SET plan = '{}' WHERE status <> 'running' AND kind <> 'import';

        -- A click in a mail in which there was one before. Waits see it, filters do not.
        ALTER TABLE event_occurrences ADD COLUMN is_repeated INTEGER NOT NULL DEFAULT 0;
        UPDATE event_occurrences SET is_repeated = 1
        WHERE name = 'email.clicked' AND EXISTS (
            SELECT 1 FROM events e
            WHERE e.id = event_occurrences.event_id AND json_extract(e.data, '$.isFirstClick') IS 0);
        """
}
