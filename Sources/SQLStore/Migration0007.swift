/// Subscriptions: our events at other people's endpoints.
///
/// The rules of the first schema hold here too.
enum Migration0007 {
    static let sql = """
        CREATE TABLE webhook_subscriptions (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            url TEXT NOT NULL,
            description TEXT,
            -- Patterns, one a line.
            events TEXT NOT NULL,
            enabled INTEGER NOT NULL,
            paused_at INTEGER,
            pause_reason TEXT,
            -- How far a resumption has come with the events since the pause.
            caught_up BLOB,
            secret BLOB NOT NULL,
            previous BLOB,
            previous_ends_at INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Subscriptions whose last attempt failed. Apart from them, because it changes with attempts, and they are in the
        -- catalog.
        CREATE TABLE webhook_failures (
            subscription_id BLOB PRIMARY KEY,
            since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- By subscription, so that each has its rows together and in order.
        CREATE TABLE webhook_deliveries (
            subscription_id BLOB NOT NULL,
            id BLOB NOT NULL,
            event_id BLOB NOT NULL,
            status TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            answer INTEGER,
            reason TEXT,
            created_at INTEGER NOT NULL,
            ended_at INTEGER,
            kept_until INTEGER,
            PRIMARY KEY (subscription_id, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (subscription_id, due_at) WHERE status = 'pending';
        CREATE INDEX webhook_deliveries_claimed ON webhook_deliveries (subscription_id) WHERE status = 'claimed';
        CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (subscription_id) WHERE status = 'failed';
        CREATE INDEX webhook_deliveries_kept ON webhook_deliveries (kept_until) WHERE kept_until IS NOT NULL;

        -- Executions that are held up by a call, to find those whose call is lost.
        CREATE INDEX executions_calling ON executions (webhook_call_id) WHERE webhook_call_id IS NOT NULL;
        """
}
