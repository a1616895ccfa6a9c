import Engine
import WorkflowModel

extension SQLSession {
    // MARK: Entries

    private static func entry(_ row: SQLRow) -> ScheduleEntry {
        ScheduleEntry(workflowID: row[0], dueAt: row[1], isPlanned: row[2])
    }

    func schedules(dueAt time: Timestamp, limit: Int) throws -> [ScheduleEntry] {
        try rows(
            "SELECT workflow_id, due_at, planned FROM schedules WHERE due_at <= ? ORDER BY due_at LIMIT ?", time, limit,
            decode: Self.entry)
    }

    func schedule(of workflow: Identifier) throws -> ScheduleEntry? {
        try first(
            "SELECT workflow_id, due_at, planned FROM schedules WHERE workflow_id = ?", workflow, decode: Self.entry)
    }

    func nextSchedule() throws -> Timestamp? {
        try first("SELECT due_at FROM schedules ORDER BY due_at LIMIT 1") { $0[0] }
    }

    func planSchedule(of workflow: Identifier, next: Timestamp?) throws {
        if let next {
            try run(
                """
                INSERT INTO schedules (workflow_id, due_at, planned) VALUES (?, ?, 1)
                ON CONFLICT (workflow_id) DO UPDATE SET due_at = excluded.due_at, planned = 1
                """, workflow, next)
        } else {
            try run("DELETE FROM schedules WHERE workflow_id = ?", workflow)
        }
    }

    /// What a saved workflow's schedule was and is; nil for one that does not fire.
    struct ScheduleState: Equatable {
        var config: String?
    }

    /// - Returns: nil when it does not fire: no such workflow, another trigger, or switched off.
    func scheduleState(of workflow: Identifier) throws -> ScheduleState? {
        try first(
            """
            SELECT trigger_config FROM workflows
            WHERE id = ? AND enabled = 1 AND trigger_type = 'SCHEDULE' AND deleted_at IS NULL
            """, workflow
        ) { ScheduleState(config: $0[0]) }
    }

    /// Begins the schedule of a workflow anew when it is not what it was.
    func renewSchedule(of workflow: Identifier, before: ScheduleState?, at time: Timestamp) throws {
        let now = try scheduleState(of: workflow)
        // An entry that the scheduler gave up, because the row could not be read, comes back with the next save.
        if now == before, try now == nil || self.schedule(of: workflow) != nil { return }
        try run("DELETE FROM schedules WHERE workflow_id = ?", workflow)
        try run(
            """
            UPDATE schedule_ticks SET status = 'stopped', completed_at = ?
            WHERE workflow_id = ? AND completed_at IS NULL
            """, time, workflow)
        guard now != nil else { return }
        try run("INSERT INTO schedules (workflow_id, due_at, planned) VALUES (?, ?, 0)", workflow, time)
    }

    // MARK: Ticks

    private static func tick(_ row: SQLRow) throws -> ScheduleTick {
        var tick = ScheduleTick(
            workflowID: row[0], at: row[1], status: try row.decoded(2, as: ScheduleTick.Status.self), firedAt: row[3],
            lastContact: row[5], missed: row[6])
        tick.cursor = row[4]
        tick.enrolled = row[7]
        tick.refused = row[8]
        tick.failed = row[9]
        tick.completedAt = row[10]
        return tick
    }

    func insert(_ tick: ScheduleTick) throws -> Bool {
        try run(
            """
            INSERT INTO schedule_ticks (workflow_id, tick_at, status, fired_at, cursor, last_contact, missed, enrolled,
                refused, failed, completed_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (workflow_id, tick_at) DO NOTHING
            """, tick.workflowID, tick.at, tick.status.rawValue, tick.firedAt, tick.cursor, tick.lastContact,
            tick.missed, tick.enrolled, tick.refused, tick.failed, tick.completedAt)
        return changeCount == 1
    }

    func update(_ tick: ScheduleTick) throws {
        try run(
            """
            UPDATE schedule_ticks SET status = ?, cursor = ?, last_contact = ?, enrolled = ?, refused = ?, failed = ?,
                completed_at = ?
            WHERE workflow_id = ? AND tick_at = ?
            """, tick.status.rawValue, tick.cursor, tick.lastContact, tick.enrolled, tick.refused, tick.failed,
            tick.completedAt, tick.workflowID, tick.at)
    }

    func tick(of workflow: Identifier, at time: Timestamp) throws -> ScheduleTick? {
        try first(
            """
            SELECT workflow_id, tick_at, status, fired_at, cursor, last_contact, missed, enrolled, refused, failed,
                completed_at
            FROM schedule_ticks WHERE workflow_id = ? AND tick_at = ?
            """, workflow, time, decode: Self.tick)
    }

    /// A tick that cannot be read is stopped in its place, so that the others go on.
    func openTicks(limit: Int) throws -> [ScheduleTick] {
        var damaged: [(workflow: Identifier, at: Timestamp)] = []
        let ticks = try rows(
            """
            SELECT workflow_id, tick_at, status, fired_at, cursor, last_contact, missed, enrolled, refused, failed,
                completed_at
            FROM schedule_ticks t WHERE completed_at IS NULL
                AND (status <> 'queued' OR NOT EXISTS (
                    SELECT 1 FROM executions INDEXED BY executions_active
                    WHERE workflow_id = t.workflow_id AND status IN ('RUNNING', 'WAITING')))
            ORDER BY tick_at LIMIT ?
            """, limit
        ) { row -> ScheduleTick? in
            do { return try Self.tick(row) } catch let error as StoreError where error.code == .damaged {
                damaged.append((row[0], row[1]))
                return nil
            }
        }
        for (workflow, time) in damaged {
            try run(
                """
                UPDATE schedule_ticks SET status = 'stopped', completed_at = fired_at
                WHERE workflow_id = ? AND tick_at = ?
                """, workflow, time)
        }
        return ticks.compactMap(\.self)
    }

    func hasOpenTicks() throws -> Bool {
        try first("SELECT EXISTS (SELECT 1 FROM schedule_ticks WHERE completed_at IS NULL)") { $0[0] } ?? false
    }

    func openTicks(of workflow: Identifier) throws -> [ScheduleTick] {
        try rows(
            """
            SELECT workflow_id, tick_at, status, fired_at, cursor, last_contact, missed, enrolled, refused, failed,
                completed_at
            FROM schedule_ticks WHERE completed_at IS NULL AND workflow_id = ? ORDER BY tick_at
            """, workflow, decode: Self.tick)
    }

    func ticks(of workflow: Identifier, limit: Int) throws -> [ScheduleTick] {
        try rows(
            """
            SELECT workflow_id, tick_at, status, fired_at, cursor, last_contact, missed, enrolled, refused, failed,
                completed_at
            FROM schedule_ticks WHERE workflow_id = ? ORDER BY tick_at DESC LIMIT ?
            """, workflow, limit, decode: Self.tick)
    }

    func pruneTicks(of workflow: Identifier, keeping count: Int) throws {
        try run(
            """
            DELETE FROM schedule_ticks WHERE workflow_id = ?1 AND completed_at IS NOT NULL AND tick_at <= (
                SELECT tick_at FROM schedule_ticks WHERE workflow_id = ?1 ORDER BY tick_at DESC LIMIT 1 OFFSET ?2)
            """, workflow, count)
    }

    // MARK: Whom a tick concerns

    func hasActiveExecution(of workflow: Identifier) throws -> Bool {
        try first(
            "SELECT 1 FROM executions WHERE workflow_id = ? AND status IN ('RUNNING', 'WAITING') LIMIT 1", workflow
        ) { _ in true } ?? false
    }

    func contacts(
        of project: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier] {
        // No id is before the zero one.
        let start = cursor ?? Identifier(high: 0, low: 0)
        return try rows(
            "SELECT id FROM contacts WHERE project_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?", project, start,
            last, limit
        ) { $0[0] }
    }

    func lastContact(of project: Identifier) throws -> Identifier? {
        try first("SELECT id FROM contacts WHERE project_id = ? ORDER BY id DESC LIMIT 1", project) { $0[0] }
    }
}
