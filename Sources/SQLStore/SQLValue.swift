import GRDBSQLite
import JSONValue
import WorkflowModel

/// What a parameter of a statement can be.
protocol SQLBindable {
    /// - Returns: SQLite's result code.
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32
}

/// A Swift value that a column can hold.
protocol SQLValue: SQLBindable {
    /// From a column of the current row.
    init(column: Int32, of statement: OpaquePointer)
}

/// `SQLITE_TRANSIENT`: SQLite makes a copy before the call returns. The header's macro is a cast that Swift cannot import.
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

extension Int64: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 { sqlite3_bind_int64(statement, index, self) }

    init(column: Int32, of statement: OpaquePointer) { self = sqlite3_column_int64(statement, column) }
}

extension Int: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 { Int64(self).bind(to: statement, at: index) }

    init(column: Int32, of statement: OpaquePointer) {
        self = Int(truncatingIfNeeded: sqlite3_column_int64(statement, column))
    }
}

/// Stored as 0 or 1.
extension Bool: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, self ? 1 : 0)
    }

    init(column: Int32, of statement: OpaquePointer) { self = sqlite3_column_int64(statement, column) != 0 }
}

extension String: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        var text = self
        return text.withUTF8 { bytes in
            // An empty buffer may have no address, and a null pointer would bind null.
            guard let start = bytes.baseAddress else { return sqlite3_bind_text(statement, index, "", 0, transient) }
            return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                sqlite3_bind_text(statement, index, $0, Int32(clamping: bytes.count), transient)
            }
        }
    }

    init(column: Int32, of statement: OpaquePointer) {
        // The text first, then its length: the other order could count another encoding's bytes
        // (sqlite.org/c3ref/column_blob.html).
        guard let start = sqlite3_column_text(statement, column) else {
            self = ""
            return
        }
        let count = Int(sqlite3_column_bytes(statement, column))
        self.init(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// The JSON text of an object, without a string in between.
struct JSONText: SQLBindable {
    private let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        JSONWriter.bytes(.object(object)).withUnsafeBytes {
            sqlite3_bind_text(
                statement, index, $0.assumingMemoryBound(to: CChar.self).baseAddress, Int32(clamping: $0.count),
                transient)
        }
    }
}

extension [UInt8]: SQLValue, SQLBindable {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return sqlite3_bind_zeroblob(statement, index, 0) }
            return sqlite3_bind_blob(statement, index, start, Int32(clamping: bytes.count), transient)
        }
    }

    init(column: Int32, of statement: OpaquePointer) {
        let start = sqlite3_column_blob(statement, column)
        self.init(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }
}

/// Ids are stored as their sixteen bytes.
extension Identifier: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        var words = (high.bigEndian, low.bigEndian)
        return withUnsafeBytes(of: &words) {
            sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), transient)
        }
    }

    /// All zeroes, which is no id of ours, for a column of another length.
    init(column: Int32, of statement: OpaquePointer) {
        guard let start = sqlite3_column_blob(statement, column), sqlite3_column_bytes(statement, column) == 16 else {
            self.init(high: 0, low: 0)
            return
        }
        self.init(
            high: UInt64(bigEndian: start.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

/// Times are stored as microseconds UTC.
extension Timestamp: SQLValue {
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 { microseconds.bind(to: statement, at: index) }

    init(column: Int32, of statement: OpaquePointer) {
        self.init(microseconds: sqlite3_column_int64(statement, column))
    }
}
