import Engine
import WorkflowModel

extension SQLSession {
    func executions(dueAt time: Timestamp, limit: Int) throws -> [Identifier] {
        try rows(
            "SELECT id FROM executions WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?", time, limit
        ) { $0[0] }
    }

    func nextTimer() throws -> Timestamp? {
        try first("SELECT due_at FROM executions WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1") { $0[0] }
    }

    func takeTimerSlot(of workflow: Identifier, interval: Int64, at now: Timestamp) throws -> Timestamp {
        let next: Timestamp? =
            try first("SELECT next_at FROM timer_slots WHERE workflow_id = ?", workflow) { $0[0] } ?? nil
        let slot = max(next ?? now, now)
        try run(
            """
            INSERT INTO timer_slots (workflow_id, next_at) VALUES (?, ?)
            ON CONFLICT (workflow_id) DO UPDATE SET next_at = excluded.next_at
            """, workflow, slot.adding(microseconds: interval))
        return slot
    }

    func postponeTimer(of execution: Identifier, to slot: Timestamp) throws {
        try run("UPDATE executions SET due_at = ?, has_slot = 1 WHERE id = ?", slot, execution)
    }
}
