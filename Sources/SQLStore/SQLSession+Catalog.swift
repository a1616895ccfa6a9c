import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    func catalogVersion() throws -> Int64 {
        if let version = memory.catalogVersion { return version }
        let version: Int64 = try first("SELECT number FROM settings WHERE name = 'catalog_version'") { $0[0] } ?? 0
        memory.catalogVersion = version
        return version
    }

    func bumpCatalog() throws {
        memory.catalogVersion = nil
        try run("UPDATE settings SET number = random() WHERE name = 'catalog_version'")
    }

    func loadCatalog() throws -> Catalog {
        var damagedWorkflows: [Catalog.Damage] = []
        var damagedTemplates: [Catalog.Damage] = []
        let (segments, damagedSegments) = try loadSegments()
        return Catalog(
            version: try catalogVersion(),
            projects: try rows(
                "SELECT id, slug, name, timezone, opens, clicks FROM projects ORDER BY id", decode: Self.project),
            workflows: try rows(
                """
                SELECT w.id, w.project_id, w.slug, w.name, w.enabled, w.allow_reentry, w.trigger_type, w.trigger_event,
                    w.version_id, v.number, v.definition, w.created_at, w.updated_at, w.description,
                    w.timers, w.trigger_config, w.reentry_key
                FROM workflows w LEFT JOIN workflow_versions v ON v.id = w.version_id
                WHERE w.deleted_at IS NULL ORDER BY w.id
                """
            ) { row -> WorkflowRecord? in
                // One row that cannot be read is the matter of that workflow alone.
                do { return try Self.workflow(row) } catch let error as StoreError {
                    damagedWorkflows.append(
                        .init(id: row[0], projectID: row[1], slug: row[2], reason: error.description))
                    return nil
                }
            }.compactMap(\.self),
            templates: try templates(damaged: &damagedTemplates), keptEvents: try keptEvents(),
            unfinishedEvents: try unfinishedEvents(),
            damagedWorkflows: damagedWorkflows,
            damagedTemplates: damagedTemplates, segments: segments, damagedSegments: damagedSegments,
            subscriptions: try webhookSubscriptions())
    }

    private static func workflow(_ row: SQLRow) throws -> WorkflowRecord {
        let (timers, problems) = TimerPolicy.read(try row.json(14), path: "timers")
        guard let timers else { throw StoreError(.damaged, "a stored workflow cannot be read: \(problems)") }
        let path: String? = row[16]
        let reentryKey = path.flatMap { ReentryKey($0) }
        guard (path == nil) == (reentryKey == nil) else {
            throw StoreError(.damaged, "a stored workflow cannot be read: its re-entry key \(ReentryKey.rule)")
        }
        return WorkflowRecord(
            id: row[0], projectID: row[1], slug: row[2], name: row[3], description: row[13], isEnabled: row[4],
            allowsReentry: row[5], reentryKey: reentryKey, trigger: try trigger(row), versionID: row[8],
            versionNumber: row[9], graph: try WorkflowDocument.graph(fromDefinition: row.json(10)), timers: timers,
            createdAt: row[11],
            updatedAt: row[12])
    }

    private static func trigger(_ row: SQLRow) throws -> WorkflowRecord.Trigger {
        let event: String? = row[7]
        if let event { return .event(event) }
        let type: String = row[6]
        guard type == "SCHEDULE" else { return .manual }
        // Its zone was known when it was saved. One that is not any more stops the schedule, and nothing else.
        let (schedule, problems) = ScheduleTrigger.read(try row.object(15), path: "trigger_config", zones: nil)
        guard let schedule else { throw StoreError(.damaged, "a stored schedule cannot be read: \(problems)") }
        return .schedule(schedule)
    }

    func graph(ofVersion id: Identifier) throws -> WorkflowGraph? {
        try first("SELECT definition FROM workflow_versions WHERE id = ?", id) {
            try WorkflowDocument.graph(fromDefinition: $0.json(0))
        }
    }

    func insert(_ project: Project, at time: Timestamp) throws {
        try run(
            "INSERT INTO projects (id, slug, name, timezone, created_at) VALUES (?, ?, ?, ?, ?)", project.id,
            project.slug, project.name, project.timezone, time)
        try bumpCatalog()
    }

    func save(_ workflow: WorkflowRecord, definition: JSON) throws {
        let schedule = try scheduleState(of: workflow.id)
        let allowedReentry: Bool =
            try first("SELECT allow_reentry FROM workflows WHERE id = ?", workflow.id) { $0[0] } ?? false
        try run(
            """
            INSERT INTO workflow_versions (id, workflow_id, number, definition, created_at, used)
            VALUES (?, ?, ?, ?, ?, 0)
            ON CONFLICT (id) DO NOTHING
            """, workflow.versionID, workflow.id, workflow.versionNumber, JSONWriter.write(definition),
            workflow.updatedAt)
        let event: String? = if case .event(let name) = workflow.trigger { name } else { nil }
        let config: String? = if case .schedule(let schedule) = workflow.trigger { schedule.json.text } else { nil }
        try run(
            """
            INSERT INTO workflows (id, project_id, slug, name, enabled, allow_reentry, trigger_type, trigger_event,
                version_id, created_at, updated_at, description, timers, trigger_config, reentry_key)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
                allow_reentry = excluded.allow_reentry, trigger_type = excluded.trigger_type,
                trigger_event = excluded.trigger_event, version_id = excluded.version_id,
                updated_at = excluded.updated_at, description = excluded.description, timers = excluded.timers,
                trigger_config = excluded.trigger_config, reentry_key = excluded.reentry_key
            """, workflow.id, workflow.projectID, workflow.slug, workflow.name, workflow.isEnabled,
            workflow.allowsReentry, workflow.trigger.type, event, workflow.versionID, workflow.createdAt,
            workflow.updatedAt, workflow.description,
            workflow.timers.json.isNull ? nil : JSONWriter.write(workflow.timers.json), config,
            workflow.reentryKey?.path)
        if allowedReentry, !workflow.allowsReentry { try forbidReentry(workflow.id) }
        try renewSchedule(of: workflow.id, before: schedule, at: workflow.updatedAt)
        try bumpCatalog()
    }

    func replaceDefinition(_ definition: JSON, ofVersion id: Identifier) throws {
        try run("UPDATE workflow_versions SET definition = ? WHERE id = ?", JSONWriter.write(definition), id)
        try bumpCatalog()
    }

    func isUsed(version id: Identifier) throws -> Bool {
        try first("SELECT used FROM workflow_versions WHERE id = ?", id) { $0[0] } ?? false
    }

    /// Many executions in one transaction take the same few versions.
    func markUsed(version id: Identifier) throws {
        guard memory.usedVersions.insert(id).inserted else { return }
        try run("UPDATE workflow_versions SET used = 1 WHERE id = ? AND used = 0", id)
    }

    func delete(workflow id: Identifier, at time: Timestamp) throws {
        let schedule = try scheduleState(of: id)
        try run(
            "UPDATE workflows SET deleted_at = ?, enabled = 0, slug = slug || '~' || hex(id) WHERE id = ?", time, id)
        try renewSchedule(of: id, before: schedule, at: time)
        try bumpCatalog()
    }

    /// Executions from the time when re-entry was allowed count too: one of each contact and re-entry value gets the mark
    /// that the others carry from their start. The unique index on the mark refuses the second of a contact, which is skipped.
    private func forbidReentry(_ workflow: Identifier) throws {
        try run("UPDATE OR IGNORE executions SET once = 1 WHERE workflow_id = ? AND once = 0", workflow)
    }

    func secret(_ name: String, orInsert candidate: [UInt8]) throws -> [UInt8] {
        try run("INSERT INTO settings (name, bytes) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, candidate)
        let bytes: [UInt8]? = try first("SELECT bytes FROM settings WHERE name = ?", name) { $0[0] } ?? nil
        return bytes ?? candidate
    }

    func replaceSecret(_ name: String, with bytes: [UInt8]) throws {
        try run("UPDATE settings SET bytes = ? WHERE name = ?", bytes, name)
    }

    func count(_ name: String, by amount: Int) throws {
        try run(
            """
            INSERT INTO counters (name, value) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET value = value + excluded.value
            """, name, amount)
    }

    func counters() throws -> [String: Int] {
        let pairs: [(String, Int)] = try rows("SELECT name, value FROM counters") { ($0[0], $0[1]) }
        return Dictionary(uniqueKeysWithValues: pairs)
    }
}
