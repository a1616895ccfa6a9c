import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Projects

    func update(_ project: Project) throws {
        try run(
            "UPDATE projects SET name = ?, timezone = ?, opens = ?, clicks = ? WHERE id = ?", project.name,
            project.timezone, project.tracking.opens?.rawValue, project.tracking.clicks?.rawValue, project.id)
        try bumpCatalog()
    }

    func renewSchedule(of workflow: Identifier, at time: Timestamp) throws {
        try run("UPDATE schedules SET due_at = ?, planned = 0 WHERE workflow_id = ?", time, workflow)
    }

    // MARK: Keys

    func insert(_ key: APIKey, hash: [UInt8], at time: Timestamp) throws {
        try run(
            """
            INSERT INTO keys (hash, id, project_id, kind, created_at, name, scopes, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, hash, key.id, key.projectID, key.kind.rawValue, time, key.name, key.scopes?.text, key.expiresAt)
        try bumpCatalog()
    }

    func endKey(_ id: Identifier, at time: Timestamp) throws {
        try run(
            "UPDATE keys SET expires_at = ?2 WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)", id, time)
        try bumpCatalog()
    }

    func pruneKeys(before time: Timestamp) throws {
        try run("DELETE FROM keys WHERE expires_at < ?", time)
    }

    func touchKey(hash: [UInt8], at time: Timestamp) throws {
        try run("UPDATE keys SET last_used_at = ? WHERE hash = ?", time, hash)
    }

    func key(hash: [UInt8]) throws -> APIKey? {
        try first(
            "SELECT id, project_id, kind, name, scopes, expires_at FROM keys WHERE hash = ?", hash, decode: Self.key)
    }

    func keys(of project: Identifier) throws -> [KeyRecord] {
        try rows(
            """
            SELECT id, project_id, kind, name, scopes, expires_at, created_at, last_used_at FROM keys
            WHERE project_id = ? ORDER BY id, created_at
            """, project
        ) { KeyRecord(key: try Self.key($0), createdAt: $0[6], lastUsedAt: $0[7]) }
    }

    private static func key(_ row: SQLRow) throws -> APIKey {
        let scopes: String? = row[4]
        do {
            return APIKey(
                id: row[0], projectID: row[1], kind: try row.decoded(2, as: APIKey.Kind.self), name: row[3],
                scopes: try scopes.map { try KeyScopes($0) }, expiresAt: row[5])
        } catch let error as UseCaseError {
            throw StoreError(.damaged, "the database holds a key that cannot be read: \(error)")
        }
    }

    // MARK: Idempotency

    func insert(_ record: IdempotencyRecord, replacingOlderThan expiry: Timestamp) throws -> Bool {
        try run(
            "DELETE FROM idempotency_keys WHERE project_id = ? AND kind = ? AND key = ? AND created_at < ?",
            record.name.projectID, record.name.kind.rawValue, record.name.key, expiry)
        try run(
            """
            INSERT INTO idempotency_keys (project_id, kind, key, request_id, fingerprint, created_at, status, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (project_id, kind, key) DO UPDATE SET status = coalesce(excluded.status, status),
                body = coalesce(excluded.body, body)
            WHERE request_id = excluded.request_id
            """, record.name.projectID, record.name.kind.rawValue, record.name.key, record.requestID,
            record.fingerprint,
            record.createdAt, record.answer?.status, record.answer?.body)
        return changeCount > 0
    }

    func release(_ record: IdempotencyRecord) throws {
        try run(
            "DELETE FROM idempotency_keys WHERE project_id = ? AND kind = ? AND key = ? AND request_id = ?",
            record.name.projectID, record.name.kind.rawValue, record.name.key, record.requestID)
    }

    func idempotencyRecord(_ name: IdempotencyRecord.Name) throws -> IdempotencyRecord? {
        try first(
            """
            SELECT request_id, fingerprint, created_at, status, body FROM idempotency_keys
            WHERE project_id = ? AND kind = ? AND key = ?
            """, name.projectID, name.kind.rawValue, name.key
        ) { row in
            let status: Int? = row[3]
            return IdempotencyRecord(
                name: name, requestID: row[0], fingerprint: row[1], createdAt: row[2],
                answer: status.map { .init(status: $0, body: row[4]) })
        }
    }

    func pruneIdempotency(before time: Timestamp, limit: Int) throws -> Int {
        try run(
            """
            DELETE FROM idempotency_keys WHERE (project_id, kind, key) IN (
                SELECT project_id, kind, key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?)
            """, time, limit)
        return changeCount
    }

    func insert(_ part: Events.Tracked, at position: Int, of request: Identifier) throws {
        try run(
            "INSERT INTO idempotency_parts (request_id, position, contact_id, event_id, at) VALUES (?, ?, ?, ?, ?)",
            request, position, part.contactID, part.eventID, part.at)
    }

    func idempotencyParts(of request: Identifier) throws -> [Int: Events.Tracked] {
        let parts = try rows(
            "SELECT position, contact_id, event_id, at FROM idempotency_parts WHERE request_id = ?", request
        ) { row -> (Int, Events.Tracked) in (row[0], Events.Tracked(contactID: row[1], eventID: row[2], at: row[3])) }
        return Dictionary(uniqueKeysWithValues: parts)
    }

    func deleteIdempotencyParts(of request: Identifier) throws {
        try run("DELETE FROM idempotency_parts WHERE request_id = ?", request)
    }

    func pruneIdempotencyParts(before time: Timestamp, limit: Int) throws -> Int {
        // A UUIDv7 begins with its milliseconds (RFC 9562 section 5.7).
        let end = Identifier(high: UInt64(clamping: time.microseconds / 1000) << 16, low: 0)
        try run(
            """
            DELETE FROM idempotency_parts WHERE (request_id, position) IN (
                SELECT request_id, position FROM idempotency_parts WHERE request_id < ? LIMIT ?)
            """, end, limit)
        return changeCount
    }

    // MARK: Mails of requests

    func unnamedVersion(hash: [UInt8], in project: Identifier) throws -> Identifier? {
        try first("SELECT version_id FROM unnamed_versions WHERE project_id = ? AND hash = ?", project, hash) {
            $0[0]
        }
    }

    func insertUnnamed(_ version: TemplateVersion, hash: [UInt8], in project: Identifier, at time: Timestamp) throws {
        try insert(version, at: time)
        try run(
            "INSERT INTO unnamed_versions (project_id, hash, version_id) VALUES (?, ?, ?)", project, hash, version.id)
    }

    func insert(_ attachments: [MailAttachment], asSet id: Identifier) throws {
        for (position, attachment) in attachments.enumerated() {
            try run(
                """
                INSERT INTO mail_attachments (set_id, position, filename, content_type, content_id, bytes)
                VALUES (?, ?, ?, ?, ?, ?)
                """, id, position, attachment.filename, attachment.contentType, attachment.contentID,
                attachment.bytes)
        }
    }

    func attachments(ofSet id: Identifier) throws -> [MailAttachment] {
        try rows(
            """
            SELECT filename, content_type, content_id, bytes FROM mail_attachments WHERE set_id = ? ORDER BY position
            """, id
        ) { MailAttachment(filename: $0[0], contentType: $0[1], contentID: $0[2], bytes: $0[3]) }
    }

    /// Mails of one request share a set: it goes with the last of them.
    func deleteAttachmentsUnlessNeeded(_ set: Identifier) throws {
        let isNeeded = try first("SELECT 1 FROM outbox WHERE attachment_set = ? LIMIT 1", set) { _ in true } ?? false
        if !isNeeded { try run("DELETE FROM mail_attachments WHERE set_id = ?", set) }
    }

    /// The same content is one version for all mails that have it: it goes with the last of them. A template's version stays.
    func deleteUnnamedVersionUnlessNeeded(_ version: Identifier) throws {
        let isUnnamed =
            try first("SELECT 1 FROM unnamed_versions WHERE version_id = ?", version) { _ in true } ?? false
        guard isUnnamed else { return }
        let isNeeded =
            try first(
                "SELECT 1 FROM outbox WHERE execution_id IS NULL AND template_version_id = ? LIMIT 1", version
            ) { _ in true } ?? false
        guard !isNeeded else { return }
        let isPinned =
            try first("SELECT 1 FROM broadcast_versions WHERE version_id = ? LIMIT 1", version) { _ in true } ?? false
        guard !isPinned else { return }
        try run("DELETE FROM unnamed_versions WHERE version_id = ?", version)
        try run("DELETE FROM template_versions WHERE id = ?", version)
    }

    func pruneMailParts(after id: Identifier?, limit: Int) throws -> Identifier? {
        let place = id?.bytes ?? []
        let sets: [Identifier] = try rows(
            "SELECT DISTINCT set_id FROM mail_attachments WHERE set_id > ? ORDER BY set_id LIMIT ?", place, limit
        ) { $0[0] }
        let versions: [Identifier] = try rows(
            "SELECT version_id FROM unnamed_versions WHERE version_id > ? ORDER BY version_id LIMIT ?", place, limit
        ) { $0[0] }
        guard !sets.isEmpty || !versions.isEmpty else { return nil }
        try overwriteWhatIsDeleted()
        for set in sets { try deleteAttachmentsUnlessNeeded(set) }
        for version in versions { try deleteUnnamedVersionUnlessNeeded(version) }
        // Beyond the end of a full list there may be more of it.
        return [sets, versions].filter { $0.count == limit }.compactMap(\.last).min()
    }

    func mailStatus(_ id: Identifier, in project: Identifier) throws -> MailStatus? {
        guard let entry = try entry(id), entry.projectID == project else { return nil }
        let returns = try returns(of: id)
        return try first(
            """
            SELECT o.completed_at, o.opened_at, o.opens, o.last_reply, c.email, o.fate
            FROM outbox o LEFT JOIN contacts c ON c.id = o.contact_id WHERE o.id = ?
            """, id
        ) {
            MailStatus(
                entry: entry, contactEmail: $0[4], completedAt: $0[0], openedAt: $0[1], opens: $0[2],
                lastReply: $0[3], returns: returns, fate: Self.fate($0, 5))
        }
    }

    // MARK: Audit log

    func insert(_ record: AuditRecord) throws {
        try run(
            """
            INSERT INTO audit_log (id, project_id, at, actor_kind, actor, action, target, details)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, record.id, record.projectID, record.at, record.actor.kind, record.actor.name, record.action,
            record.target, record.details.textOrNil)
    }

    func auditLog(_ selection: AuditSelection) throws -> [AuditRecord] {
        // One statement for each set of conditions would be a dozen; the planner takes the index of the target when
        // there is one, and a filter by action reads along the project's rows.
        let isNoun = selection.action?.hasSuffix(".") == true
        let action = isNoun ? nil : selection.action
        let noun = isNoun ? selection.action : nil
        let before: Int64? = try selection.cursor.flatMap { cursor in
            // One that is not there, or another project's, is before everything.
            try first("SELECT number FROM audit_log WHERE id = ? AND project_id IS ?", cursor, selection.projectID) {
                $0[0]
            } ?? 0
        }
        guard let target = selection.target else {
            return try rows(
                """
                SELECT id, project_id, at, actor_kind, actor, action, target, details FROM audit_log
                WHERE project_id IS ?1 AND (?2 IS NULL OR number < ?2) AND (?3 IS NULL OR action = ?3)
                    AND (?4 IS NULL OR substr(action, 1, length(?4)) = ?4)
                ORDER BY number DESC LIMIT ?5
                """, selection.projectID, before, action, noun, selection.limit, decode: Self.auditRecord)
        }
        return try rows(
            """
            SELECT id, project_id, at, actor_kind, actor, action, target, details FROM audit_log
            WHERE project_id IS ?1 AND target = ?6 AND (?2 IS NULL OR number < ?2) AND (?3 IS NULL OR action = ?3)
                AND (?4 IS NULL OR substr(action, 1, length(?4)) = ?4)
            ORDER BY number DESC LIMIT ?5
            """, selection.projectID, before, action, noun, selection.limit, target,
            decode: Self.auditRecord)
    }

    private static func auditRecord(_ row: SQLRow) throws -> AuditRecord {
        AuditRecord(
            id: row[0], projectID: row[1], at: row[2], actor: Actor(kind: row[3], name: row[4]), action: row[5],
            target: row[6], details: try row.object(7))
    }
}
