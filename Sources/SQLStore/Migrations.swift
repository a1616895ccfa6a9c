import Engine
import GRDB

/// The schema as numbered steps, forward only. `PRAGMA user_version` holds the number of the last step done; all missing
/// steps run in one transaction at start.
enum Migrations {
    /// Step n is element n − 1. A step that has landed never changes.
    static let steps: [String] = [
        Migration0001.sql, Migration0002.sql, Migration0003.sql, Migration0004.sql, Migration0005.sql,
        Migration0006.sql, Migration0007.sql, Migration0008.sql, Migration0009.sql, Migration0010.sql,
        Migration0011.sql, Migration0012.sql, Migration0013.sql, Migration0014.sql, Migration0015.sql,
        Migration0016.sql, Migration0017.sql, Migration0018.sql, Migration0019.sql,
    ]

    /// - Throws: `StoreError.newerSchema` for a database that a newer version of the program has written.
    static func migrate(_ database: Database, path: String) throws {
        let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard current <= steps.count else {
            throw StoreError(
                .newerSchema,
                "\(path) has schema \(current), and this version of postrider knows \(steps.count): install the newer version"
            )
        }
        guard current < steps.count else { return }
        try database.inTransaction(.immediate) {
            // Another process may have been faster while we waited for the lock.
            let now = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            for step in steps[min(now, steps.count)...] { try database.execute(sql: step) }
            try database.execute(sql: "PRAGMA user_version = \(steps.count)")
            return .commit
        }
    }
}
