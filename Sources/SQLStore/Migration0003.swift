/// Contacts and who did what with them: the history of each, erasure, events by name.
///
/// The rules of the first schema hold here too.
enum Migration0003 {
    static let sql = """
        -- History of contacts, erasure, events by name.

        -- What was written of executions and mails and is not in the index yet: a row for each transaction, an entry of 33
        -- bytes for each of them: kind, contact, id.
        CREATE TABLE contact_journal (
            sequence INTEGER PRIMARY KEY,
            entries BLOB NOT NULL
        ) STRICT;
        -- The index of what happened to a contact, in sorted runs: a run is written at once and in order, so that no event
        -- costs a page of its own. `kind` is 1 for an event (`ref` is its rowid), 2 for an execution, 3 for a mail (its id);
        -- a number, because the table has a row for each of them. What a row refers to may be gone.
        CREATE TABLE contact_history (
            run INTEGER NOT NULL,
            contact_id BLOB NOT NULL,
            kind INTEGER NOT NULL,
            ref ANY NOT NULL,
            PRIMARY KEY (run, contact_id, kind, ref)
        ) STRICT, WITHOUT ROWID;
        -- `into_run` is the run that takes its rows, the smallest first.
        CREATE TABLE contact_runs (
            run INTEGER PRIMARY KEY,
            level INTEGER NOT NULL,
            into_run INTEGER
        ) STRICT;
        -- By kind: what the index has. Events up to the rowid `through`; executions and mails that are older than the
        -- journal up to the id `through`, and there are such up to `last`.
        CREATE TABLE history_progress (
            kind INTEGER PRIMARY KEY,
            through ANY NOT NULL,
            last BLOB
        ) STRICT;
        INSERT INTO history_progress (kind, through, last)
            SELECT 1, 0, NULL
            UNION ALL SELECT 2, x'', (SELECT max(id) FROM executions)
            UNION ALL SELECT 3, x'', (SELECT max(id) FROM outbox);

        -- Events that the index has, counted by name and day (days since 1970, UTC).
        CREATE TABLE event_counts (
            project_id BLOB NOT NULL,
            name TEXT NOT NULL,
            day INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (project_id, name, day)
        ) STRICT, WITHOUT ROWID;
        -- `contacts` is what an estimate of their number needs.
        CREATE TABLE event_names (
            project_id BLOB NOT NULL,
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            contacts BLOB NOT NULL,
            PRIMARY KEY (project_id, name)
        ) STRICT, WITHOUT ROWID;

        -- Contacts that are gone while what hangs on them is still being removed. The address is needed until then.
        CREATE TABLE erasures (
            contact_id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL,
            email TEXT NOT NULL,
            at INTEGER NOT NULL,
            -- What is being removed, and the last of it that was looked at.
            stage INTEGER NOT NULL,
            cursor ANY
        ) STRICT, WITHOUT ROWID;
        -- Addresses of erased contacts, as HMAC-SHA-256 with a secret of this installation: a row that says `erased`, and one
        -- for each reason for which the address was to get no mail when its contact was erased.
        CREATE TABLE suppressed_addresses (
            project_id BLOB NOT NULL,
            hash BLOB NOT NULL,
            reason TEXT NOT NULL,
            at INTEGER NOT NULL,
            expires_at INTEGER,
            PRIMARY KEY (project_id, hash, reason)
        ) STRICT, WITHOUT ROWID;

        -- Number of the job that last imported it: a second row of the same address in one file is known by it.
        ALTER TABLE contacts ADD COLUMN import_job INTEGER;

        -- Work on many contacts that goes on in the background. Numbers are never given twice, because contacts bear them.
        CREATE TABLE contact_jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id BLOB NOT NULL UNIQUE,
            project_id BLOB NOT NULL REFERENCES projects (id),
            kind TEXT NOT NULL,
            status TEXT NOT NULL,
            plan TEXT NOT NULL,
            -- Bytes of the file, or contacts.
            total INTEGER NOT NULL,
            -- Where it stands: offset in the file and number of the row before it, or the last contact.
            position INTEGER NOT NULL,
            row INTEGER NOT NULL,
            cursor BLOB,
            last BLOB,
            read INTEGER NOT NULL,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            unchanged INTEGER NOT NULL,
            deleted INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            reason TEXT,
            owner TEXT,
            leased_until INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            completed_at INTEGER
        ) STRICT;
        CREATE INDEX contact_jobs_open ON contact_jobs (number) WHERE status = 'running';
        CREATE INDEX contact_jobs_by_project ON contact_jobs (project_id, number);

        -- Rows that were not applied. What they said is not kept.
        CREATE TABLE contact_job_errors (
            job INTEGER NOT NULL,
            row INTEGER NOT NULL,
            field TEXT,
            rule TEXT NOT NULL,
            message TEXT NOT NULL,
            PRIMARY KEY (job, row)
        ) STRICT, WITHOUT ROWID;
        """
}
