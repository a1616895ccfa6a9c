/// The first schema.
///
/// Ids are the sixteen bytes of a UUIDv7, times are microseconds UTC, enumerations are the text the API shows, JSON is
/// text. Tables keyed by an id are WITHOUT ROWID: their key appends.
enum Migration0001 {
    static let sql = """
        CREATE TABLE settings (
            name TEXT PRIMARY KEY,
            number INTEGER,
            bytes BLOB
        ) STRICT, WITHOUT ROWID;
        INSERT INTO settings (name, number) VALUES ('catalog_version', 1);

        CREATE TABLE counters (
            name TEXT PRIMARY KEY,
            value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE projects (
            id BLOB PRIMARY KEY,
            slug TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE keys (
            hash BLOB PRIMARY KEY,
            id BLOB NOT NULL,
            project_id BLOB NOT NULL REFERENCES projects (id),
            kind TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE workflows (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            slug TEXT NOT NULL,
            name TEXT NOT NULL,
            enabled INTEGER NOT NULL,
            allow_reentry INTEGER NOT NULL,
            trigger_type TEXT NOT NULL,
            trigger_event TEXT,
            version_id BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            UNIQUE (project_id, slug)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE workflow_versions (
            id BLOB PRIMARY KEY,
            workflow_id BLOB NOT NULL,
            number INTEGER NOT NULL,
            definition TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (workflow_id, number)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE templates (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            slug TEXT NOT NULL,
            version_id BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (project_id, slug)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE template_versions (
            id BLOB PRIMARY KEY,
            template_id BLOB NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            html TEXT,
            text TEXT,
            from_address TEXT,
            reply_to TEXT,
            tracks_opens INTEGER,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE contacts (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            email TEXT NOT NULL,
            subscribed INTEGER NOT NULL,
            data TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX contacts_by_email ON contacts (project_id, email);

        -- With a rowid, other than its neighbours: its rows are large, and only a table appends them without moving
        -- the pages beside.
        CREATE TABLE events (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            contact_id BLOB,
            name TEXT NOT NULL,
            data TEXT NOT NULL,
            source TEXT NOT NULL,
            generation INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE executions (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            workflow_id BLOB NOT NULL,
            version_id BLOB NOT NULL,
            contact_id BLOB NOT NULL,
            status TEXT NOT NULL,
            -- 1 when the workflow forbids re-entry, in one execution of each contact.
            once INTEGER NOT NULL,
            current_step TEXT,
            -- Names of awaited events, one a line; null while it waits for a timer alone.
            wait_events TEXT,
            due_at INTEGER,
            context TEXT,
            trigger_event_id BLOB,
            resumed_event_id BLOB,
            exit_reason TEXT,
            step_count INTEGER NOT NULL,
            started_at INTEGER NOT NULL,
            completed_at INTEGER
        ) STRICT, WITHOUT ROWID;
        -- The rules of re-entry, as constraints. There is no index of all executions by contact: contacts come in no
        -- order, so every new execution would write a page of its own once that index is large.
        CREATE UNIQUE INDEX executions_once ON executions (workflow_id, contact_id) WHERE once = 1;
        CREATE UNIQUE INDEX executions_active ON executions (workflow_id, contact_id)
            WHERE status IN ('RUNNING', 'WAITING');
        CREATE INDEX executions_by_workflow ON executions (workflow_id, id);
        CREATE INDEX executions_due ON executions (due_at) WHERE due_at IS NOT NULL;

        CREATE TABLE waits (
            contact_id BLOB NOT NULL,
            event_name TEXT NOT NULL,
            execution_id BLOB NOT NULL,
            PRIMARY KEY (contact_id, event_name, execution_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE step_executions (
            execution_id BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            step TEXT NOT NULL,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            output TEXT,
            error TEXT,
            started_at INTEGER NOT NULL,
            completed_at INTEGER,
            PRIMARY KEY (execution_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE outbox (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            contact_id BLOB NOT NULL,
            execution_id BLOB,
            status TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            uncertain_attempts INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            template_version_id BLOB NOT NULL,
            message_id TEXT NOT NULL,
            request TEXT NOT NULL,
            last_reply TEXT,
            relay_queue_id TEXT,
            opens INTEGER NOT NULL DEFAULT 0,
            opened_at INTEGER,
            created_at INTEGER NOT NULL,
            completed_at INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX outbox_due ON outbox (due_at) WHERE status = 'pending';
        CREATE INDEX outbox_claimed ON outbox (id) WHERE status = 'claimed';

        -- Who got an automatic reply and when; kept for a day.
        CREATE TABLE automatic_replies (
            recipient TEXT NOT NULL,
            entry_id BLOB NOT NULL,
            sent_at INTEGER NOT NULL,
            PRIMARY KEY (recipient, entry_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE pixel_hits (
            entry_id BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            at INTEGER NOT NULL,
            user_agent TEXT NOT NULL,
            network TEXT NOT NULL,
            machine_reason TEXT,
            PRIMARY KEY (entry_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE receptions (
            key BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            event_id BLOB NOT NULL,
            recipient TEXT NOT NULL,
            queue_id TEXT NOT NULL,
            received_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
