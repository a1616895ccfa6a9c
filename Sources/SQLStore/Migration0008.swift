/// What goes out and what comes of it: addresses that get no more mail, links that were followed, what is recorded of readers.
///
/// The rules of the first schema hold here too.
enum Migration0008 {
    static let sql = """
        -- Addresses in lower case. An address may be here for several reasons, each with an end of its own.
        CREATE TABLE suppressions (
            project_id BLOB NOT NULL,
            address TEXT NOT NULL,
            reason TEXT NOT NULL,
            evidence TEXT,
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            PRIMARY KEY (project_id, address, reason)
        ) STRICT, WITHOUT ROWID;

        -- Mails that could not be delivered and may have been another time, until they are too old to count.
        CREATE TABLE soft_bounces (
            project_id BLOB NOT NULL,
            address TEXT NOT NULL,
            at INTEGER NOT NULL,
            entry_id BLOB NOT NULL,
            PRIMARY KEY (project_id, address, entry_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE click_hits (
            entry_id BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            at INTEGER NOT NULL,
            link TEXT NOT NULL,
            user_agent TEXT NOT NULL,
            network TEXT NOT NULL,
            machine_reason TEXT,
            PRIMARY KEY (entry_id, sequence)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE outbox ADD COLUMN clicks INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE outbox ADD COLUMN clicked_at INTEGER;

        -- `off`, `anonymous` or `on`; null where the configuration alone decides.
        ALTER TABLE projects ADD COLUMN opens TEXT;
        ALTER TABLE projects ADD COLUMN clicks TEXT;
        -- Null: yes, but not in automatic replies.
        ALTER TABLE template_versions ADD COLUMN tracks_clicks INTEGER;
        """
}
