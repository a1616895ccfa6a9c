import Engine
import GRDBSQLite
import WorkflowModel

/// One row of the index of what happened to contacts, in the order of the index.
struct HistoryEntry: Hashable, Comparable {
    var contact: Identifier
    var kind: HistoryKind
    var ref: HistoryRef

    static func < (left: HistoryEntry, right: HistoryEntry) -> Bool {
        if left.contact != right.contact { return left.contact < right.contact }
        if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
        return left.ref < right.ref
    }
}

/// What it refers to: the rowid of an event, the id of anything else. In the database's order.
enum HistoryRef: Hashable, Comparable, SQLValue {
    case row(Int64)
    case id(Identifier)

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch self {
        case .row(let row): row.bind(to: statement, at: index)
        case .id(let id): id.bind(to: statement, at: index)
        }
    }

    init(column: Int32, of statement: OpaquePointer) {
        self =
            sqlite3_column_type(statement, column) == SQLITE_INTEGER
            ? .row(Int64(column: column, of: statement)) : .id(Identifier(column: column, of: statement))
    }

    /// Beyond every other one of its kind.
    static func last(_ kind: HistoryKind) -> HistoryRef {
        kind == .event ? .row(.max) : .id(Identifier(high: .max, low: .max))
    }
}

/// What a transaction has written of executions and mails, in the form that the journal keeps it.
struct HistoryJournal {
    private(set) var bytes: [UInt8] = []

    private static let entryLength = 33

    mutating func add(_ kind: HistoryKind, _ id: Identifier, contact: Identifier) {
        bytes.append(UInt8(kind.rawValue))
        var words = (contact.high.bigEndian, contact.low.bigEndian, id.high.bigEndian, id.low.bigEndian)
        withUnsafeBytes(of: &words) { bytes.append(contentsOf: $0) }
    }

    /// What is no entry is left out.
    static func entries(_ bytes: [UInt8]) -> [HistoryEntry] {
        bytes.withUnsafeBytes { buffer in
            (0..<buffer.count / entryLength).compactMap { number in
                let start = number * entryLength
                guard let kind = HistoryKind(rawValue: Int(buffer[start])) else { return nil }
                func word(_ position: Int) -> UInt64 {
                    UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: start + 1 + 8 * position, as: UInt64.self))
                }
                return HistoryEntry(
                    contact: Identifier(high: word(0), low: word(1)), kind: kind,
                    ref: .id(Identifier(high: word(2), low: word(3))))
            }
        }
    }
}
