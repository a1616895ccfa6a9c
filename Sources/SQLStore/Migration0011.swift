/// Mail in: what waits for its verdicts, and what became no event.
///
/// The rules of the first schema hold here too.
enum Migration0011 {
    static let sql = """
        -- Accepted messages whose events wait for scanners. Only there between acceptance and event, so with rowids: the
        -- bodies stay out of the way of whoever looks for what waits.
        CREATE TABLE pending_mail (
            id BLOB NOT NULL PRIMARY KEY,
            received_at INTEGER NOT NULL,
            deadline INTEGER NOT NULL,
            envelope TEXT NOT NULL,
            header BLOB NOT NULL,
            body BLOB NOT NULL
        ) STRICT;

        -- Mail for one recipient that its route kept from being an event. Mail that becomes one has no row here.
        CREATE TABLE inbound_outcomes (
            project_id BLOB NOT NULL,
            id BLOB NOT NULL,
            kind TEXT NOT NULL,
            recipient TEXT NOT NULL,
            sender TEXT NOT NULL,
            queue_id TEXT NOT NULL,
            at INTEGER NOT NULL,
            detail TEXT NOT NULL,
            PRIMARY KEY (project_id, id)
        ) STRICT, WITHOUT ROWID;
        """
}
