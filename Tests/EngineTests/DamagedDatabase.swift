import Foundation
import GRDBSQLite

/// A second connection that changes rows behind the store's back.
struct DamagedDatabase {
    private let path: String

    init(_ path: String) { self.path = path }

    struct Failure: Error {
        var text: String
    }

    func spoil(_ sql: String) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open(path, &connection) == SQLITE_OK, sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK
        else {
            throw Failure(text: String(cString: sqlite3_errmsg(connection)))
        }
    }
}
