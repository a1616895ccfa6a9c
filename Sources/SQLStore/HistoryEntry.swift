import Engine
import GRDBSQLite
import WorkflowModel

/// One entry of the index of what happened to contacts, in the order of the index.
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

/// As bytes: the contact, the kind, and eight bytes of a rowid (from 0 on) or sixteen of an id, most significant first, so
/// that bytes have the order of entries. Version 21 of the schema writes the same by itself: what changes here needs another.
extension HistoryEntry {
    var length: Int {
        switch ref {
        case .row: 25
        case .id: 33
        }
    }

    var key: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// What no entry of the contact and kind is less than.
    static func start(of contact: Identifier, _ kind: HistoryKind) -> [UInt8] {
        contact.bytes + [UInt8(kind.rawValue)]
    }

    func append(to bytes: inout [UInt8]) {
        func append(_ word: UInt64) { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
        append(contact.high)
        append(contact.low)
        bytes.append(UInt8(kind.rawValue))
        switch ref {
        case .row(let row): append(UInt64(bitPattern: row))
        case .id(let id):
            append(id.high)
            append(id.low)
        }
    }

    /// - Returns: at least one.
    /// - Throws: `StoreError.damaged` for what is no entry.
    static func entries(_ bytes: [UInt8]) throws -> [HistoryEntry] {
        let damage = StoreError(
            .damaged,
            "the index of histories holds what is no entry: look at the database with PRAGMA integrity_check, restore a backup"
        )
        return try bytes.withUnsafeBytes { buffer in
            func word(_ offset: Int) -> UInt64 {
                UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            }
            var entries: [HistoryEntry] = []
            entries.reserveCapacity(buffer.count / 25)
            var start = 0
            repeat {
                guard buffer.count - start >= 25, let kind = HistoryKind(rawValue: Int(buffer[start + 16])) else {
                    throw damage
                }
                let contact = Identifier(high: word(start), low: word(start + 8))
                if kind == .event {
                    let ref = HistoryRef.row(Int64(bitPattern: word(start + 17)))
                    entries.append(HistoryEntry(contact: contact, kind: kind, ref: ref))
                    start += 25
                } else {
                    guard buffer.count - start >= 33 else { throw damage }
                    let ref = HistoryRef.id(Identifier(high: word(start + 17), low: word(start + 25)))
                    entries.append(HistoryEntry(contact: contact, kind: kind, ref: ref))
                    start += 33
                }
            } while start < buffer.count
            return entries
        }
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
                guard let kind = HistoryKind(rawValue: Int(buffer[start])), kind != .event else { return nil }
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
