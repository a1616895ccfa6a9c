import JSONValue
import Logging
import Synchronization
import WorkflowModel

/// Does the work of `ContactJob`s, batch by batch: each batch and the place after it are one transaction, so that a job
/// goes on after any end of the process where it was, and nobody has to wait long for the writer.
///
/// One process works on a job at a time: it holds a lease, which every batch renews. The daemon's own is still good after
/// its restart, because there is one daemon at a time.
package final class ContactJobs: Sendable {
    package let context: EngineContext
    private let owner: String
    private let changeTime: Duration
    private let state = Mutex(State())

    private struct State {
        /// Files under way by job.
        var files: [Identifier: ImportFile] = [:]
        var batch = BatchSize(first: ContactJobs.firstBatch, in: ContactJobs.batchRange)
        /// Jobs that met trouble, and until when they are left alone.
        var setAside: [Identifier: Timestamp] = [:]
    }

    /// Contacts in one transaction; they become more or fewer by how long a batch takes.
    static let firstBatch = 100
    static let batchRange = 10...2000
    /// Seconds after which another process may go on with a job that nobody moves.
    static let lease: Int64 = 10
    /// How often jobs of other processes are looked for, in seconds.
    private static let longestSleep: Int64 = 5
    /// Seconds that a job which met trouble is left alone.
    static let rest: Int64 = 5
    /// Seconds that a file without a job is kept: it may still be on its way.
    private static let strayAge: Int64 = 3600

    /// - Parameters:
    ///   - owner: of the leases; nil is the daemon.
    ///   - changeTime: how long a batch of changes goes on to the next contact.
    package init(
        context: EngineContext, owner: String? = nil, changeTime: Duration = .milliseconds(20)
    ) {
        self.context = context
        self.changeTime = changeTime
        self.owner = owner ?? "daemon"
    }

    /// Runs until cancelled. A failing database is tried again; nothing is lost.
    package func run() async {
        await removeStrayFiles()
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.longestSleep)
            do {
                while try await pass(), !Task.isCancelled { await Task.yield() }
            } catch {
                context.logger.error("contact jobs wait for the database", metadata: ["error": "\(error)"])
                wakeAt = context.clock.now().adding(seconds: 1)
            }
            await context.signals.jobs.wait(until: wakeAt, clock: context.clock)
        }
    }

    /// One batch of every open job that nobody else has. One that meets trouble rests, and the others go on.
    /// - Returns: whether anything was done.
    package func pass() async throws -> Bool {
        let now = context.clock.now()
        let open = try await context.store.write { try $0.openContactJobs(limit: 100) }
        forgetFiles(besides: Set(open.map(\.id)))
        var worked = false
        for job in open where isMine(job, now: now) && !rests(job, now: now) && !Task.isCancelled {
            do {
                if try await work(on: job) { worked = true }
            } catch let error as StoreError {
                setAside(job, error)
            }
        }
        return worked
    }

    private func rests(_ job: ContactJob, now: Timestamp) -> Bool {
        state.withLock { state in state.setAside[job.id].map { now < $0 } ?? false }
    }

    private func setAside(_ job: ContactJob, _ error: StoreError) {
        context.logger.error("contact job waits", metadata: ["job": "\(job.id)", "error": "\(error)"])
        let end = context.clock.now().adding(seconds: Self.rest)
        state.withLock { $0.setAside[job.id] = end }
    }

    /// Works on one job until it has ended.
    /// - Parameter report: called after each batch.
    package func finish(_ id: Identifier, report: @Sendable (ContactJob) -> Void) async throws -> ContactJob {
        while true {
            guard let job = try await context.store.write({ try $0.contactJob(id) }) else {
                throw UseCaseError(.notFound, "the job is gone")
            }
            report(job)
            guard job.status == .running else { return job }
            if isMine(job, now: context.clock.now()) {
                if try await work(on: job) { continue }
                // No daemon may be there to find them.
                if try await context.store.write({ try $0.continueKeeping(History.sizes) }) != .idle { continue }
            }
            try await context.clock.sleep(until: context.clock.now().adding(seconds: 1))
        }
    }

    private func isMine(_ job: ContactJob, now: Timestamp) -> Bool {
        guard let other = job.owner, other != owner, let end = job.leasedUntil else { return true }
        return end <= now
    }

    private func removeStrayFiles() async {
        guard let spool = context.spool else { return }
        for id in spool.files(olderThan: context.clock.now().adding(seconds: -Self.strayAge)) {
            do {
                let job = try await context.store.write { try $0.contactJob(id) }
                if job?.status != .running { spool.remove(id) }
            } catch {
                context.logger.error("a file may be left over", metadata: ["job": "\(id)", "error": "\(error)"])
            }
        }
    }

    private func forgetFiles(besides jobs: Set<Identifier>) {
        state.withLock { state in
            state.files = state.files.filter { jobs.contains($0.key) }
            state.setAside = state.setAside.filter { jobs.contains($0.key) }
        }
    }

    // MARK: Batches

    /// - Returns: false when the job waits for what `History` has yet to find.
    private func work(on job: ContactJob) async throws -> Bool {
        do {
            switch job.kind {
            case .import: try await importBatch(of: job)
            case .subscribe, .unsubscribe, .update, .delete: return try await changeBatch(of: job)
            }
        } catch let error as StoreError where error.code == .damaged {
            // The job's own plan, or its file.
            try await fail(job, error)
        }
        return true
    }

    private func fail(_ job: ContactJob, _ error: StoreError) async throws {
        context.logger.error("contact job failed", metadata: ["job": "\(job.id)", "error": "\(error)"])
        try await context.transact { transaction in
            guard var job = try transaction.store.contactJob(job.id), job.status == .running else { return }
            job.end(.failed, reason: error.description, at: transaction.now)
            try transaction.store.update(job)
        }
        drop(job)
    }

    private func drop(_ job: ContactJob) {
        state.withLock { state in state.files[job.id] = nil }
        if job.kind == .import { context.spool?.remove(job.id) }
    }

    /// Takes part in a transaction if the job is still where it was seen, and nobody else's.
    private func claim(_ seen: ContactJob, in transaction: EngineTransaction) throws -> ContactJob? {
        guard var job = try transaction.store.contactJob(seen.id), job.status == .running,
            job.position == seen.position, job.cursor == seen.cursor, isMine(job, now: transaction.now)
        else { return nil }
        job.owner = owner
        job.leasedUntil = transaction.now.adding(seconds: Self.lease)
        job.updatedAt = transaction.now
        return job
    }

    private var batchSize: Int { state.withLock { $0.batch.count } }

    /// Makes the next batch as large as fits its time.
    private func adapt(to done: Int, of limit: Int, from start: Timestamp) {
        let taken = context.clock.now().microseconds - start.microseconds
        state.withLock { $0.batch.adapt(to: done, of: limit, taken: taken) }
    }

    private static func rowError(_ error: any Error, row: Int, column: String? = nil) -> ContactJob.RowError {
        if let error = error as? UseCaseError, error.code == .invalid {
            return .init(row: row, column: column, .tooLarge, error.description)
        }
        return .init(row: row, column: column, .stored, "what is stored cannot be read")
    }

    // MARK: Import

    private func importBatch(of job: ContactJob) async throws {
        guard let spool = context.spool else { throw StoreError(.damaged, "there is no place for uploaded files") }
        let plan = try ImportPlan(json: job.plan)
        let kept = state.withLock { $0.files.removeValue(forKey: job.id) }
        var file = kept ?? ImportFile(job, plan: plan, spool: spool)
        if file.position != job.position { file = ImportFile(job, plan: plan, spool: spool) }
        let count = batchSize
        let items = try file.take(count)
        let isLast = items.count < count
        let start = context.clock.now()
        // The next rows are read while these are written.
        let ahead = file
        async let prepared = Self.prepared(ahead, count)
        let moved = try await apply(items[...], of: job, recordsEvents: plan.options.recordsEvents, isLast: isLast)
        adapt(to: items.count, of: count, from: start)
        let next = try await prepared
        guard let moved else { return }
        if moved.status == .running {
            state.withLock { $0.files[job.id] = next }
        } else {
            drop(moved)
        }
    }

    private static func prepared(_ file: ImportFile, _ count: Int) async throws -> ImportFile {
        var file = file
        try file.prepare(count)
        return file
    }

    /// Applies rows in one transaction; when one of them cannot be, each half on its own, down to that row, which is
    /// reported.
    /// - Returns: the job after them; nil when somebody else has moved or ended it.
    private func apply(
        _ items: ArraySlice<ImportFile.Item>, of job: ContactJob, recordsEvents: Bool, isLast: Bool
    ) async throws -> ContactJob? {
        do {
            return try await context.transact {
                try self.apply(items, of: job, recordsEvents: recordsEvents, isLast: isLast, in: $0)
            }
        } catch {
            guard error.isRowsFault, let first = items.first else { throw error }
            guard items.count > 1 else {
                var faulty = first
                // Once more with a reported row can only fail by the database's own fault.
                guard case .entry = first.reading else { throw error }
                faulty.reading = .fault(Self.rowError(error, row: first.row))
                return try await apply([faulty], of: job, recordsEvents: recordsEvents, isLast: isLast)
            }
            let middle = items.startIndex + items.count / 2
            let half = try await apply(items[..<middle], of: job, recordsEvents: recordsEvents, isLast: false)
            guard let half else { return nil }
            return try await apply(items[middle...], of: half, recordsEvents: recordsEvents, isLast: isLast)
        }
    }

    private func apply(
        _ items: ArraySlice<ImportFile.Item>, of seen: ContactJob, recordsEvents: Bool, isLast: Bool,
        in transaction: EngineTransaction
    ) throws -> ContactJob? {
        guard var job = try claim(seen, in: transaction) else { return nil }
        var recorder = EventRecorder(transaction: transaction, projectID: job.projectID)
        recorder.isSilent = !recordsEvents
        var errors: [ContactJob.RowError] = []
        var lost: ImportFile.Item?
        for item in items where lost == nil {
            job.counts.read += 1
            job.position = item.end
            job.row = item.row
            switch item.reading {
            case .fault(let error):
                errors.append(error)
                if item.swallowed > 0 { lost = lost ?? item }
            case .entry(let entry):
                // Each row is a cause of its own for the bound on what one cause may bring about.
                transaction.beginCause()
                switch try recorder.take(entry, importedBy: job.number) {
                case .created: job.counts.created += 1
                case .updated: job.counts.updated += 1
                case .unchanged: job.counts.unchanged += 1
                case .duplicate:
                    errors.append(.init(row: item.row, .duplicate, "the address stands in an earlier row"))
                }
            }
        }
        job.counts.failed += errors.count
        try transaction.store.insert(errors, of: job.number)
        if let lost {
            // What follows cannot be told from what stands in the quotes: nobody is left out in silence.
            job.end(
                .failed,
                reason: """
                    row \(lost.row) has a quote that is not closed, or is followed by text: the \(lost.swallowed) lines after \
                    its first were taken for a part of it, and nothing from it on was applied. Mend the quote and import the \
                    file again
                    """, at: transaction.now)
        } else if isLast {
            job.end(.completed, at: transaction.now)
        }
        try transaction.store.update(job)
        return job
    }

    // MARK: Bulk changes

    private func changeBatch(of job: ContactJob) async throws -> Bool {
        let query = try ContactQuery(json: job.plan)
        let action = try ContactAction(job)
        var count = batchSize
        while true {
            let (limit, start) = (count, context.clock.now())
            do {
                let done = try await context.transact { try self.change(limit, of: job, action, query, in: $0) }
                guard let done else { return false }
                adapt(to: done, of: batchSize, from: start)
                return true
            } catch {
                guard error.isRowsFault else { throw error }
                guard count > 1 else {
                    try await context.transact { try self.passOver(job, error, in: $0) }
                    return true
                }
                count /= 2
            }
        }
    }

    /// Changes the next contacts, at most `limit` and as many as fit the time: who is changed costs many times what one costs
    /// that the query does not mean, and the last batch says nothing of how many of the next it means.
    /// - Returns: how many were looked at; nil when the job waits for what `History` has yet to find.
    private func change(
        _ limit: Int, of seen: ContactJob, _ action: ContactAction, _ query: ContactQuery,
        in transaction: EngineTransaction
    ) throws -> Int? {
        guard !transaction.catalog.isUnfinished(query.filter, in: seen.projectID) else { return nil }
        guard var job = try claim(seen, in: transaction) else { return 0 }
        let deadline = ContinuousClock.now + changeTime
        let store = transaction.store
        let check = SegmentCheck(transaction.catalog, job.projectID)
        if let gone = query.filter?.segments.first(where: { !check.isKnown($0) }) {
            // Nobody is in it any more, and "not in it" would now mean everybody.
            job.end(.failed, reason: "the segment \(gone) is gone", at: transaction.now)
            try store.update(job)
            return 0
        }
        let recorder = EventRecorder(transaction: transaction, projectID: job.projectID)
        let history = WrittenHistory(transaction: transaction, projectID: job.projectID)
        let ids = try job.last.map {
            try store.contacts(of: job.projectID, after: job.cursor, through: $0, limit: limit)
        }
        var looked = 0
        for id in ids ?? [] {
            if looked > 0, ContinuousClock.now >= deadline { break }
            looked += 1
            job.cursor = id
            job.counts.read += 1
            guard let contact = try store.contact(id),
                try query.contains(contact, now: transaction.now, history: history)
            else { continue }
            transaction.beginCause()
            switch try action.apply(to: contact, recorder) {
            case .updated: job.counts.updated += 1
            case .deleted: job.counts.deleted += 1
            case .unchanged, .notFound, .tooLarge: job.counts.unchanged += 1
            }
        }
        let found = ids ?? []
        if looked == found.count, found.count < limit { job.end(.completed, at: transaction.now) }
        try store.update(job)
        return looked
    }

    private func passOver(_ seen: ContactJob, _ fault: any Error, in transaction: EngineTransaction) throws {
        guard var job = try claim(seen, in: transaction), let last = job.last,
            let id = try transaction.store.contacts(of: job.projectID, after: job.cursor, through: last, limit: 1).first
        else { return }
        job.cursor = id
        job.counts.read += 1
        job.counts.failed += 1
        try transaction.store.insert(
            [Self.rowError(fault, row: job.counts.read, column: "\(id)")], of: job.number)
        try transaction.store.update(job)
    }
}

extension ContactAction {
    /// - Throws: `StoreError.damaged`.
    fileprivate init(_ job: ContactJob) throws {
        switch job.kind {
        case .subscribe: self = .subscribe
        case .unsubscribe: self = .unsubscribe
        case .delete: self = .delete
        case .update: self = .update(job.plan["data"]?.objectValue ?? [:])
        case .import: throw StoreError(.damaged, "an import is no bulk change")
        }
    }
}
