/// Outgoing mail as queues: what goes next is found by project and domain, and parts of it can be paused.
///
/// The rules of the first schema hold here too.
enum Migration0013 {
    static let sql = """
        -- Number of the recipient's domain. What was there before has none.
        ALTER TABLE outbox ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE outbox ADD COLUMN first_attempt_at INTEGER;
        -- The relay of the last attempt, by name.
        ALTER TABLE outbox ADD COLUMN relay TEXT;
        DROP INDEX outbox_due;
        -- Has all that a ticket has, so that a queue is read without its mails.
        CREATE INDEX outbox_queue ON outbox (project_id, class, due_at, lane) WHERE status = 'pending';

        -- `project_id` is empty for everybody's mail, `name` for all of it.
        CREATE TABLE outbox_pauses (
            project_id BLOB NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            paused_at INTEGER NOT NULL,
            note TEXT,
            PRIMARY KEY (project_id, kind, name)
        ) STRICT, WITHOUT ROWID;

        -- Attempts by day (days since 1970, UTC) where a ceiling holds.
        CREATE TABLE pace_counts (
            scope TEXT NOT NULL,
            day INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (scope, day)
        ) STRICT, WITHOUT ROWID;
        """
}
