import Logging
import WorkflowModel

/// Keeps segments where no change of a contact does it: moments at which time changes the answer, and computations of
/// whole segments. Both are stored, so that a stop loses nothing; both go on in small transactions.
package struct Segmenter: Sendable {
    package let context: EngineContext

    /// Timers in one transaction at most.
    static let timerLimit = 50
    /// Contacts looked at in one transaction at most: compared by the database, or one by one.
    static let compareLimit = 2500
    static let lookLimit = 1000
    /// Entries and exits of one transaction that are events, at most.
    static let announceLimit = 50
    /// Rows of deleted segments that go at once.
    static let purgeLimit = 2000
    /// After how many seconds a contact is looked at again that could not be read.
    static let retryPause: Int64 = 3600
    /// The longest sleep, in seconds, so that a jump of the wall clock is noticed, and what other processes saved.
    static let longestSleep: Int64 = 30

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled. A failing database is tried again.
    package func run() async {
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.longestSleep)
            do {
                while try await pass(), !Task.isCancelled {}
                if let next = try await context.store.write({ try $0.nextSegmentTimer() }) {
                    wakeAt = min(wakeAt, next)
                }
            } catch {
                context.logger.error("segments wait for the database", metadata: ["error": "\(error)"])
                wakeAt = context.clock.now().adding(seconds: 1)
            }
            await context.signals.segments.wait(until: wakeAt, clock: context.clock)
        }
    }

    /// One batch of due timers and one of every computation.
    /// - Returns: whether there is more to do at once.
    package func pass() async throws -> Bool {
        let fired = try await fireTimers()
        var computed = false
        for job in try await context.store.write({ try $0.segmentJobs() }) where try await compute(job) {
            computed = true
        }
        let purged = try await context.store.write { try $0.purgeSegments(limit: Self.purgeLimit) }
        return fired || computed || purged
    }

    // MARK: Timers

    private func fireTimers() async throws -> Bool {
        let now = context.clock.now()
        let due = try await context.store.write { try $0.segmentTimers(dueAt: now, limit: Self.timerLimit) }
        guard !due.isEmpty else { return false }
        do {
            try await context.transact { transaction in
                for timer in due { try Self.fire(timer, in: transaction) }
            }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            for timer in due { try await fireAlone(timer) }
        }
        return true
    }

    private func fireAlone(_ timer: SegmentTimer) async throws {
        do {
            try await context.transact { try Self.fire(timer, in: $0) }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            context.logger.error(
                "contact was not looked at",
                metadata: ["segment": "\(timer.segmentID)", "contact": "\(timer.contactID)", "error": "\(error)"])
            let later = context.clock.now().adding(seconds: Self.retryPause)
            try await context.store.write { store in
                // The contact may be gone meanwhile, and its timer with it.
                guard try store.timer(of: timer.contactID, in: timer.segmentID) != nil else { return }
                try store.setTimer(of: timer.contactID, in: timer.segmentID, to: later)
            }
        }
    }

    private static func fire(_ seen: SegmentTimer, in transaction: EngineTransaction) throws {
        // Another daemon may have been faster, or the contact was changed meanwhile.
        guard let due = try transaction.store.timer(of: seen.contactID, in: seen.segmentID), due <= transaction.now
        else { return }
        try transaction.store.setTimer(of: seen.contactID, in: seen.segmentID, to: nil)
        guard let segment = transaction.catalog.segment(seen.segmentID),
            let contact = try transaction.store.contact(seen.contactID)
        else { return }
        transaction.beginCause()
        try SegmentKeeper(transaction: transaction, projectID: segment.projectID)
            .look(at: segment.id, of: contact, cause: .init())
        try SegmentKeeper.announce(in: transaction)
    }

    // MARK: Computing

    private func compute(_ job: SegmentJob) async throws -> Bool {
        do {
            return try await context.transact { try Self.computeBatch(job, isAlone: false, in: $0) }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            return try await computeAlone(job)
        }
    }

    /// One by one, so that a contact that cannot be read does not hold up the others.
    private func computeAlone(_ seen: SegmentJob) async throws -> Bool {
        for _ in 0..<Self.lookLimit {
            do {
                guard try await context.transact({ try Self.computeBatch(seen, isAlone: true, in: $0) }) else {
                    return false
                }
            } catch let error as StoreError where !error.isRowsFault {
                throw error
            } catch {
                try await context.transact { try Self.passOver(seen, error, in: $0) }
            }
        }
        return true
    }

    private static func passOver(
        _ seen: SegmentJob, _ error: any Error, in transaction: EngineTransaction
    ) throws {
        guard var job = try transaction.segmentJobs()[seen.segmentID], let last = job.lastContact,
            let segment = transaction.catalog.segment(job.segmentID),
            let contact = try transaction.store.contacts(
                of: segment.projectID, after: job.cursor, through: last, limit: 1
            ).first
        else { return }
        transaction.context.logger.error(
            "contact was not looked at",
            metadata: ["segment": "\(segment.slug)", "contact": "\(contact)", "error": "\(error)"])
        job.cursor = contact
        try transaction.store.update(job)
    }

    /// - Returns: whether there is more to do.
    private static func computeBatch(
        _ seen: SegmentJob, isAlone: Bool, in transaction: EngineTransaction
    ) throws -> Bool {
        let store = transaction.store
        guard var job = try transaction.segmentJobs()[seen.segmentID] else { return false }
        guard let segment = transaction.catalog.segment(job.segmentID), let filter = segment.filter else {
            try store.finish(job)
            return false
        }
        // Who is woken when all is found: see `History`.
        guard !transaction.catalog.isUnfinished(filter, in: segment.projectID) else { return false }
        let keeper = SegmentKeeper(transaction: transaction, projectID: segment.projectID)
        let cause = SegmentKeeper.Cause(announces: job.announces)
        let isDone: Bool
        if filter.mentionsTime {
            isDone = try look(
                &job, limit: isAlone ? 1 : job.announces ? announceLimit : lookLimit, keeper, segment, cause)
        } else {
            // Segments that ask for this one are looked at with every change.
            let quiet = transaction.catalog.isAskedFor(segment) ? lookLimit : compareLimit
            isDone = try compare(
                &job, filter, limit: isAlone ? 1 : compareLimit, changes: job.announces ? announceLimit : quiet,
                keeper, segment, cause)
        }
        try SegmentKeeper.announce(in: transaction)
        if isDone { try store.finish(job) } else { try store.update(job) }
        return !isDone
    }

    /// Contact by contact, because each has a moment of its own at which time changes the answer.
    private static func look(
        _ job: inout SegmentJob, limit: Int, _ keeper: SegmentKeeper, _ segment: SegmentRecord,
        _ cause: SegmentKeeper.Cause
    ) throws -> Bool {
        guard let last = job.lastContact else { return true }
        let store = keeper.transaction.store
        if limit > 1, !cause.announces {
            // Nobody hears of it, so nothing on the way changes one of them. Who cannot be read is found one by one.
            let contacts = try store.contacts(in: segment.projectID, after: job.cursor, limit: limit)
            for contact in contacts {
                guard contact.id <= last else { return true }
                job.cursor = contact.id
                try keeper.look(at: segment.id, of: contact, cause: cause)
            }
            return contacts.count < limit
        }
        let contacts = try store.contacts(of: segment.projectID, after: job.cursor, through: last, limit: limit)
        for id in contacts {
            job.cursor = id
            guard let contact = try store.contact(id) else { continue }
            keeper.transaction.beginCause()
            try keeper.look(at: segment.id, of: contact, cause: cause)
            try SegmentKeeper.announce(in: keeper.transaction)
        }
        return contacts.count < limit
    }

    private static func compare(
        _ job: inout SegmentJob, _ filter: Filter, limit: Int, changes: Int, _ keeper: SegmentKeeper,
        _ segment: SegmentRecord, _ cause: SegmentKeeper.Cause
    ) throws -> Bool {
        let found = try keeper.transaction.store.deviations(
            of: filter, job, in: segment.projectID, limit: limit, at: keeper.transaction.now)
        for (contact, belongs) in found.changes.prefix(changes) {
            keeper.transaction.beginCause()
            try keeper.set(contact, in: segment, belongs: belongs, cause: cause)
            try SegmentKeeper.announce(in: keeper.transaction)
        }
        if found.changes.count > changes {
            job.cursor = found.changes[changes - 1].contact
            return false
        }
        guard let cursor = found.cursor else { return true }
        job.cursor = cursor
        return cursor == job.lastContact
    }
}
