import JSONValue
import WorkflowModel

/// The store's operations on executions, their timers and the history they look back on, inside one write transaction.
package protocol ExecutionTransaction: AnyObject {
    /// Whether the contact has one here; any at all, or one that is RUNNING or WAITING.
    /// - Parameter value: of the re-entry key; nil asks for those with any value and with none.
    func hasExecution(of workflow: Identifier, contact: Identifier, value: String?, onlyActive: Bool) throws -> Bool
    /// RUNNING and WAITING ones; costs the same however many there are.
    func activeExecutionCount(workflow: Identifier) throws -> Int
    func hasExecutions(of workflow: Identifier) throws -> Bool
    /// - Throws: `StoreError.Code.conflict` when the constraint on re-entry refuses it.
    func insert(_ execution: StoredExecution, once: Bool) throws
    /// The one writer of execution state: row, wait and timer together.
    /// - Throws: `StoreError.Code.conflict` when it becomes active beside another one of its contact.
    func update(_ execution: StoredExecution) throws
    /// Ends an execution as FAILED without reading its row; it goes on standing where it stood.
    func failExecution(_ id: Identifier, reason: String, at time: Timestamp) throws
    func save(_ steps: [StepExecution], of execution: Identifier) throws
    /// Has it go on by another version of its workflow; everything else stays.
    func moveExecution(_ id: Identifier, toVersion version: Identifier) throws
    /// In order.
    func steps(of execution: Identifier) throws -> [StepExecution]
    /// With trigger, last resuming event and outputs.
    func execution(_ id: Identifier) throws -> StoredExecution?
    func executions(waitingFor event: String, contact: Identifier) throws -> [Identifier]
    /// Active executions in the order of their contacts, a contact's in that of their re-entry values.
    func activeExecutions(of workflow: Identifier, after last: ActiveExecution?, limit: Int) throws -> [ActiveExecution]
    /// Notes that re-entry refused somebody.
    func countRefusal(of workflow: Identifier) throws

    // MARK: Timers

    /// The longest due first.
    func executions(dueAt time: Timestamp, limit: Int) throws -> [Identifier]
    func nextTimer() throws -> Timestamp?
    /// Takes the next free slot of a workflow whose timers are spread: slots are `interval` microseconds apart, the first
    /// is now.
    func takeTimerSlot(of workflow: Identifier, interval: Int64, at now: Timestamp) throws -> Timestamp
    /// Makes a timer due at the slot that was taken for it.
    func postponeTimer(of execution: Identifier, to slot: Timestamp) throws

    // MARK: History

    /// Keeps occurrences of these events from now on. Those that were before are found by `continueKeeping`; until then the
    /// answers about one contact are the same, and take longer.
    func keepEvents(_ names: Set<String>, in project: Identifier) throws
    /// Finds a bounded part of the kept events that happened before they were kept.
    func continueKeeping(_ sizes: HistorySizes) throws -> KeepingProgress
    func insertOccurrence(of event: Event, contact: Identifier) throws
    /// The oldest event of a kept name that came later than the event `trigger`, or not before `time` where there is none.
    func firstOccurrence(
        of names: [String], contact: Identifier, after trigger: Identifier?, since time: Timestamp,
        where test: (Event) -> Bool
    ) throws -> Event?
    func lastOccurrence(of name: String, contact: Identifier) throws -> Timestamp?
}

/// An execution that is under way, found without reading the rest of its row.
package struct ActiveExecution: Hashable, Sendable {
    package var id: Identifier
    package var contactID: Identifier
    package var reentryValue: String?

    package init(id: Identifier, contactID: Identifier, reentryValue: String? = nil) {
        self.id = id
        self.contactID = contactID
        self.reentryValue = reentryValue
    }
}

/// What went through a step so far.
package struct StepCounts: Hashable, Sendable {
    package var waiting = 0
    package var done = 0
    package var failed = 0
    package var cancelled = 0

    package init(waiting: Int = 0, done: Int = 0, failed: Int = 0, cancelled: Int = 0) {
        self.waiting = waiting
        self.done = done
        self.failed = failed
        self.cancelled = cancelled
    }

    package var entered: Int { waiting + done + failed + cancelled }
}

/// Reads of executions for the API, on a snapshot.
package protocol ExecutionReader: AnyObject {
    func executionCounts(in project: Identifier) throws -> [Identifier: [Execution.Status: Int]]
    /// By step key, steps of earlier versions included.
    func stepCounts(of workflow: Identifier) throws -> [String: StepCounts]
    /// How often re-entry refused somebody.
    func refusedEnrolments(of workflow: Identifier) throws -> Int
    func executions(
        of workflow: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) throws -> (rows: [ExecutionListing], total: Int)
    func execution(_ id: Identifier, workflow: Identifier) throws -> ExecutionListing?
    func steps(of execution: Identifier) throws -> [StepExecution]
    /// Nil when there is no such execution.
    func status(ofExecution id: Identifier) throws -> Execution.Status?
    /// The graph of the version that an execution belongs to; nil when there is no such execution.
    func graph(ofExecution id: Identifier) throws -> WorkflowGraph?
}
