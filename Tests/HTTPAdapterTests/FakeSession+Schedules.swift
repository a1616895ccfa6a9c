import Engine
import WorkflowModel

/// No route touches schedules.
extension FakeSession: ScheduleTransaction {
    func schedules(dueAt time: Timestamp, limit: Int) throws -> [ScheduleEntry] { throw Unsupported() }
    func schedule(of workflow: Identifier) throws -> ScheduleEntry? { throw Unsupported() }
    func nextSchedule() throws -> Timestamp? { throw Unsupported() }
    func planSchedule(of workflow: Identifier, next: Timestamp?) throws { throw Unsupported() }
    func insert(_ tick: ScheduleTick) throws -> Bool { throw Unsupported() }
    func update(_ tick: ScheduleTick) throws { throw Unsupported() }
    func tick(of workflow: Identifier, at time: Timestamp) throws -> ScheduleTick? { throw Unsupported() }
    func hasOpenTicks() throws -> Bool { throw Unsupported() }
    func openTicks(limit: Int) throws -> [ScheduleTick] { throw Unsupported() }
    func openTicks(of workflow: Identifier) throws -> [ScheduleTick] { throw Unsupported() }
    func pruneTicks(of workflow: Identifier, keeping count: Int) throws { throw Unsupported() }
    func hasActiveExecution(of workflow: Identifier) throws -> Bool { throw Unsupported() }
    func contacts(
        of project: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier] { throw Unsupported() }
    func lastContact(of project: Identifier) throws -> Identifier? { throw Unsupported() }
}
