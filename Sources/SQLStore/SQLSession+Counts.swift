import Engine
import WorkflowModel

/// Counts of executions and steps by workflow, kept up to date with every change: looking at them costs the same however
/// many executions there are. A transaction adds its changes up in memory and writes each row once.
struct ExecutionTally {
    struct Key: Hashable {
        var workflow: Identifier
        /// Empty for the executions themselves.
        var step: String
        /// A status, or `refused`.
        var status: String
    }

    static let refused = "refused"

    private(set) var changes: [Key: Int] = [:]
    /// Members by segment.
    var members: [Identifier: Int] = [:]
    var blocks: [SegmentBlock: Int] = [:]
    var broadcasts: [BroadcastTally: Int] = [:]

    mutating func add(_ amount: Int, workflow: Identifier, step: String = "", status: String) {
        changes[Key(workflow: workflow, step: step, status: status), default: 0] += amount
    }

    mutating func move(workflow: Identifier, step: String = "", from old: String?, to new: String) {
        guard old != new else { return }
        if let old { add(-1, workflow: workflow, step: step, status: old) }
        add(1, workflow: workflow, step: step, status: new)
    }
}

extension SQLSession {
    /// Writes what was added up. To be called once, right before the commit.
    func flushTally() throws {
        for (key, amount) in tally.changes where amount != 0 {
            try run(
                """
                INSERT INTO execution_counts (workflow_id, step, status, count) VALUES (?, ?, ?, ?)
                ON CONFLICT (workflow_id, step, status) DO UPDATE SET count = count + excluded.count
                """, key.workflow, key.step, key.status, amount)
        }
        try flushMemberCounts(tally.members)
        try flushBlockCounts()
        try flushBroadcastCounts(tally.broadcasts)
        tally = ExecutionTally()
        guard !journal.bytes.isEmpty else { return }
        try run("INSERT INTO contact_journal (entries) VALUES (?)", journal.bytes)
        journal = HistoryJournal()
    }

    func countRefusal(of workflow: Identifier) throws {
        tally.add(1, workflow: workflow, status: ExecutionTally.refused)
    }

    /// Whether there are any is what locks stand on, so that is asked of the executions themselves.
    func activeExecutionCount(workflow: Identifier) throws -> Int {
        guard try hasActiveExecution(of: workflow) else { return 0 }
        return max(1, try count(of: .running, workflow: workflow) + count(of: .waiting, workflow: workflow))
    }

    private func count(of status: Execution.Status, workflow: Identifier) throws -> Int {
        let stored: Int =
            try first(
                "SELECT count FROM execution_counts WHERE workflow_id = ? AND step = '' AND status = ?", workflow,
                status.rawValue
            ) { $0[0] } ?? 0
        let key = ExecutionTally.Key(workflow: workflow, step: "", status: status.rawValue)
        return stored + (tally.changes[key] ?? 0)
    }

    func executionCounts(in project: Identifier) throws -> [Identifier: [Execution.Status: Int]] {
        var counts: [Identifier: [Execution.Status: Int]] = [:]
        for (id, status, count) in try rows(
            """
            SELECT c.workflow_id, c.status, c.count FROM workflows w JOIN execution_counts c ON c.workflow_id = w.id
            WHERE w.project_id = ? AND c.step = '' AND c.count <> 0
            """, project, decode: { row -> (Identifier, String, Int) in (row[0], row[1], row[2]) })
        {
            if let status = Execution.Status(rawValue: status) { counts[id, default: [:]][status] = count }
        }
        return counts
    }

    func stepCounts(of workflow: Identifier) throws -> [String: StepCounts] {
        var counts: [String: StepCounts] = [:]
        for (step, status, count) in try rows(
            "SELECT step, status, count FROM execution_counts WHERE workflow_id = ? AND step <> ''", workflow,
            decode: { row -> (String, String, Int) in (row[0], row[1], row[2]) })
        {
            switch StepExecution.Status(rawValue: status) {
            case .running, .waiting: counts[step, default: .init()].waiting += count
            case .completed: counts[step, default: .init()].done += count
            case .failed: counts[step, default: .init()].failed += count
            case .cancelled: counts[step, default: .init()].cancelled += count
            case nil: break
            }
        }
        return counts
    }

    func refusedEnrolments(of workflow: Identifier) throws -> Int {
        try first(
            "SELECT count FROM execution_counts WHERE workflow_id = ? AND step = '' AND status = ?", workflow,
            ExecutionTally.refused
        ) { $0[0] } ?? 0
    }
}
