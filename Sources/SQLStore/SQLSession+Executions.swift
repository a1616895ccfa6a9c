import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Contacts and events

    static func contact(_ row: SQLRow) throws -> Contact {
        let id: Identifier = row[0]
        do {
            return Contact(
                id: id, email: row[1], isSubscribed: row[2], data: try row.object(3), createdAt: row[4],
                updatedAt: row[5])
        } catch let error as StoreError {
            throw StoreError(.damaged, "the contact \(id) cannot be read: \(error.description)")
        }
    }

    func contact(email: String, in project: Identifier) throws -> Contact? {
        let contact = try first(
            """
            SELECT id, email, subscribed, data, created_at, updated_at FROM contacts WHERE project_id = ? AND email = ?
            """
        ) {
            $0.add(project)
            $0.add(email)
        } decode: {
            try Self.contact($0)
        }
        if let contact { memory.contact = contact }
        return contact
    }

    /// An event asks for its contact again for every workflow that it starts.
    func contact(_ id: Identifier) throws -> Contact? {
        if let contact = memory.contact, contact.id == id { return contact }
        let contact = try first(
            "SELECT id, email, subscribed, data, created_at, updated_at FROM contacts WHERE id = ?"
        ) {
            $0.add(id)
        } decode: {
            try Self.contact($0)
        }
        if let contact { memory.contact = contact }
        return contact
    }

    func contact(_ id: Identifier, in project: Identifier) throws -> Contact? {
        try first(
            """
            SELECT id, email, subscribed, data, created_at, updated_at FROM contacts WHERE id = ? AND project_id = ?
            """
        ) {
            $0.add(id)
            $0.add(project)
        } decode: {
            try Self.contact($0)
        }
    }

    func update(_ contact: Contact) throws {
        memory.contact = nil
        try run("UPDATE contacts SET subscribed = ?, data = ?, updated_at = ? WHERE id = ?") {
            $0.add(contact.isSubscribed)
            $0.add(JSONText(contact.data))
            $0.add(contact.updatedAt)
            $0.add(contact.id)
        }
    }

    func insert(_ event: Event, contact: Identifier?, in project: Identifier) throws {
        try run(
            """
            INSERT INTO events (id, project_id, contact_id, name, data, source, generation, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """
        ) {
            $0.add(event.id)
            $0.add(project)
            $0.add(contact)
            $0.add(event.name)
            $0.add(JSONText(StoredEventData.kept(event.data, of: event.name, from: event.source)))
            $0.add(event.source.rawValue)
            $0.add(event.generation)
            $0.add(event.createdAt)
        }
    }

    private func event(_ id: Identifier) throws -> Event? {
        try first("SELECT id, name, data, source, generation, created_at FROM events WHERE id = ?", id) {
            try Self.event($0)
        }
    }

    func event(_ id: Identifier, in project: Identifier) throws -> Event? {
        let isOurs: Bool? = try first("SELECT project_id = ? FROM events WHERE id = ?", project, id) { $0[0] }
        return isOurs == true ? try event(id) : nil
    }

    // MARK: Executions

    func hasExecution(
        of workflow: Identifier, contact: Identifier, value: String?, onlyActive: Bool
    ) throws -> Bool {
        if let value {
            let sql: StaticString =
                onlyActive
                ? """
                SELECT 1 FROM executions
                WHERE workflow_id = ? AND contact_id = ? AND reentry_value = ? AND status IN ('RUNNING', 'WAITING')
                """
                : """
                SELECT 1 FROM executions WHERE workflow_id = ? AND contact_id = ? AND reentry_value = ? AND once = 1
                """
            return try first(sql, workflow, contact, value) { _ in true } ?? false
        }
        let sql: StaticString =
            onlyActive
            ? """
            SELECT 1 FROM executions WHERE workflow_id = ? AND contact_id = ? AND status IN ('RUNNING', 'WAITING')
            """ : "SELECT 1 FROM executions WHERE workflow_id = ? AND contact_id = ? AND once = 1"
        return try first(sql, workflow, contact) { _ in true } ?? false
    }

    func hasExecutions(of workflow: Identifier) throws -> Bool {
        try first("SELECT 1 FROM executions WHERE workflow_id = ? LIMIT 1", workflow) { _ in true } ?? false
    }

    func failExecution(_ id: Identifier, reason: String, at time: Timestamp) throws {
        memory.execution = nil
        let found: (Identifier, String)? = try first("SELECT workflow_id, status FROM executions WHERE id = ?", id) {
            ($0[0], $0[1])
        }
        guard let (workflow, status) = found else { return }
        try run(
            """
            DELETE FROM waits WHERE execution_id = ?1
                AND contact_id = (SELECT contact_id FROM executions WHERE id = ?1)
            """, id)
        try run(
            """
            UPDATE executions SET status = 'FAILED', exit_reason = ?, wait_events = NULL, due_at = NULL,
                has_slot = NULL, webhook_call_id = NULL, completed_at = ?
            WHERE id = ?
            """, reason, time, id)
        tally.move(workflow: workflow, from: status, to: Execution.Status.failed.rawValue)
        try deleteWebhookCalls(of: id)
        let open: [(String, String)] = try rows(
            "SELECT step, status FROM step_executions WHERE execution_id = ? AND status IN ('RUNNING', 'WAITING')", id
        ) { ($0[0], $0[1]) }
        guard !open.isEmpty else { return }
        for (step, status) in open {
            tally.move(workflow: workflow, step: step, from: status, to: StepExecution.Status.failed.rawValue)
        }
        try run(
            """
            UPDATE step_executions SET status = 'FAILED', error = ?, completed_at = ?
            WHERE execution_id = ? AND status IN ('RUNNING', 'WAITING')
            """, reason, time, id)
    }

    func insert(_ stored: StoredExecution, once: Bool) throws {
        let execution = stored.execution
        try run(
            """
            INSERT INTO executions (id, project_id, workflow_id, version_id, contact_id, status, once, current_step,
                wait_events, due_at, context, trigger_event_id, resumed_event_id, exit_reason, step_count, started_at,
                completed_at, webhook_call_id, reentry_value)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, execution.id, stored.projectID, execution.workflowID, stored.versionID, execution.contactID,
            execution.status.rawValue, once, execution.currentStep, execution.wait?.eventText, execution.wait?.due,
            execution.context.textOrNil, execution.trigger?.id, execution.resumedBy?.id, execution.exitReason,
            execution.stepCount, execution.startedAt, execution.completedAt, execution.wait?.call,
            stored.reentryValue ?? "")
        try markUsed(version: stored.versionID)
        journal.add(.execution, execution.id, contact: execution.contactID)
        tally.add(1, workflow: execution.workflowID, status: execution.status.rawValue)
        memory.execution = KnownExecution(
            id: execution.id, workflow: execution.workflowID, status: execution.status.rawValue, stepCount: 0)
        try insertWaits(of: execution)
    }

    /// What the counts need of a row that this transaction changes: what it was before.
    struct KnownExecution {
        var id: Identifier
        var workflow: Identifier
        var status: String
        /// Rows of steps beyond this are new.
        var stepCount: Int
    }

    private func known(_ id: Identifier) throws -> KnownExecution? {
        if let known = memory.execution, known.id == id { return known }
        memory.execution = try first("SELECT workflow_id, status, step_count FROM executions WHERE id = ?", id) {
            KnownExecution(id: id, workflow: $0[0], status: $0[1], stepCount: $0[2])
        }
        return memory.execution
    }

    func update(_ stored: StoredExecution) throws {
        let execution = stored.execution
        let before = try known(execution.id)
        try run(
            """
            UPDATE executions SET status = ?, current_step = ?, wait_events = ?, due_at = ?, context = ?,
                resumed_event_id = ?, exit_reason = ?, step_count = ?, completed_at = ?, webhook_call_id = ?,
                has_slot = NULL
            WHERE id = ?
            """, execution.status.rawValue, execution.currentStep, execution.wait?.eventText, execution.wait?.due,
            execution.context.textOrNil, execution.resumedBy?.id, execution.exitReason, execution.stepCount,
            execution.completedAt, execution.wait?.call, execution.id)
        if let before {
            tally.move(workflow: before.workflow, from: before.status, to: execution.status.rawValue)
            memory.execution?.status = execution.status.rawValue
        }
        try run("DELETE FROM waits WHERE contact_id = ? AND execution_id = ?", execution.contactID, execution.id)
        try insertWaits(of: execution)
    }

    private func insertWaits(of execution: Execution) throws {
        guard case .event(let names, _)? = execution.wait else { return }
        memory.waits = nil
        for name in Set(names) {
            try run(
                "INSERT INTO waits (contact_id, event_name, execution_id) VALUES (?, ?, ?)", execution.contactID, name,
                execution.id)
        }
    }

    func save(_ steps: [StepExecution], of execution: Identifier) throws {
        let known = try known(execution)
        for step in steps {
            if let known {
                let before: String? =
                    step.sequence < known.stepCount
                    ? try first(
                        "SELECT status FROM step_executions WHERE execution_id = ? AND sequence = ?", execution,
                        step.sequence
                    ) { $0[0] } : nil
                tally.move(workflow: known.workflow, step: step.step, from: before, to: step.status.rawValue)
            }
            try run(
                """
                INSERT INTO step_executions (execution_id, sequence, step, type, status, output, error, started_at,
                    completed_at, input, attempts)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (execution_id, sequence) DO UPDATE SET status = excluded.status,
                    output = coalesce(excluded.output, output), error = excluded.error,
                    completed_at = excluded.completed_at, input = coalesce(excluded.input, input),
                    attempts = max(excluded.attempts, attempts)
                """, execution, step.sequence, step.step, step.type.rawValue, step.status.rawValue,
                step.output.isNull ? nil : JSONWriter.write(step.output), step.error, step.startedAt, step.completedAt,
                step.input.isNull ? nil : JSONWriter.write(step.input), step.attempts)
        }
        if let last = steps.map(\.sequence).max(), let known {
            memory.execution?.stepCount = max(known.stepCount, last + 1)
        }
    }

    func execution(_ id: Identifier) throws -> StoredExecution? {
        struct Loaded {
            var stored: StoredExecution
            var triggerID: Identifier?
            var resumedID: Identifier?
        }
        let loaded = try first(
            """
            SELECT id, project_id, workflow_id, version_id, contact_id, status, current_step, wait_events, due_at,
                context, trigger_event_id, resumed_event_id, exit_reason, step_count, started_at, completed_at,
                webhook_call_id, has_slot, reentry_value
            FROM executions WHERE id = ?
            """, id
        ) { row in
            let execution = Execution(
                id: row[0], workflowID: row[2], contactID: row[4],
                status: try row.decoded(5, as: Execution.Status.self), currentStep: row[6],
                wait: Execution.Wait(eventText: row[7], due: row[8], call: row[16]), context: try row.object(9),
                exitReason: row[12], stepCount: row[13], startedAt: row[14], completedAt: row[15])
            let hasSlot: Bool? = row[17]
            return Loaded(
                stored: StoredExecution(
                    execution: execution, projectID: row[1], versionID: row[3], hasSlot: hasSlot ?? false,
                    reentryValue: Self.reentryValue(row, at: 18)),
                triggerID: row[10], resumedID: row[11])
        }
        guard var loaded else { return nil }
        let execution = loaded.stored.execution
        memory.execution = KnownExecution(
            id: id, workflow: execution.workflowID, status: execution.status.rawValue, stepCount: execution.stepCount)
        loaded.stored.execution.trigger = try loaded.triggerID.flatMap(event)
        loaded.stored.execution.resumedBy = try loaded.resumedID.flatMap(event)
        loaded.stored.execution.outputs = try outputs(of: id)
        return loaded.stored
    }

    private func outputs(of execution: Identifier) throws -> JSONObject {
        JSONObject(
            try rows("SELECT step, output FROM step_executions WHERE execution_id = ? ORDER BY sequence", execution) {
                ($0[0] as String, try $0.json(1))
            })
    }

    func moveExecution(_ id: Identifier, toVersion version: Identifier) throws {
        try run("UPDATE executions SET version_id = ? WHERE id = ?", version, id)
        try markUsed(version: version)
    }

    func executions(waitingFor event: String, contact: Identifier) throws -> [Identifier] {
        if memory.waits?.contact != contact {
            let areThere =
                try first("SELECT 1 FROM waits WHERE contact_id = ? LIMIT 1") {
                    $0.add(contact)
                } decode: { _ in
                    true
                }
            memory.waits = (contact, areThere ?? false)
        }
        guard memory.waits?.areThere == true else { return [] }
        return try rows("SELECT execution_id FROM waits WHERE contact_id = ? AND event_name = ?") {
            $0.add(contact)
            $0.add(event)
        } decode: {
            $0[0]
        }
    }

    func activeExecutions(
        of workflow: Identifier, after last: ActiveExecution?, limit: Int
    ) throws -> [ActiveExecution] {
        try rows(
            """
            SELECT id, contact_id, reentry_value FROM executions
            WHERE workflow_id = ? AND status IN ('RUNNING', 'WAITING') AND (contact_id, reentry_value) > (?, ?)
            ORDER BY contact_id, reentry_value LIMIT ?
            """, workflow, last?.contactID.bytes ?? [], last?.reentryValue ?? "", limit
        ) { ActiveExecution(id: $0[0], contactID: $0[1], reentryValue: Self.reentryValue($0, at: 2)) }
    }

    private static func reentryValue(_ row: SQLRow, at column: Int) -> String? {
        let text: String = row[column]
        return text.isEmpty ? nil : text
    }

    // MARK: Reading for the API

    /// A row that cannot be read whole is shown with what can be read of it: it must not hide its page.
    private static func listing(_ row: SQLRow) -> ExecutionListing {
        let status = Execution.Status(rawValue: row[4])
        return ExecutionListing(
            id: row[0], workflowID: row[1], contactID: row[2], contactEmail: row[3], status: status ?? .failed,
            currentStep: row[5], exitReason: status == nil ? "its stored status cannot be read" : row[6],
            context: (try? row.object(7)) ?? [:], dueAt: row[8], startedAt: row[9], completedAt: row[10],
            reentryValue: reentryValue(row, at: 11))
    }

    func executions(
        of workflow: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) throws -> (rows: [ExecutionListing], total: Int) {
        let counted: Int? =
            try first(
                """
                SELECT sum(count) FROM execution_counts
                WHERE workflow_id = ?1 AND step = '' AND (?2 = status OR ?2 IS NULL AND status <> ?3)
                """, workflow, status?.rawValue, ExecutionTally.refused
            ) { $0[0] } ?? nil
        let total = counted ?? 0
        guard offset < total else { return ([], total) }
        let ids = try page(of: workflow, status: status, limit: limit, offset: offset)
        let listed = try ids.compactMap { id in
            try first(
                """
                SELECT e.id, e.workflow_id, e.contact_id, c.email, e.status, e.current_step, e.exit_reason, e.context,
                    e.due_at, e.started_at, e.completed_at, e.reentry_value
                FROM executions e JOIN contacts c ON c.id = e.contact_id WHERE e.id = ?
                """, id, decode: Self.listing)
        }
        return (listed, total)
    }

    /// So many executions under way are found and sorted faster than the whole workflow is looked through.
    private static let fewActive = 10_000

    /// The ids of a page alone, which an index holds: what stands before it costs no look at its rows.
    private func page(
        of workflow: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) throws -> [Identifier] {
        guard let status else {
            return try rows(
                "SELECT id FROM executions WHERE workflow_id = ? ORDER BY id DESC LIMIT ? OFFSET ?", workflow, limit,
                offset
            ) { $0[0] }
        }
        if !status.isFinal, try activeExecutionCount(workflow: workflow) <= Self.fewActive {
            return try rows(
                """
                SELECT id FROM executions INDEXED BY executions_active
                WHERE workflow_id = ?1 AND status IN ('RUNNING', 'WAITING') AND status = ?2
                ORDER BY id DESC LIMIT ?3 OFFSET ?4
                """, workflow, status.rawValue, limit, offset
            ) { $0[0] }
        }
        return try rows(
            "SELECT id FROM executions WHERE workflow_id = ? AND +status = ? ORDER BY id DESC LIMIT ? OFFSET ?",
            workflow, status.rawValue, limit, offset
        ) { $0[0] }
    }

    func execution(_ id: Identifier, workflow: Identifier) throws -> ExecutionListing? {
        try first(
            """
            SELECT e.id, e.workflow_id, e.contact_id, c.email, e.status, e.current_step, e.exit_reason, e.context,
                e.due_at, e.started_at, e.completed_at, e.reentry_value
            FROM executions e JOIN contacts c ON c.id = e.contact_id
            WHERE e.id = ? AND e.workflow_id = ?
            """, id, workflow, decode: Self.listing)
    }

    func status(ofExecution id: Identifier) throws -> Execution.Status? {
        try first("SELECT status FROM executions WHERE id = ?", id) {
            try $0.decoded(0, as: Execution.Status.self)
        }
    }

    func graph(ofExecution id: Identifier) throws -> WorkflowGraph? {
        let version: Identifier? = try first("SELECT version_id FROM executions WHERE id = ?", id) { $0[0] }
        return try version.flatMap(graph(ofVersion:))
    }

    func steps(of execution: Identifier) throws -> [StepExecution] {
        try rows(
            """
            SELECT sequence, step, type, status, output, error, started_at, completed_at, input, attempts
            FROM step_executions WHERE execution_id = ? ORDER BY sequence
            """, execution
        ) { row in
            StepExecution(
                sequence: row[0], step: row[1], type: try row.decoded(2, as: StepType.self),
                status: try row.decoded(3, as: StepExecution.Status.self), input: try row.json(8),
                output: try row.json(4), error: row[5], attempts: row[9], startedAt: row[6], completedAt: row[7])
        }
    }
}

extension Execution.Wait {
    fileprivate var call: Identifier? { if case .webhook(let call) = self { call } else { nil } }

    /// The awaited names, one a line; nil for anything else.
    fileprivate var eventText: String? {
        if case .event(let names, _) = self { names.joined(separator: "\n") } else { nil }
    }

    fileprivate init?(eventText: String?, due: Timestamp?, call: Identifier?) {
        if let call {
            self = .webhook(call: call)
        } else if let eventText {
            self = .event(names: eventText.split(separator: "\n").map(String.init), due: due)
        } else if let due {
            self = .timer(due: due)
        } else {
            return nil
        }
    }
}
