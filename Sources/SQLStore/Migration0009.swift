/// Re-entry by a value of the event, history that is found little by little, erasures of many.
///
/// The rules of the first schema hold here too.
enum Migration0009 {
    static let sql = """
        -- A path into the data of the event that starts an execution; null where re-entry goes by the contact alone.
        ALTER TABLE workflows ADD COLUMN reentry_key TEXT;
        -- The value of the key; empty in workflows without one. Empty and not null, because nulls never meet in an index.
        ALTER TABLE executions ADD COLUMN reentry_value TEXT NOT NULL DEFAULT '';
        DROP INDEX executions_once;
        DROP INDEX executions_active;
        CREATE UNIQUE INDEX executions_once ON executions (workflow_id, contact_id, reentry_value) WHERE once = 1;
        CREATE UNIQUE INDEX executions_active ON executions (workflow_id, contact_id, reentry_value)
            WHERE status IN ('RUNNING', 'WAITING');

        -- While events from before a name was kept are still to be found: those after `through`, up to `last`, by rowid.
        -- Null when all are found.
        ALTER TABLE kept_events ADD COLUMN through INTEGER;
        ALTER TABLE kept_events ADD COLUMN last INTEGER;
        CREATE INDEX kept_events_open ON kept_events (name) WHERE last IS NOT NULL;

        -- Every project has its turn; those that have come to the recipients are looked for together.
        CREATE INDEX erasures_by_project ON erasures (project_id, stage, contact_id);
        CREATE INDEX erasures_at_recipients ON erasures (cursor) WHERE stage = 5;

        -- Hashes that stand against mail for a time.
        CREATE INDEX suppressed_addresses_ending ON suppressed_addresses (expires_at) WHERE expires_at IS NOT NULL;

        -- What has become of the parts of a request with an idempotency key that has several, until it has an answer. The
        -- id of a request begins with its time.
        CREATE TABLE idempotency_parts (
            request_id BLOB NOT NULL,
            position INTEGER NOT NULL,
            contact_id BLOB NOT NULL,
            event_id BLOB NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (request_id, position)
        ) STRICT, WITHOUT ROWID;
        """
}
