import Engine
import Foundation
import GRDB
import GRDBSQLite

/// The schema as numbered steps, forward only. `PRAGMA user_version` holds the number of the last step done; all missing
/// steps run in one transaction at start.
enum Migrations {
    /// Step n is element n − 1. A step that has landed never changes.
    static let steps =
        [
            Migration0001.sql, Migration0002.sql, Migration0003.sql, Migration0004.sql, Migration0005.sql,
            Migration0006.sql, Migration0007.sql, Migration0008.sql, Migration0009.sql, Migration0010.sql,
            Migration0011.sql, Migration0012.sql, Migration0013.sql, Migration0014.sql, Migration0015.sql,
            Migration0016.sql, Migration0017.sql, Migration0018.sql, Migration0019.sql, Migration0020.sql,
        ].map { Step(sql: $0) } + [
            Step(sql: Migration0021.before, work: Migration0021.pack, last: Migration0021.after),
            Step(sql: Migration0022.sql),
        ]

    struct Step: Sendable {
        var sql: String
        /// What no SQL can say, and what comes after it.
        var work: (@Sendable (Database) throws -> Void)?
        var last: String?

        func run(_ database: Database) throws {
            try database.execute(sql: sql)
            try work?(database)
            if let last { try database.execute(sql: last) }
        }
    }

    /// How long a command waits for another process that is at it, and how long between two looks.
    private static let patience = 2.0
    private static let pause = 0.02
    /// So many steps of SQLite's machine take about a second.
    private static let progressSteps: Int32 = 10_000_000

    /// - Parameters:
    ///   - isLocked: whether this process has the daemon's lock. Who has not takes it meanwhile, because a daemon of an earlier
    ///     version would go on writing as it knows.
    ///   - progress: called again and again while there is work, with the schema that was found.
    /// - Throws: `StoreError.newerSchema` for a database that a newer version of the program has written, `inUse` when
    ///   another process works with one of an earlier version.
    static func migrate(
        _ database: Database, path: String, isLocked: Bool, progress: @escaping (_ schema: Int) -> Void
    ) throws {
        let deadline = ContinuousClock.now + .seconds(patience)
        while true {
            let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            guard current <= steps.count else {
                throw StoreError(
                    .newerSchema,
                    "\(path) has schema \(current), and this version of postrider knows \(steps.count): install the newer version"
                )
            }
            if current == steps.count { return }
            func work() throws { try Self.work(on: database) { progress(current) } }
            if isLocked { return try work() }
            if let lock = try DatabaseLock.unlessTaken(path: path + ".lock") {
                return try withExtendedLifetime(lock) { try work() }
            }
            guard ContinuousClock.now < deadline else {
                throw StoreError(
                    .inUse,
                    "\(path) has schema \(current), this version of postrider needs \(steps.count), and a daemon of an earlier version works with it: restart the daemon first"
                )
            }
            Thread.sleep(forTimeInterval: pause)
        }
    }

    private static func work(on database: Database, _ progress: @escaping () -> Void) throws {
        let observer = ProgressObserver(progress)
        if let connection = database.sqliteConnection {
            sqlite3_progress_handler(
                connection, progressSteps,
                { pointer in
                    if let pointer { Unmanaged<ProgressObserver>.fromOpaque(pointer).takeUnretainedValue().call() }
                    return 0
                }, Unmanaged.passUnretained(observer).toOpaque())
        }
        defer {
            if let connection = database.sqliteConnection { sqlite3_progress_handler(connection, 0, nil, nil) }
        }
        try withExtendedLifetime(observer) {
            try database.inTransaction(.immediate) {
                // Another process may have been faster while we waited for the lock.
                let now = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                for step in steps[min(now, steps.count)...] {
                    progress()
                    try step.run(database)
                }
                try database.execute(sql: "PRAGMA user_version = \(steps.count)")
                return .commit
            }
        }
    }

    private final class ProgressObserver {
        let call: () -> Void

        init(_ call: @escaping () -> Void) { self.call = call }
    }
}
