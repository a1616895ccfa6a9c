/// What comes back of mail: bounces, complaints and answers.
///
/// The rules of the first schema hold here too.
enum Migration0010 {
    static let sql = """
        -- Postfix names a mail in its bounces by the queue id that our relay took it with. Mails that nobody has taken yet have
        -- none, so that deciding to send one writes nothing here.
        CREATE INDEX outbox_by_queue_id ON outbox (relay_queue_id) WHERE relay_queue_id IS NOT NULL;

        -- Each kind once for each mail: a report that comes twice counts once.
        CREATE TABLE mail_returns (
            entry_id BLOB NOT NULL,
            kind TEXT NOT NULL,
            at INTEGER NOT NULL,
            details TEXT,
            PRIMARY KEY (entry_id, kind)
        ) STRICT, WITHOUT ROWID;

        -- Executions that a reply moved, and when: what they had decided to send before is not sent.
        CREATE TABLE answered_executions (
            execution_id BLOB PRIMARY KEY,
            at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Reports and complaints that came in, believed or not, until they are too old.
        CREATE TABLE inbound_reports (
            project_id BLOB NOT NULL,
            id BLOB NOT NULL,
            at INTEGER NOT NULL,
            class TEXT NOT NULL,
            outcome TEXT NOT NULL,
            is_verified INTEGER NOT NULL,
            matched_by TEXT,
            entry_id BLOB,
            address TEXT NOT NULL,
            details TEXT,
            PRIMARY KEY (project_id, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX inbound_reports_by_age ON inbound_reports (at);
        CREATE INDEX inbound_reports_by_mail ON inbound_reports (entry_id) WHERE entry_id IS NOT NULL;
        CREATE INDEX inbound_reports_by_address ON inbound_reports (project_id, address, id);
        """
}
