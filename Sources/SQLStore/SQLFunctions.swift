import Engine
import GRDB
import GRDBSQLite
import JSONValue
import WorkflowModel

/// SQL functions of ours (sqlite.org/appfunc.html). Every connection has them.
enum SQLFunctions {
    static func register(on connection: SQLiteConnection) {
        registerCondition(on: connection)
        registerAddress(on: connection)
    }

    /// `normal_address(text)`: the form under which an address is one contact and one suppression.
    private static func registerAddress(on connection: SQLiteConnection) {
        sqlite3_create_function_v2(
            connection, "normal_address", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil,
            { context, _, arguments in
                guard let text = arguments?[0].flatMap({ sqlite3_value_text($0) }) else {
                    return sqlite3_result_null(context)
                }
                // SQLITE_TRANSIENT: SQLite makes a copy.
                let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                sqlite3_result_text(context, AddressText.normal(String(cString: text)), -1, transient)
            }, nil, nil, nil)
    }

    /// `condition_holds(condition, column)`: whether the condition is satisfied by what the column of a contact holds. A
    /// column that cannot be read satisfies none.
    private static func registerCondition(on connection: SQLiteConnection) {
        sqlite3_create_function_v2(
            connection, "condition_holds", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil,
            { context, _, arguments in
                guard let arguments, let pointer = sqlite3_value_pointer(arguments[0], BoundCondition.tag),
                    let column = arguments[1]
                else { return sqlite3_result_int(context, 0) }
                let bound = Unmanaged<BoundCondition>.fromOpaque(pointer).takeUnretainedValue()
                sqlite3_result_int(context, bound.holds(for: column) ? 1 : 0)
            }, nil, nil, nil)
    }
}

/// A condition on its way into a statement, as a pointer that SQL can only hand on (sqlite.org/bindptr.html).
final class BoundCondition {
    private let condition: Condition
    private let now: Timestamp

    init(_ condition: Condition, now: Timestamp) {
        self.condition = condition
        self.now = now
    }

    private static let name: StaticString = "condition"
    /// SQLite compares the text and keeps the pointer, which therefore has to last.
    static var tag: UnsafePointer<CChar> { UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self) }

    /// - Parameter column: a `sqlite3_value`.
    func holds(for column: OpaquePointer) -> Bool {
        guard let actual = try? value(column) else { return false }
        return condition.isSatisfied(by: actual.isNull ? nil : actual, now: now)
    }

    /// Null for a value that is missing.
    private func value(_ column: OpaquePointer) throws -> JSON {
        switch condition.contactPart {
        case .data(let path)?:
            let text = Self.text(column)
            guard let path else { return try JSONParser.parse(text, depthLimit: SQLRow.depthLimit) }
            return try JSON.value(at: path, inText: text, depthLimit: SQLRow.depthLimit) ?? .null
        case .email?: return .string(String(decoding: Self.text(column), as: UTF8.self))
        case .subscription?: return .bool(sqlite3_value_int64(column) != 0)
        case .creation?, .update?:
            return .string("\(Timestamp(microseconds: sqlite3_value_int64(column)))")
        case .id?:
            let bytes = UnsafeRawBufferPointer(
                start: sqlite3_value_blob(column), count: Int(sqlite3_value_bytes(column)))
            return Identifier(bytes: Array(bytes)).map { .string("\($0)") } ?? .null
        case .nowhere?, .whole?, nil: return .null
        }
    }

    /// Valid until the function returns.
    private static func text(_ column: OpaquePointer) -> UnsafeBufferPointer<UInt8> {
        // The text first, then its length (sqlite.org/c3ref/value_blob.html).
        let start = sqlite3_value_text(column)
        return UnsafeBufferPointer(start: start, count: Int(sqlite3_value_bytes(column)))
    }
}

extension BoundCondition: SQLBindable {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        sqlite3_bind_pointer(statement, index, Unmanaged.passRetained(self).toOpaque(), Self.tag) { pointer in
            guard let pointer else { return }
            Unmanaged<BoundCondition>.fromOpaque(pointer).release()
        }
    }
}
