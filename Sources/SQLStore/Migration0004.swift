/// Segments and who is in them.
///
/// The rules of the first schema hold here too.
enum Migration0004 {
    static let sql = """
        CREATE TABLE segments (
            id BLOB PRIMARY KEY,
            project_id BLOB NOT NULL REFERENCES projects (id),
            slug TEXT NOT NULL,
            name TEXT NOT NULL,
            description TEXT,
            type TEXT NOT NULL,
            filter TEXT,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            -- A deleted segment is seen by nobody; its rows go little by little, and it with the last of them.
            deleted_at INTEGER,
            UNIQUE (project_id, slug)
        ) STRICT, WITHOUT ROWID;

        -- Beside the segment, because it changes with every member.
        CREATE TABLE segment_counts (
            segment_id BLOB PRIMARY KEY,
            members INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- One row for life: who comes again gets another entered_at. A member is who has no exited_at.
        CREATE TABLE segment_members (
            contact_id BLOB NOT NULL,
            segment_id BLOB NOT NULL,
            entered_at INTEGER NOT NULL,
            exited_at INTEGER,
            PRIMARY KEY (contact_id, segment_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX segment_members_by_segment ON segment_members (segment_id, exited_at, contact_id);

        -- When time alone may change whether a contact is in a segment.
        CREATE TABLE segment_timers (
            segment_id BLOB NOT NULL,
            contact_id BLOB NOT NULL,
            due_at INTEGER NOT NULL,
            PRIMARY KEY (segment_id, contact_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX segment_timers_due ON segment_timers (due_at);

        -- Segments whose members are being computed anew: contacts after cursor, up to last_contact, are still to come.
        CREATE TABLE segment_jobs (
            segment_id BLOB PRIMARY KEY,
            cursor BLOB,
            last_contact BLOB,
            announces INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
