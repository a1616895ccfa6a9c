/// Re-entry by a value of the event.
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
        """
}
