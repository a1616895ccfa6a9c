import Engine
import WorkflowModel

extension FakeSession {
    func stepCounts(of workflow: Identifier) throws -> [String: StepCounts] { [:] }
    func refusedEnrolments(of workflow: Identifier) throws -> Int { 0 }
    func status(ofExecution id: Identifier) throws -> Execution.Status? {
        tables.executions.first { $0.id == id }?.status
    }
    func graph(ofExecution id: Identifier) throws -> WorkflowGraph? {
        let workflow = tables.executions.first { $0.id == id }?.workflowID
        return tables.workflows.first { $0.id == workflow }?.graph
    }
    func keepEvents(_ names: Set<String>, in project: Identifier) throws {}
    func continueKeeping(_ sizes: HistorySizes) throws -> KeepingProgress { throw Unsupported() }

    // MARK: What no route touches

    func activeExecutions(
        of workflow: Identifier, after last: ActiveExecution?, limit: Int
    ) throws -> [ActiveExecution] { throw Unsupported() }
    func countRefusal(of workflow: Identifier) throws { throw Unsupported() }
    func takeTimerSlot(of workflow: Identifier, interval: Int64, at now: Timestamp) throws -> Timestamp {
        throw Unsupported()
    }
    func postponeTimer(of execution: Identifier, to slot: Timestamp) throws { throw Unsupported() }
    func insertOccurrence(of event: Event, contact: Identifier) throws { throw Unsupported() }
    func firstOccurrence(
        of names: [String], contact: Identifier, after trigger: Identifier?, since time: Timestamp,
        where test: (Event) -> Bool
    ) throws -> Event? { throw Unsupported() }
    func lastOccurrence(of name: String, contact: Identifier) throws -> Timestamp? { throw Unsupported() }
    func moveExecution(_ id: Identifier, toVersion version: Identifier) throws { throw Unsupported() }
}
