/// What is known of the relay's queue: what went in, what became of it, and what came in past us.
///
/// The rules of the first schema hold here too.
enum Migration0014 {
    static let sql = """
        -- What became of a mail after the relay took it, as JSON; null while nothing is known.
        ALTER TABLE outbox ADD COLUMN fate TEXT;

        -- Mails of ours that the milter saw on their way into the queue, by attempt.
        CREATE TABLE acceptances (
            entry_id BLOB NOT NULL,
            attempt INTEGER NOT NULL,
            queue_id TEXT NOT NULL,
            at INTEGER NOT NULL,
            discarded INTEGER NOT NULL,
            PRIMARY KEY (entry_id, attempt)
        ) STRICT, WITHOUT ROWID;

        -- How far each log has been read.
        CREATE TABLE log_positions (
            source TEXT PRIMARY KEY,
            position TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Mails of ours that are in a queue whose log is followed.
        CREATE TABLE queued_deliveries (
            instance TEXT NOT NULL,
            queue_id TEXT NOT NULL,
            entry_id BLOB NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (instance, queue_id)
        ) STRICT, WITHOUT ROWID;

        -- Mails for our routes that the MTA took and that became no event.
        CREATE TABLE inbound_gaps (
            queue_id TEXT NOT NULL,
            recipient TEXT NOT NULL,
            message_id TEXT,
            sender TEXT,
            at INTEGER NOT NULL,
            found_at INTEGER NOT NULL,
            resolved_at INTEGER,
            PRIMARY KEY (queue_id, recipient)
        ) STRICT, WITHOUT ROWID;
        """
}
