import Engine
import GRDB
import Synchronization

/// The one writer. Jobs that arrive while a commit is on its way to the disk share the next one; each job runs in a
/// savepoint of its own, so that its error undoes its own work alone. Completions are called after the commit.
final class GroupCommit: Sendable {
    /// Jobs in one transaction, at most: it bounds how long the first of them waits.
    private static let batchLimit = 256

    private struct State {
        var jobs: [any WriteJob] = []
        var isDraining = false
        var commits = 0
    }

    private let pool: DatabasePool
    // Not Sendable: only the writer's queue touches it, and `close`, when nothing is under way.
    private nonisolated(unsafe) let statements = PreparedStatements()
    private let state = Mutex(State())

    init(pool: DatabasePool) { self.pool = pool }

    deinit { close() }

    /// Lets go of the connection. Nothing may be under way.
    func close() { statements.removeAll() }

    /// Transactions committed so far.
    var commitCount: Int { state.withLock { $0.commits } }

    /// Returns at once.
    func submit(_ job: any WriteJob) {
        let mustStart = state.withLock { state in
            state.jobs.append(job)
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if mustStart { schedule() }
    }

    private func schedule() {
        pool.asyncWriteWithoutTransaction { database in
            let batch = self.state.withLock { state in
                let batch = Array(state.jobs.prefix(Self.batchLimit))
                state.jobs.removeFirst(batch.count)
                return batch
            }
            self.run(batch, database)
            let hasMore = self.state.withLock { state in
                state.commits += 1
                state.isDraining = !state.jobs.isEmpty
                return state.isDraining
            }
            if hasMore { self.schedule() }
        }
    }

    private func run(_ batch: [any WriteJob], _ database: Database) {
        var failure: (any Error)?
        do {
            let session = SQLSession(database, statements: statements)
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
            try session.run("COMMIT")
        } catch {
            failure = StoreError(database: error)
            // SQLite has rolled back by itself after some errors; the attempt does no harm then.
            try? database.execute(sql: "ROLLBACK")
        }
        for job in batch { job.finish(failure) }
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
