import CSQLite
import Engine
import Foundation
import GRDB
import Synchronization

/// The store in one SQLite file: write-ahead log, `synchronous=FULL`, one writer with group commit, readers beside it.
package final class SQLiteStore: Store {
    private let pool: DatabasePool
    private let writer: GroupCommit
    private let checkpointer: Checkpointer
    private let lock: DatabaseLock?
    private let isClosed = Mutex(false)

    /// Opens the database, makes it when it is not there, and brings its schema up to date.
    ///
    /// - Parameters:
    ///   - exclusively: take the daemon's lock, so that a second daemon on the same file is refused. Commands that
    ///     work beside a running daemon do not take it.
    ///   - patience: how long a commit waits, at most, for others that are about to come (`submit`).
    ///   - onMigration: called again and again while the schema is brought up to date, with the number it comes from: 0 for a
    ///     database that is being made.
    /// - Throws: `StoreError` with one sentence that names the file and the mend.
    package init(
        path: String, exclusively: Bool, patience: Duration = .milliseconds(4),
        onMigration: @escaping (_ schema: Int) -> Void = { _ in }
    ) throws {
        Self.countNoMemory
        do {
            // One name for one file, so that a symbolic link is no way around the lock.
            let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let lock = exclusively ? try DatabaseLock(path: path + ".lock") : nil
            self.lock = lock
            try DatabaseFile.protect(path)
            pool = try DatabasePool(path: path, configuration: Self.configuration)
            // GRDB sets NORMAL when it opens the pool; only the writer's setting matters.
            try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                try Migrations.migrate(database, path: path, isLocked: lock != nil, progress: onMigration)
                if let connection = database.sqliteConnection { GatheredLog.gather(on: connection) }
            }
            checkpointer = Checkpointer(
                connection: try DatabaseQueue(path: path, configuration: Self.checkpointConfiguration))
            writer = GroupCommit(pool: pool, checkpointer: checkpointer, patience: patience)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(opening: path, error)
        }
    }

    /// A store that was let go without `close` leaves no thread and no connection behind.
    deinit { checkpointer.stop() }

    /// SQLite counts what it allocates for the whole process, under one lock, and nobody asks it for the sum: a thirtieth of the
    /// writer's time (sqlite.org/c3ref/c_config_covering_index_scan.html, SQLITE_CONFIG_MEMSTATUS). Only before its first use;
    /// later it is refused, and everything goes on as it was.
    private static let countNoMemory: Void = { _ = postrider_sqlite3_config_int(SQLITE_CONFIG_MEMSTATUS, 0) }()

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { database in
            // The writer alone comes back to the same pages again and again. What a long campaign goes through fills every cache,
            // and more than this made it no faster.
            let cache = database.configuration.readonly ? 512 : 6144
            try database.execute(sql: "PRAGMA cache_size = -\(cache)")
            // The checkpointer does it.
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            // After a burst the log gives its space back.
            try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
            if let connection = database.sqliteConnection { SQLFunctions.register(on: connection) }
            // Rows that are deleted or changed leave nothing behind in their page; it is written anyway.
            try database.execute(sql: "PRAGMA secure_delete = FAST")
        }
        return configuration
    }

    private static var checkpointConfiguration: Configuration {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            // What it copies must be on the disk before the log is written over.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        }
        return configuration
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        // Unchecked, because every request waits here, and a job is finished once: after its transaction or by a closed inbox.
        try await withUnsafeThrowingContinuation { continuation in
            submit(body) { continuation.resume(with: $0) }
        }
    }

    package func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        writer.submit(TypedWriteJob(body, completion: completion), others: others)
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreReader) throws -> Value
    ) async throws -> Value {
        do {
            return try await pool.read { try body(SQLSession($0)) }
        } catch let error as DatabaseError {
            throw StoreError(database: error)
        }
    }

    /// Write transactions so far; with the number of writes it says how many share one.
    package var commitCount: Int { writer.commitCount }

    /// Writes the log back into the database file and lets it go. Nothing may be under way.
    /// A second call does nothing.
    package func close() throws {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        checkpointer.close()
        // A command beside the daemon leaves the log to it. And a reader that keeps the log busy is no failure: the next
        // start goes on with it.
        if lock != nil { try? pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }
        writer.close()
        try pool.close()
    }
}

extension StoreError {
    /// From what SQLite says during work.
    init(database error: any Error) {
        if let error = error as? StoreError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(.failed, "database: \(error)")
            return
        }
        let code: Code =
            switch error.resultCode {
            case .SQLITE_FULL: .full
            case .SQLITE_BUSY, .SQLITE_LOCKED: .inUse
            case .SQLITE_CONSTRAINT: .conflict
            case .SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
                .unusable
            default: .failed
            }
        // Without the statement's arguments: those are mail.
        self.init(code, "database: \(error.message ?? "\(error.resultCode)")")
    }

    /// From what happens when the file is opened.
    init(opening path: String, _ error: any Error) {
        let code = (error as? DatabaseError)?.resultCode
        switch code {
        case .SQLITE_CANTOPEN?:
            self.init(
                .unusable, "cannot open the database \(path): its directory must exist and be writable for this user")
        case .SQLITE_NOTADB?, .SQLITE_CORRUPT?:
            self.init(
                .unusable,
                "\(path) is damaged or no SQLite database: restore it from a backup, or move it away to begin anew")
        case .SQLITE_READONLY?, .SQLITE_PERM?, .SQLITE_AUTH?:
            self.init(.unusable, "the database \(path) is not writable for this user: change its owner or its mode")
        case .SQLITE_FULL?:
            self.init(.full, "there is no space left for the database \(path)")
        case .SQLITE_BUSY?:
            self.init(.inUse, "another process keeps the database \(path) locked")
        default:
            self.init(.failed, "cannot open the database \(path): \(error)")
        }
    }
}
