import WorkflowModel

/// One time at which the schedule of a workflow came due, and how far its enrolment has come.
package struct ScheduleTick: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// Waits for the end of an earlier run.
        case queued
        /// Goes through the contacts.
        case enrolling
        /// Every contact was looked at.
        case done
        /// Left out, because an earlier run was under way.
        case skipped
        /// Left out, because nobody was there to fire it in time.
        case missed
        /// The workflow was switched off or changed before the end.
        case stopped

        package var isOpen: Bool { self == .queued || self == .enrolling }
    }

    package var workflowID: Identifier
    package var at: Timestamp
    package var status: Status
    package var firedAt: Timestamp
    /// The contact last looked at; nil before the first.
    package var cursor: Identifier?
    /// The last contact to look at; nil when there is none.
    package var lastContact: Identifier?
    /// Ticks that nobody was there to fire in time, up to this one.
    package var missed: Int
    package var enrolled = 0
    /// Contacts whose re-entry was refused.
    package var refused = 0
    /// Contacts whose stored data could not be read.
    package var failed = 0
    package var completedAt: Timestamp?

    package init(
        workflowID: Identifier, at: Timestamp, status: Status, firedAt: Timestamp, lastContact: Identifier? = nil,
        missed: Int = 0
    ) {
        self.workflowID = workflowID
        self.at = at
        self.status = status
        self.firedAt = firedAt
        self.lastContact = lastContact
        self.missed = missed
    }
}

/// When the scheduler has to look at a workflow.
package struct ScheduleEntry: Hashable, Sendable {
    package var workflowID: Identifier
    /// The next tick; before the first was planned, the moment from which on the schedule holds.
    package var dueAt: Timestamp
    package var isPlanned: Bool

    package init(workflowID: Identifier, dueAt: Timestamp, isPlanned: Bool) {
        self.workflowID = workflowID
        self.dueAt = dueAt
        self.isPlanned = isPlanned
    }
}

/// The part of the store's transaction that schedules need.
///
/// The entries keep themselves: saving a workflow whose trigger or switch has changed drops its entry, closes its open
/// ticks as stopped, and makes an unplanned entry when it is now an enabled SCHEDULE. Deleting it does the same without
/// the new entry.
package protocol ScheduleTransaction: AnyObject {
    /// The longest due first.
    func schedules(dueAt time: Timestamp, limit: Int) throws -> [ScheduleEntry]
    func schedule(of workflow: Identifier) throws -> ScheduleEntry?
    func nextSchedule() throws -> Timestamp?
    /// Sets the next tick; nil: it never fires again.
    func planSchedule(of workflow: Identifier, next: Timestamp?) throws

    /// - Returns: false when the workflow has that tick already: it is somebody else's.
    func insert(_ tick: ScheduleTick) throws -> Bool
    func update(_ tick: ScheduleTick) throws
    func tick(of workflow: Identifier, at time: Timestamp) throws -> ScheduleTick?
    /// Those that may go on now, the oldest first: not closed, and not queued behind executions under way.
    func openTicks(limit: Int) throws -> [ScheduleTick]
    /// Whether any is not closed.
    func hasOpenTicks() throws -> Bool
    func openTicks(of workflow: Identifier) throws -> [ScheduleTick]
    /// Forgets closed ticks but the newest `count`.
    func pruneTicks(of workflow: Identifier, keeping count: Int) throws

    /// Whether any execution is RUNNING or WAITING.
    func hasActiveExecution(of workflow: Identifier) throws -> Bool
    /// In ascending order of ids, those after `cursor` up to `last`.
    func contacts(
        of project: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier]
    /// The greatest id.
    func lastContact(of project: Identifier) throws -> Identifier?
}
