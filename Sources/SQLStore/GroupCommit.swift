import Engine
import Foundation
import GRDB
import GRDBSQLite
import Glibc

/// The one writer. Jobs that arrive while a commit is on its way to the disk share the next one; each job runs in a
/// savepoint of its own, so that its error undoes its own work alone. Completions are called after the commit.
///
/// It has a thread of its own, because handing a job over is half of what a short transaction costs: a queue of Dispatch
/// wakes, parks and counts threads for each. Nobody writes on the caller's thread, though that would save the hand-over: who
/// waits must be able to give up at a deadline while the disk hangs.
final class GroupCommit: Sendable {
    /// Jobs in one transaction, at most: it bounds how long the first of them waits.
    private static let batchLimit = 256

    private let inbox: JobInbox

    /// - Parameter patience: how long a transaction waits for jobs that were announced, at most.
    init(pool: DatabasePool, checkpointer: Checkpointer, patience: Duration) {
        let inbox = JobInbox(limit: Self.batchLimit, patience: patience)
        self.inbox = inbox
        let thread = Thread {
            let writer = Writer(pool: pool, checkpointer: checkpointer)
            while let batch = inbox.next() {
                writer.run(batch)
                inbox.countCommit()
            }
            writer.close()
            inbox.ended()
        }
        thread.name = "database writer"
        thread.start()
    }

    deinit { inbox.close() }

    /// Lets go of the connection when what was submitted is done; later jobs fail.
    func close() {
        inbox.close()
        inbox.waitForEnd()
    }

    /// Transactions committed so far.
    var commitCount: Int { inbox.commits }

    /// Returns at once.
    /// - Parameter others: jobs that will probably come within milliseconds; nil for one that goes along with those that wait.
    func submit(_ job: any WriteJob, others: Int?) {
        if !inbox.add(job, others: others) { job.finish(StoreError(.failed, "the database is closed")) }
    }
}

/// Jobs on their way to the writer. `@unchecked`: everything is read and written with the mutex held.
private final class JobInbox: @unchecked Sendable {
    /// So many more must be on their way that it pays to wait for them: with fewer, the one who waits has more of the wait than
    /// the others of the commit they share.
    private static let company = 4

    private let limit: Int
    private let patience: Duration
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [any WriteJob] = []
    /// How many jobs the next transaction waits for, and until when; nil when it does not.
    private var gathering: (goal: Int, until: timespec)?
    /// Whether a job is there that waits for nobody.
    private var isHurried = false
    private var isClosed = false
    private var isEnded = false
    private var commitCount = 0

    /// - Parameters:
    ///   - limit: jobs in one transaction, at most.
    ///   - patience: how long the first of a transaction waits for the others, at most.
    init(limit: Int, patience: Duration) {
        self.limit = limit
        self.patience = patience
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A wait must not move with the wall clock. Dispatch's semaphores and Foundation's conditions do.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(change, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(change)
        pthread_mutex_destroy(mutex)
        change.deallocate()
        mutex.deallocate()
    }

    var commits: Int { locked { commitCount } }

    /// - Parameter others: jobs that will probably come within milliseconds; nil for one that goes along with those that wait.
    /// - Returns: false when the inbox is closed.
    func add(_ job: any WriteJob, others: Int?) -> Bool {
        let (isAdded, hasWaiter) = locked {
            guard !isClosed else { return (false, false) }
            jobs.append(job)
            let wasGathering = gathering != nil
            switch others {
            case nil: gathering?.goal += 1
            case 0?:
                isHurried = true
                gathering = nil
            case let others?:
                if gathering == nil, !isHurried, others >= Self.company {
                    gathering = (jobs.count + others, deadline())
                }
            }
            // Somebody waits when there was nothing to do, or for the last of those that share the next transaction.
            return (true, jobs.count == 1 || (wasGathering && isComplete))
        }
        // With the mutex given back: the writer would wake only to wait for it.
        if hasWaiter { pthread_cond_signal(change) }
        return isAdded
    }

    /// Waits for jobs, and where some of those that are there say that more will come, for a moment for these.
    /// - Returns: nil when the inbox is closed and empty.
    func next() -> [any WriteJob]? {
        locked {
            while jobs.isEmpty, !isClosed { pthread_cond_wait(change, mutex) }
            while !isClosed, !isComplete, var until = gathering?.until {
                if pthread_cond_timedwait(change, mutex, &until) != 0 { break }
            }
            guard !jobs.isEmpty else { return nil }
            let batch = Array(jobs.prefix(limit))
            jobs.removeFirst(batch.count)
            gathering = nil
            // What is left has waited for one transaction.
            isHurried = !jobs.isEmpty
            return batch
        }
    }

    /// Whether there is nobody to wait for. Only with the mutex held.
    private var isComplete: Bool { gathering.map { jobs.count >= min($0.goal, limit) } ?? true }

    private func deadline() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = Int64(time.tv_nsec) + patience.components.attoseconds / 1_000_000_000
        time.tv_sec += Int(patience.components.seconds + nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return time
    }

    func countCommit() { locked { commitCount += 1 } }

    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(change)
        }
    }

    func ended() {
        locked {
            isEnded = true
            pthread_cond_broadcast(change)
        }
    }

    func waitForEnd() { locked { while !isEnded { pthread_cond_wait(change, mutex) } } }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}

/// The connection's side of the writer: lives on its thread.
private final class Writer {
    private let pool: DatabasePool
    private let checkpointer: Checkpointer
    private let statements = PreparedStatements()
    private let log = LogLength()
    /// As SQLite begins.
    private var mayLogEarly = true

    init(pool: DatabasePool, checkpointer: Checkpointer) {
        self.pool = pool
        self.checkpointer = checkpointer
        pool.writeWithoutTransaction { log.watch($0) }
    }

    func close() {
        pool.writeWithoutTransaction { database in
            statements.removeAll()
            log.leave(database)
        }
    }

    func run(_ batch: [any WriteJob]) {
        pool.writeWithoutTransaction { database in
            run(batch, database)
            checkpointer.committed(pages: log.pages, database)
        }
    }

    private func run(_ batch: [any WriteJob], _ database: Database) {
        var failure: (any Error)?
        do {
            let session = SQLSession(database, statements: statements)
            try logEarly(batch.count == 1, database)
            try session.run("BEGIN IMMEDIATE")
            if batch.count == 1, let job = batch.first {
                // Alone, a job needs no savepoint: with its error the whole transaction goes.
                if job.run(session) != nil {
                    try? database.execute(sql: "ROLLBACK")
                    return job.finish(nil)
                }
            } else {
                for job in batch { _ = try session.nested { job.run(session) } }
            }
            try session.flushTally()
            try session.run("COMMIT")
        } catch {
            failure = StoreError(database: error)
            // SQLite has rolled back by itself after some errors; the attempt does no harm then.
            try? database.execute(sql: "ROLLBACK")
        }
        for job in batch { job.finish(failure) }
    }

    /// Lets pages of a transaction that is larger than the cache go into the log before its end, or has them wait.
    ///
    /// A savepoint that is rolled back after pages within it were written into the log twice leaves checksums behind that fit
    /// nothing (SQLite 3.40.1, seen in tests: `walRewriteChecksums` begins at a frame that is gone). Everybody sees what is
    /// committed then, until a crash: from there on it is lost. So this is for transactions without savepoints.
    private func logEarly(_ isAllowed: Bool, _ database: Database) throws {
        guard isAllowed != mayLogEarly, let connection = database.sqliteConnection else { return }
        let code = sqlite3_exec(connection, "PRAGMA cache_spill = \(isAllowed)", nil, nil, nil)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
        mayLogEarly = isAllowed
    }
}

/// A transaction body waiting for its turn.
protocol WriteJob: AnyObject, Sendable {
    /// Runs the body and keeps its result.
    /// - Returns: the body's error.
    func run(_ session: SQLSession) -> (any Error)?

    /// Hands the result on, or the commit's failure in its place.
    func finish(_ failure: (any Error)?)
}

/// `@unchecked`: `result` is written and read on the writer's queue alone.
final class TypedWriteJob<Value: Sendable>: WriteJob, @unchecked Sendable {
    private let body: @Sendable (any StoreTransaction) throws -> Value
    private let completion: @Sendable (Result<Value, any Error>) -> Void
    private var result: Result<Value, any Error>?

    init(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        self.body = body
        self.completion = completion
    }

    func run(_ session: SQLSession) -> (any Error)? {
        do {
            result = .success(try body(session))
            return nil
        } catch {
            let error = error is DatabaseError ? StoreError(database: error) : error
            result = .failure(error)
            return error
        }
    }

    func finish(_ failure: (any Error)?) {
        if let failure {
            completion(.failure(failure))
        } else if let result {
            completion(result)
        }
    }
}
