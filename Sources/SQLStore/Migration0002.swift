/// The whole workflow engine: webhooks, workflows that are edited, schedules.
///
/// The rules of the first schema hold here too.
enum Migration0002 {
    static let sql = """
        CREATE TABLE webhook_calls (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            execution_id BLOB NOT NULL,
            status TEXT NOT NULL,
            -- Host and port; calls to one receiver are bounded.
            receiver TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            request TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_calls_due ON webhook_calls (due_at, receiver) WHERE status = 'pending';
        -- The next call of each receiver, without reading past the backlog of a slow one.
        CREATE INDEX webhook_calls_by_receiver ON webhook_calls (receiver, due_at) WHERE status = 'pending';
        CREATE INDEX webhook_calls_claimed ON webhook_calls (id) WHERE status = 'claimed';
        CREATE INDEX webhook_calls_by_execution ON webhook_calls (execution_id);

        CREATE TABLE webhook_secrets (
            project_id BLOB PRIMARY KEY,
            secret BLOB NOT NULL,
            previous BLOB,
            previous_ends_at INTEGER
        ) STRICT, WITHOUT ROWID;

        ALTER TABLE projects ADD COLUMN timezone TEXT NOT NULL DEFAULT 'UTC';
        -- The options of a SCHEDULE.
        ALTER TABLE workflows ADD COLUMN trigger_config TEXT;
        -- Enabled workflows with a SCHEDULE. `due_at` is the next tick; while `planned` is 0, the moment from which on the
        -- schedule holds.
        CREATE TABLE schedules (
            workflow_id BLOB PRIMARY KEY,
            due_at INTEGER NOT NULL,
            planned INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX schedules_due ON schedules (due_at);
        -- The key is what makes a tick fire once. `cursor` is the contact last looked at, `last_contact` the last to look
        -- at.
        CREATE TABLE schedule_ticks (
            workflow_id BLOB NOT NULL,
            tick_at INTEGER NOT NULL,
            status TEXT NOT NULL,
            fired_at INTEGER NOT NULL,
            cursor BLOB,
            last_contact BLOB,
            missed INTEGER NOT NULL,
            enrolled INTEGER NOT NULL,
            refused INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            completed_at INTEGER,
            PRIMARY KEY (workflow_id, tick_at)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX schedule_ticks_open ON schedule_ticks (tick_at) WHERE completed_at IS NULL;
        -- A tick goes through the contacts of one project in this order; new ones append.
        CREATE INDEX contacts_by_project ON contacts (project_id, id);

        ALTER TABLE workflows ADD COLUMN description TEXT;
        -- A deleted workflow is seen by nobody; its executions and versions stay as history.
        ALTER TABLE workflows ADD COLUMN deleted_at INTEGER;
        -- 1 when an execution has taken the version, from when on its structure never changes.
        ALTER TABLE workflow_versions ADD COLUMN used INTEGER NOT NULL DEFAULT 1;

        -- What a step was given where that is not its options, and how often it was tried.
        ALTER TABLE step_executions ADD COLUMN input TEXT;
        ALTER TABLE step_executions ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
        -- The call that a RUNNING execution is held up by.
        ALTER TABLE executions ADD COLUMN webhook_call_id BLOB;
        -- 1 when the timer is due at a slot that was taken for it; see timer_slots.
        ALTER TABLE executions ADD COLUMN has_slot INTEGER;

        -- Executions by status, and with a step's key its step executions by status. `refused` counts enrolments.
        CREATE TABLE execution_counts (
            workflow_id BLOB NOT NULL,
            step TEXT NOT NULL,
            status TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (workflow_id, step, status)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO execution_counts SELECT workflow_id, '', status, count(*) FROM executions GROUP BY 1, 3;
        INSERT INTO execution_counts
            SELECT e.workflow_id, s.step, s.status, count(*)
            FROM step_executions s JOIN executions e ON e.id = s.execution_id GROUP BY 1, 2, 3;

        -- How a workflow's timers are spread and when they are late, as JSON.
        ALTER TABLE workflows ADD COLUMN timers TEXT;
        -- Where timers are spread: when the next free slot is.
        CREATE TABLE timer_slots (
            workflow_id BLOB PRIMARY KEY,
            next_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Events that some workflow looks back on; once kept, always kept.
        CREATE TABLE kept_events (
            project_id BLOB NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (project_id, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE event_occurrences (
            contact_id BLOB NOT NULL,
            name TEXT NOT NULL,
            at INTEGER NOT NULL,
            event_id BLOB NOT NULL,
            PRIMARY KEY (contact_id, name, at, event_id)
        ) STRICT, WITHOUT ROWID;

        -- 0 for mail that somebody waits for, 1 for mail to many: each has a queue of its own.
        ALTER TABLE outbox ADD COLUMN class INTEGER NOT NULL DEFAULT 1;
        DROP INDEX outbox_due;
        CREATE INDEX outbox_due ON outbox (class, due_at) WHERE status = 'pending';
        """
}
