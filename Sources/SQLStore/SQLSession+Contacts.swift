import Engine
import JSONValue
import WorkflowModel

/// Lists of contacts, and the jobs that work on many of them.
extension SQLSession {
    // MARK: Pages

    private static let newest = Identifier(high: .max, low: .max)

    func contacts(
        matching query: ContactQuery, in project: Identifier, before id: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact] {
        let (search, isSubscribed) = (query.search, query.isSubscribed)
        if let filter = query.filter {
            var sql = SQLText(
                """
                SELECT c.id, c.email, c.subscribed, c.data, c.created_at, c.updated_at FROM contacts c
                WHERE c.project_id = ? AND c.id < ? AND 
                """, project, id ?? Self.newest)
            sql.append(try expression(of: query, filter, in: project, at: now))
            sql.append(" ORDER BY c.id DESC LIMIT ?", limit)
            return try rows(sql, decode: Self.contact)
        }
        guard let search else {
            return try rows(
                """
                SELECT id, email, subscribed, data, created_at, updated_at FROM contacts
                WHERE project_id = ?1 AND id < ?2 AND (?3 IS NULL OR subscribed = ?3) ORDER BY id DESC LIMIT ?4
                """, project, id ?? Self.newest, isSubscribed, limit, decode: Self.contact)
        }
        // The addresses are in an index, which is a fraction of the table; only those that match are looked up.
        return try rows(
            """
            SELECT c.id, c.email, c.subscribed, c.data, c.created_at, c.updated_at
            FROM (
                SELECT id FROM contacts INDEXED BY contacts_by_email
                WHERE project_id = ?1 AND instr(email, ?5) > 0 AND id < ?2
            ) found CROSS JOIN contacts c ON c.id = found.id
            WHERE ?3 IS NULL OR c.subscribed = ?3 ORDER BY c.id DESC LIMIT ?4
            """, project, id ?? Self.newest, isSubscribed, limit, search, decode: Self.contact)
    }

    private func expression(
        of query: ContactQuery, _ filter: Filter, in project: Identifier, at now: Timestamp
    ) throws -> SQLText {
        var sql = try expression(of: filter, in: project, at: now)
        if let flag = query.isSubscribed { sql.append(" AND c.subscribed = ?", flag) }
        if let search = query.search { sql.append(" AND instr(c.email, ?) > 0", search) }
        return sql
    }

    func contactCount(matching query: ContactQuery, in project: Identifier, at now: Timestamp) throws -> Int {
        if let filter = query.filter {
            var sql = SQLText("SELECT count(*) FROM contacts c WHERE c.project_id = ? AND ", project)
            sql.append(try expression(of: query, filter, in: project, at: now))
            return try rows(sql) { row -> Int in row[0] }.first ?? 0
        }
        let (search, isSubscribed) = (query.search, query.isSubscribed)
        let count: Int?
        switch (search, isSubscribed) {
        case (nil, nil):
            count = try first(
                "SELECT count(*) FROM contacts INDEXED BY contacts_by_project WHERE project_id = ?", project
            ) { $0[0] }
        case (let search?, nil):
            count = try first(
                """
                SELECT count(*) FROM contacts INDEXED BY contacts_by_email
                WHERE project_id = ? AND instr(email, ?) > 0
                """, project, search
            ) { $0[0] }
        case (_, let flag?):
            count = try first(
                """
                SELECT count(*) FROM contacts
                WHERE project_id = ?1 AND subscribed = ?2 AND (?3 IS NULL OR instr(email, ?3) > 0)
                """, project, flag, search
            ) { $0[0] }
        }
        return count ?? 0
    }

    func contacts(in project: Identifier, after id: Identifier?, limit: Int) throws -> [Contact] {
        try rows(
            """
            SELECT id, email, subscribed, data, created_at, updated_at FROM contacts
            WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?
            """, project, id ?? Identifier(high: 0, low: 0), limit, decode: Self.contact)
    }

    // MARK: Rows

    func insert(_ contact: Contact, in project: Identifier, importedBy job: Int64?) throws {
        memory.contact = nil
        if let start = ContactBlock.start(by: contact.id) { try beginBlock(at: start, in: project) }
        try run(
            """
            INSERT INTO contacts (id, project_id, email, subscribed, data, created_at, updated_at, import_job)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """
        ) {
            $0.add(contact.id)
            $0.add(project)
            $0.add(contact.email)
            $0.add(contact.isSubscribed)
            $0.add(JSONText(contact.data))
            $0.add(contact.createdAt)
            $0.add(contact.updatedAt)
            $0.add(job)
        }
        memory.contact = contact
    }

    func changeAddress(of contact: Identifier, to email: String) throws {
        memory.contact = nil
        try run("UPDATE contacts SET email = ? WHERE id = ?", email, contact)
    }

    func importTarget(email: String, in project: Identifier) throws -> ImportTarget? {
        try first(
            """
            SELECT id, email, subscribed, data, created_at, updated_at, import_job FROM contacts
            WHERE project_id = ? AND email = ?
            """, project, email
        ) { ImportTarget(contact: try Self.contact($0), importedBy: $0[6]) }
    }

    func markImported(_ contact: Identifier, by job: Int64) throws {
        try run("UPDATE contacts SET import_job = ? WHERE id = ?", job, contact)
    }

    // MARK: Jobs

    private static func job(_ row: SQLRow) throws -> ContactJob {
        var job = ContactJob(
            id: row[0], projectID: row[2], kind: try row.decoded(3, as: ContactJob.Kind.self),
            plan: try row.object(5), total: row[6], createdAt: row[20])
        job.number = row[1]
        job.status = try row.decoded(4, as: ContactJob.Status.self)
        job.position = row[7]
        job.row = row[8]
        job.cursor = row[9]
        job.last = row[10]
        job.counts.read = row[11]
        job.counts.created = row[12]
        job.counts.updated = row[13]
        job.counts.unchanged = row[14]
        job.counts.deleted = row[15]
        job.counts.failed = row[16]
        job.reason = row[17]
        job.owner = row[18]
        job.leasedUntil = row[19]
        job.updatedAt = row[21]
        job.completedAt = row[22]
        return job
    }

    func insert(_ job: ContactJob) throws {
        try run(
            """
            INSERT INTO contact_jobs (id, project_id, kind, status, plan, total, position, row, cursor, last, read,
                created, updated, unchanged, deleted, failed, reason, owner, leased_until, created_at, updated_at,
                completed_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, job.id, job.projectID, job.kind.rawValue, job.status.rawValue, job.plan.text, job.total, job.position,
            job.row, job.cursor, job.last, job.counts.read, job.counts.created, job.counts.updated,
            job.counts.unchanged, job.counts.deleted, job.counts.failed, job.reason, job.owner, job.leasedUntil,
            job.createdAt, job.updatedAt, job.completedAt)
    }

    func update(_ job: ContactJob) throws {
        try run(
            """
            UPDATE contact_jobs SET status = ?, position = ?, row = ?, cursor = ?, read = ?, created = ?, updated = ?,
                unchanged = ?, deleted = ?, failed = ?, reason = ?, owner = ?, leased_until = ?, updated_at = ?,
                completed_at = ?, plan = CASE WHEN kind = 'import' OR ? THEN plan ELSE '{}' END
            WHERE id = ?
            """, job.status.rawValue, job.position, job.row, job.cursor, job.counts.read, job.counts.created,
            job.counts.updated, job.counts.unchanged, job.counts.deleted, job.counts.failed, job.reason, job.owner,
            job.leasedUntil, job.updatedAt, job.completedAt, job.status == .running, job.id)
    }

    func contactJob(_ id: Identifier) throws -> ContactJob? {
        try first(
            """
            SELECT id, number, project_id, kind, status, plan, total, position, row, cursor, last, read, created,
                updated, unchanged, deleted, failed, reason, owner, leased_until, created_at, updated_at, completed_at
            FROM contact_jobs WHERE id = ?
            """, id, decode: Self.job)
    }

    func contactJob(_ id: Identifier, in project: Identifier) throws -> ContactJob? {
        let job = try contactJob(id)
        return job?.projectID == project ? job : nil
    }

    /// One that cannot be read is failed in its place, so that the others go on.
    func openContactJobs(limit: Int) throws -> [ContactJob] {
        var damaged: [Identifier] = []
        let jobs = try rows(
            """
            SELECT id, number, project_id, kind, status, plan, total, position, row, cursor, last, read, created,
                updated, unchanged, deleted, failed, reason, owner, leased_until, created_at, updated_at, completed_at
            FROM contact_jobs WHERE status = 'running' ORDER BY number LIMIT ?
            """, limit
        ) { row -> ContactJob? in
            do { return try Self.job(row) } catch let error as StoreError where error.code == .damaged {
                damaged.append(row[0])
                return nil
            }
        }
        for id in damaged {
            try run(
                """
                UPDATE contact_jobs SET status = 'failed', reason = 'its stored data cannot be read',
                    plan = CASE WHEN kind = 'import' THEN plan ELSE '{}' END, completed_at = updated_at
                WHERE id = ?
                """, id)
        }
        return jobs.compactMap(\.self)
    }

    func contactJobs(in project: Identifier, limit: Int) throws -> [ContactJob] {
        try rows(
            """
            SELECT id, number, project_id, kind, status, plan, total, position, row, cursor, last, read, created,
                updated, unchanged, deleted, failed, reason, owner, leased_until, created_at, updated_at, completed_at
            FROM contact_jobs WHERE project_id = ? ORDER BY number DESC LIMIT ?
            """, project, limit, decode: Self.job)
    }

    func insert(_ errors: [ContactJob.RowError], of job: Int64) throws {
        for error in errors {
            try run(
                """
                INSERT INTO contact_job_errors (job, row, field, rule, message) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (job, row) DO NOTHING
                """, job, error.row, error.column, error.rule.rawValue, error.message)
        }
    }

    func errors(ofContactJob number: Int64, after row: Int, limit: Int) throws -> [ContactJob.RowError] {
        try rows(
            """
            SELECT row, field, rule, message FROM contact_job_errors WHERE job = ? AND row > ? ORDER BY row LIMIT ?
            """, number, row, limit
        ) {
            ContactJob.RowError(
                row: $0[0], column: $0[1], try $0.decoded(2, as: ContactJob.RowError.Rule.self), $0[3])
        }
    }

    func pruneContactJobs(in project: Identifier, keeping count: Int) throws {
        let old: [Int64] = try rows(
            """
            SELECT number FROM contact_jobs WHERE project_id = ? AND status <> 'running'
            ORDER BY number DESC LIMIT -1 OFFSET ?
            """, project, count
        ) { $0[0] }
        for number in old {
            try run("DELETE FROM contact_job_errors WHERE job = ?", number)
            try run("DELETE FROM contact_jobs WHERE number = ?", number)
        }
    }
}
