import JSONValue
import Logging
import WorkflowModel

/// Fires the schedules of workflows and enrols their contacts.
///
/// A tick is recorded in the transaction that moves the schedule on to the next one, and a workflow has each tick once, so
/// however many daemons look at one database, each fires once. Enrolment goes through the contacts in the order of their
/// ids, in small transactions that keep the place: after a stop it goes on there, and nobody has to wait long for the
/// writer. Each contact is looked at once, when its turn comes.
package struct Scheduler: Sendable {
    package let context: EngineContext

    /// A tick that is fired so many seconds late is still in time: the loop looks every 30 s for what other processes saved.
    package static let grace: Int64 = 60
    /// Ticks that are counted as missed at once, at most.
    static let missedLimit = 10_000
    /// Contacts looked at, and executions started, in one transaction at most.
    package static let lookLimit = 200
    package static let startLimit = 50
    /// Closed ticks kept for each workflow.
    static let keptTicks = 1000
    /// The longest sleep, in seconds, so that a jump of the wall clock is noticed.
    private static let longestSleep: Int64 = 30
    /// How often a queued tick asks whether the earlier run has ended, in seconds.
    private static let queuedSleep: Int64 = 5

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled. A failing database is tried again; nothing is lost, because ticks and places are stored.
    package func run() async {
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.longestSleep)
            do {
                while try await pass(), !Task.isCancelled {}
                let (next, hasOpen) = try await context.store.write { store in
                    (try store.nextSchedule(), try store.hasOpenTicks())
                }
                if let next { wakeAt = min(wakeAt, next) }
                if hasOpen { wakeAt = min(wakeAt, context.clock.now().adding(seconds: Self.queuedSleep)) }
            } catch {
                context.logger.error("schedules wait for the database", metadata: ["error": "\(error)"])
                wakeAt = context.clock.now().adding(seconds: 1)
            }
            await context.signals.schedule.wait(until: wakeAt, clock: context.clock)
        }
    }

    /// Fires what is due and enrols one batch of every open tick.
    /// - Returns: whether there is more to do at once.
    package func pass() async throws -> Bool {
        let fired = try await fireDue()
        var enrolled = false
        for tick in try await context.store.write({ try $0.openTicks(limit: 100) }) where try await enrol(tick) {
            enrolled = true
        }
        return fired || enrolled
    }

    // MARK: Ticks

    /// - Returns: whether anything was due.
    private func fireDue() async throws -> Bool {
        let now = context.clock.now()
        let due = try await context.store.write { try $0.schedules(dueAt: now, limit: 100) }
        for entry in due { try await context.transact { try Self.fire(entry, in: $0) } }
        return !due.isEmpty
    }

    private static func fire(_ seen: ScheduleEntry, in transaction: EngineTransaction) throws {
        // Another daemon may have been faster, or the workflow was saved meanwhile.
        guard let entry = try transaction.store.schedule(of: seen.workflowID), entry == seen else { return }
        guard let target = Target(entry.workflowID, in: transaction) else {
            return try transaction.store.planSchedule(of: entry.workflowID, next: nil)
        }
        guard entry.isPlanned else {
            return try plan(target, after: entry.dueAt, in: transaction)
        }
        let passed = target.ticks(from: entry.dueAt, until: transaction.now)
        try plan(target, after: max(passed.last, entry.dueAt), in: transaction)
        try record(passed, of: target, in: transaction)
    }

    private static func plan(_ target: Target, after time: Timestamp, in transaction: EngineTransaction) throws {
        let next = target.next(after: time)
        if next == nil {
            transaction.context.logger.warning(
                "schedule has no next time",
                metadata: ["workflow": "\(target.workflow.slug)", "timezone": "\(target.zone)"])
        }
        try transaction.store.planSchedule(of: target.workflow.id, next: next)
    }

    /// Records the last of the ticks that have passed; the others are counted.
    private static func record(_ passed: PassedTicks, of target: Target, in transaction: EngineTransaction) throws {
        let store = transaction.store
        let isInTime = transaction.now <= passed.last.adding(seconds: grace)
        let missed = isInTime ? passed.count - 1 : passed.count
        if missed > 0 {
            try store.count("schedule_ticks_missed", by: missed)
            transaction.context.logger.warning(
                "schedule missed ticks",
                metadata: ["workflow": "\(target.workflow.slug)", "count": "\(missed)", "last": "\(passed.last)"])
        }
        let status = isInTime || target.schedule.catchUp == .once ? try admit(target, in: store) : .missed
        var tick = ScheduleTick(
            workflowID: target.workflow.id, at: passed.last, status: status, firedAt: transaction.now, missed: missed)
        switch status {
        case .enrolling:
            tick.lastContact = try store.lastContact(of: target.workflow.projectID)
            try store.count("schedule_ticks_fired", by: 1)
        case .skipped:
            try store.count("schedule_ticks_skipped", by: 1)
            tick.completedAt = transaction.now
        default:
            if !status.isOpen { tick.completedAt = transaction.now }
        }
        // A tick that is there already was fired before the schedule was changed and changed back, or before the clock
        // was set back.
        guard try store.insert(tick) else { return }
        try store.pruneTicks(of: target.workflow.id, keeping: keptTicks)
    }

    /// What becomes of a tick now, by the rule on overlap.
    private static func admit(_ target: Target, in store: any StoreTransaction) throws -> ScheduleTick.Status {
        guard target.schedule.overlap != .parallel else { return .enrolling }
        let open = try store.openTicks(of: target.workflow.id)
        guard try !open.isEmpty || store.hasActiveExecution(of: target.workflow.id) else { return .enrolling }
        guard target.schedule.overlap == .queue, !open.contains(where: { $0.status == .queued }) else {
            return .skipped
        }
        return .queued
    }

    // MARK: Enrolment

    /// - Returns: whether the tick has come on.
    private func enrol(_ tick: ScheduleTick) async throws -> Bool {
        do {
            return try await context.transact { try Self.enrolBatch(of: tick, lookLimit: Self.lookLimit, in: $0) }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            // One contact cannot be enrolled. Each on its own, so that it does not hold up the others.
            return try await enrolAlone(tick)
        }
    }

    private func enrolAlone(_ tick: ScheduleTick) async throws -> Bool {
        for _ in 0..<Self.lookLimit {
            do {
                guard try await context.transact({ try Self.enrolBatch(of: tick, lookLimit: 1, in: $0) }) else { break }
            } catch let error as StoreError where !error.isRowsFault {
                throw error
            } catch {
                try await context.transact { try Self.passOver(tick, error, in: $0) }
            }
        }
        return true
    }

    private static func passOver(
        _ seen: ScheduleTick, _ error: any Error, in transaction: EngineTransaction
    ) throws {
        guard var tick = try openTick(seen, in: transaction), let last = tick.lastContact,
            let target = Target(tick.workflowID, in: transaction),
            let id = try target.candidates(after: tick.cursor, through: last, limit: 1, in: transaction).first
        else { return }
        transaction.context.logger.error(
            "contact was not enrolled",
            metadata: ["workflow": "\(target.workflow.slug)", "contact": "\(id)", "error": "\(error)"])
        tick.cursor = id
        tick.failed += 1
        try transaction.store.update(tick)
    }

    private static func openTick(_ seen: ScheduleTick, in transaction: EngineTransaction) throws -> ScheduleTick? {
        let tick = try transaction.store.tick(of: seen.workflowID, at: seen.at)
        return tick.flatMap { $0.status.isOpen ? $0 : nil }
    }

    /// Looks at the next contacts of a tick and enrols those that it concerns.
    /// - Returns: whether there was anything to do.
    private static func enrolBatch(
        of seen: ScheduleTick, lookLimit: Int, in transaction: EngineTransaction
    ) throws -> Bool {
        let store = transaction.store
        guard var tick = try openTick(seen, in: transaction) else { return false }
        guard let target = Target(tick.workflowID, in: transaction) else {
            try close(tick, as: .stopped, in: transaction)
            return false
        }
        if tick.status == .queued {
            guard try isAlone(tick, in: store) else { return false }
            tick.status = .enrolling
            tick.lastContact = try store.lastContact(of: target.workflow.projectID)
            try store.count("schedule_ticks_fired", by: 1)
        }
        guard let last = tick.lastContact else {
            try close(tick, as: .done, in: transaction)
            return false
        }
        let contacts = try target.candidates(after: tick.cursor, through: last, limit: lookLimit, in: transaction)
        var isFull = false
        for id in contacts {
            tick.cursor = id
            try target.enrol(id, at: &tick, in: transaction)
            isFull = tick.enrolled - seen.enrolled >= startLimit
            if isFull { break }
        }
        if contacts.count < lookLimit, !isFull {
            try close(tick, as: .done, in: transaction)
            return false
        }
        try store.update(tick)
        return true
    }

    /// Whether the run that a queued tick waits for has ended.
    private static func isAlone(_ tick: ScheduleTick, in store: any StoreTransaction) throws -> Bool {
        try !store.openTicks(of: tick.workflowID).contains { $0.status == .enrolling }
            && !store.hasActiveExecution(of: tick.workflowID)
    }

    private static func close(
        _ tick: ScheduleTick, as status: ScheduleTick.Status, in transaction: EngineTransaction
    ) throws {
        var tick = tick
        tick.status = status
        tick.completedAt = transaction.now
        try transaction.store.update(tick)
    }
}

/// Ticks between two moments.
private struct PassedTicks {
    var last: Timestamp
    var count: Int
}

/// An enabled workflow with its schedule.
private struct Target {
    let workflow: WorkflowRecord
    let schedule: ScheduleTrigger
    let zone: String
    private let rules: any TimeZoneRules

    /// Nil when the workflow is gone, switched off, or has another trigger now.
    init?(_ id: Identifier, in transaction: EngineTransaction) {
        guard let workflow = transaction.catalog.workflow(id), workflow.isEnabled,
            case .schedule(let schedule) = workflow.trigger
        else { return nil }
        self.workflow = workflow
        self.schedule = schedule
        zone = schedule.timezone ?? transaction.catalog.timezone(of: workflow.projectID)
        rules = transaction.context.zones
    }

    func next(after time: Timestamp) -> Timestamp? { schedule.cron.next(after: time, zone: zone, rules: rules) }

    /// The ticks from `first`, which is one, to `end`. Beyond a bound they are not counted, and only the last is found.
    func ticks(from first: Timestamp, until end: Timestamp) -> PassedTicks {
        var passed = PassedTicks(last: first, count: 1)
        while passed.count < Scheduler.missedLimit {
            guard let next = next(after: passed.last), next <= end else { return passed }
            passed.last = next
            passed.count += 1
        }
        passed.last = max(passed.last, last(until: end) ?? passed.last)
        return passed
    }

    /// The last tick that is not after `end`, by looking back further and further.
    private func last(until end: Timestamp) -> Timestamp? {
        for span in [3600, 86_400, 32 * 86_400, 366 * 86_400] as [Int64] {
            guard var found = next(after: end.adding(seconds: -span)), found <= end else { continue }
            while let next = next(after: found), next <= end { found = next }
            return found
        }
        return nil
    }

    /// Contacts that the schedule may concern, in the order of their ids: of a segment, its members alone are gone
    /// through.
    func candidates(
        after cursor: Identifier?, through last: Identifier, limit: Int, in transaction: EngineTransaction
    ) throws -> [Identifier] {
        guard case .segment(let reference) = schedule.audience else {
            return try transaction.store.contacts(of: workflow.projectID, after: cursor, through: last, limit: limit)
        }
        guard let segment = transaction.catalog.segment(reference, in: workflow.projectID) else { return [] }
        return try transaction.store.members(of: segment.id, after: cursor, through: last, limit: limit)
    }

    /// Starts an execution if the tick concerns the contact, and counts what became of it.
    func enrol(_ id: Identifier, at tick: inout ScheduleTick, in transaction: EngineTransaction) throws {
        guard let contact = try transaction.store.contact(id), contact.isSubscribed, contact.createdAt <= tick.at,
            try isInAudience(contact, in: transaction)
        else { return }
        // Each contact is a cause of its own for the bound on what one cause may bring about.
        transaction.beginCause()
        let recorder = EventRecorder(transaction: transaction, projectID: workflow.projectID)
        let execution = try recorder.start(
            workflow, contact: id, trigger: nil, context: ["schedule": ["at": .string("\(tick.at)")]])
        if execution == nil { tick.refused += 1 } else { tick.enrolled += 1 }
    }

    private func isInAudience(_ contact: Contact, in transaction: EngineTransaction) throws -> Bool {
        switch schedule.audience {
        case .all: return true
        case .filter(let filter):
            let environment = TransactionEnvironment(transaction: transaction, projectID: workflow.projectID)
            let holds = filter.isSatisfied(
                in: environment.contactScope(contact, now: transaction.now))
            if let failure = transaction.failure { throw failure }
            return holds
        // Only members are gone through.
        case .segment: return true
        }
    }
}
