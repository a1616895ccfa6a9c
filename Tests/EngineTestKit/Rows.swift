import GRDBSQLite

/// Another connection, which asks the tables themselves.
package struct Rows {
    private let path: String

    package init(_ path: String) { self.path = path }

    package struct Failure: Error {
        var text: String
    }

    /// The rows as texts; null is empty.
    @discardableResult
    package func run(_ sql: String) throws -> [[String]] {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open(path, &connection) == SQLITE_OK, let connection else {
            throw Failure(text: "cannot open \(path)")
        }
        sqlite3_busy_timeout(connection, 5000)
        var found: [[String]] = []
        for part in sql.split(separator: ";") where !part.allSatisfy(\.isWhitespace) {
            found = try step(String(part), connection)
        }
        return found
    }

    private func step(_ sql: String, _ connection: OpaquePointer) throws -> [[String]] {
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        var code = sqlite3_prepare_v2(connection, sql, -1, &statement, nil)
        var found: [[String]] = []
        while code == SQLITE_OK || code == SQLITE_ROW {
            if code == SQLITE_ROW {
                found.append(
                    (0..<sqlite3_column_count(statement)).map {
                        sqlite3_column_text(statement, $0).map { String(cString: $0) } ?? ""
                    })
            }
            code = sqlite3_step(statement)
        }
        guard code == SQLITE_DONE else { throw Failure(text: String(cString: sqlite3_errmsg(connection))) }
        return found
    }

    package func count(_ sql: String) throws -> Int? { try run(sql).first?.first.flatMap { Int($0) } }
}
