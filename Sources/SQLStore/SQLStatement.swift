import Engine
import GRDB
import GRDBSQLite

/// A prepared statement of SQLite's C interface (sqlite.org/c3ref/stmt.html): binds, steps and reads columns without a
/// detour over boxed values, because the writer spends its time here.
///
/// GRDB prepares the statement, owns it and finalizes it with its connection; the reference to GRDB's object keeps that
/// from happening early.
struct SQLStatement {
    private let owner: Statement
    let handle: OpaquePointer

    init(_ owner: Statement) {
        self.owner = owner
        handle = owner.sqliteStatement
    }

    /// Binds all parameters in order, numbered ones by their number.
    /// - Throws: `DatabaseError` when SQLite refuses a value (too long, or no memory).
    func bind<each Value: SQLValue>(_ values: repeat (each Value)?) throws {
        var index: Int32 = 0
        for value in repeat each values {
            index += 1
            let code = value.map { $0.bind(to: handle, at: index) } ?? sqlite3_bind_null(handle, index)
            guard code == SQLITE_OK else { throw failure(code) }
        }
    }

    /// Binds all parameters in order.
    func bind(_ values: [any SQLBindable]) throws {
        for (position, value) in values.enumerated() {
            let code = value.bind(to: handle, at: Int32(position + 1))
            guard code == SQLITE_OK else { throw failure(code) }
        }
    }

    /// Binds all parameters as told.
    /// - Throws: `DatabaseError` when SQLite refuses a value (too long, or no memory).
    func bind(_ body: (inout SQLParameters) -> Void) throws {
        var parameters = SQLParameters(handle)
        body(&parameters)
        guard parameters.code == SQLITE_OK else { throw failure(parameters.code) }
    }

    /// - Returns: whether there is a row.
    /// - Throws: `DatabaseError`.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code)
        }
    }

    /// Makes it ready for the next use and lets go of what it locks. Its code repeats that of the last step.
    func reset() { sqlite3_reset(handle) }

    private func failure(_ code: Int32) -> DatabaseError {
        let message = sqlite3_db_handle(handle).map { String(cString: sqlite3_errmsg($0)) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
    }
}

/// The parameters of a statement, to be added in their order.
struct SQLParameters {
    private let handle: OpaquePointer
    private var index: Int32 = 0
    /// What SQLite said; of several refusals the last.
    private(set) var code = SQLITE_OK

    fileprivate init(_ handle: OpaquePointer) { self.handle = handle }

    mutating func add(_ value: some SQLBindable) {
        index += 1
        let code = value.bind(to: handle, at: index)
        if code != SQLITE_OK { self.code = code }
    }

    mutating func add(_ value: (some SQLBindable)?) {
        if let value { return add(value) }
        index += 1
        let code = sqlite3_bind_null(handle, index)
        if code != SQLITE_OK { self.code = code }
    }
}

/// The current row of a statement. Valid until the statement steps on.
struct SQLRow {
    private let handle: OpaquePointer

    init(_ statement: SQLStatement) { handle = statement.handle }

    /// A column that is NOT NULL by the schema; SQLite's conversion of null (0, empty) in a database where it is not.
    subscript<Value: SQLValue>(column: Int) -> Value { Value(column: Int32(column), of: handle) }

    /// A column that may be null.
    subscript<Value: SQLValue>(column: Int) -> Value? {
        sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL ? nil : Value(column: Int32(column), of: handle)
    }

    /// The bytes of a column of text, valid within `body`.
    /// - Returns: nil also for null.
    func withText<Value>(_ column: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Value?) -> Value? {
        guard let start = sqlite3_column_text(handle, Int32(column)) else { return nil }
        return body(UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, Int32(column)))))
    }
}
