/// Access: keys, idempotency, mails of `/v1/send`, the audit log.
///
/// The rules of the first schema hold here too.
enum Migration0006 {
    static let sql = """
        -- One row for each text of a key: a replaced one keeps its row until it has ended.
        ALTER TABLE keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
        -- Separated by blanks; null is everything.
        ALTER TABLE keys ADD COLUMN scopes TEXT;
        ALTER TABLE keys ADD COLUMN last_used_at INTEGER;
        ALTER TABLE keys ADD COLUMN expires_at INTEGER;
        CREATE INDEX keys_by_project ON keys (project_id, id);

        -- `status` and `body` are the first answer; null until it is known.
        CREATE TABLE idempotency_keys (
            project_id BLOB NOT NULL,
            -- Of the API key: what a public one has taken is nothing to a secret one.
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            request_id BLOB NOT NULL,
            fingerprint BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            status INTEGER,
            body BLOB,
            PRIMARY KEY (project_id, kind, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

        -- Template versions that belong to no template, by the hash of what they say.
        CREATE TABLE unnamed_versions (
            project_id BLOB NOT NULL,
            hash BLOB NOT NULL,
            version_id BLOB NOT NULL,
            PRIMARY KEY (project_id, hash)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX unnamed_versions_by_version ON unnamed_versions (version_id);

        -- Mails of one request share a set. With a rowid, because its rows are large.
        CREATE TABLE mail_attachments (
            set_id BLOB NOT NULL,
            position INTEGER NOT NULL,
            filename TEXT NOT NULL,
            content_type TEXT NOT NULL,
            content_id TEXT,
            bytes BLOB NOT NULL,
            PRIMARY KEY (set_id, position)
        ) STRICT;
        -- Which mails need a set or an unnamed version: mails of workflows never do, and cost nothing here.
        ALTER TABLE outbox ADD COLUMN attachment_set BLOB;
        CREATE INDEX outbox_by_attachments ON outbox (attachment_set) WHERE attachment_set IS NOT NULL;
        CREATE INDEX outbox_direct ON outbox (template_version_id) WHERE execution_id IS NULL;

        -- `project_id` is null for what concerns the whole installation. Many changes have one time, and ids of one time no
        -- order: `number` has it.
        CREATE TABLE audit_log (
            number INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            project_id BLOB,
            at INTEGER NOT NULL,
            actor_kind TEXT NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            target TEXT NOT NULL,
            details TEXT
        ) STRICT;
        CREATE INDEX audit_log_by_project ON audit_log (project_id, number);
        CREATE INDEX audit_log_by_target ON audit_log (project_id, target, number);
        """
}
