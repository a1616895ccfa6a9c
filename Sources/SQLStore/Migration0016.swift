/// Broadcasts: one mail to many.
///
/// The rules of the first schema hold here too.
enum Migration0016 {
    static let sql = """
        CREATE TABLE broadcasts (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            -- Null: everybody who has subscribed.
            segment_id BLOB,
            definition TEXT NOT NULL,
            scheduled_at INTEGER,
            -- Template versions by variant, from its beginning on.
            pinned TEXT,
            phase TEXT,
            -- The last contact whose turn has come, and the last whose turn comes.
            cursor BLOB,
            last_contact BLOB,
            decide_at INTEGER,
            winner INTEGER,
            winner_reason TEXT,
            reason TEXT,
            sweeping INTEGER NOT NULL,
            -- Whether something is to be done about it.
            active INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            started_at INTEGER,
            completed_at INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX broadcasts_by_project ON broadcasts (project_id, id);
        CREATE INDEX broadcasts_active ON broadcasts (id) WHERE active = 1;

        -- Who has a mail of it: each contact once. Contacts come in the order of their ids, so rows append.
        CREATE TABLE broadcast_mails (
            broadcast_id BLOB NOT NULL,
            contact_id BLOB NOT NULL,
            variant INTEGER NOT NULL,
            entry_id BLOB NOT NULL,
            unsubscribed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (broadcast_id, contact_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE broadcast_counts (
            broadcast_id BLOB NOT NULL,
            variant INTEGER NOT NULL,
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (broadcast_id, variant, name)
        ) STRICT, WITHOUT ROWID;

        -- Versions that stay while a broadcast is there, whatever else needs them.
        CREATE TABLE broadcast_versions (
            version_id BLOB NOT NULL,
            broadcast_id BLOB NOT NULL,
            PRIMARY KEY (version_id, broadcast_id)
        ) STRICT, WITHOUT ROWID;

        ALTER TABLE outbox ADD COLUMN broadcast_id BLOB;
        ALTER TABLE outbox ADD COLUMN broadcast_variant INTEGER;
        -- Mails of broadcasts that are neither sent nor given up; no other mail is in it.
        CREATE INDEX outbox_by_broadcast ON outbox (broadcast_id, status, broadcast_variant)
            WHERE broadcast_id IS NOT NULL AND status IN ('pending', 'held', 'claimed');
        """
}
