import JSONValue

/// What an expression evaluates to: JSON, or one of the few things a template has besides.
enum Value {
    case json(JSON)
    case range(IntegerRange)
    case empty
    case blank
    /// `forloop` or `tablerowloop`.
    case loop(LoopState)
    /// Text that is HTML already and is not escaped again. Only exists under `OutputEscaping.html`.
    case markup(String)

    static var null: Value { .json(.null) }

    init(_ literal: Literal) {
        switch literal {
        case .json(let value): self = .json(value)
        case .empty: self = .empty
        case .blank: self = .blank
        }
    }

    var isNull: Bool { if case .json(.null) = self { true } else { false } }

    /// Everything but nil and false.
    var isTrue: Bool {
        switch self {
        case .json(.null), .json(.bool(false)): false
        default: true
        }
    }

    /// The same of JSON, where it stands.
    @inline(__always)
    static func isTrue(_ json: UnsafePointer<JSON>) -> Bool {
        switch json.pointee {
        case .null, .bool(false): false
        default: true
        }
    }

    /// The string of a string or of markup.
    var string: String? {
        switch self {
        case .json(.string(let text)), .markup(let text): text
        default: nil
        }
    }

    /// Equal to `empty`: an empty string, array or object.
    var isEmpty: Bool {
        switch self {
        case .json(.string(let text)), .markup(let text): text.isEmpty
        case .json(.array(let items)): items.isEmpty
        case .json(.object(let object)): object.isEmpty
        default: false
        }
    }

    /// Equal to `blank`: empty, nil, false, or only white space.
    var isBlank: Bool {
        switch self {
        case .json(.null), .json(.bool(false)): true
        case .json(.string(let text)), .markup(let text): text.utf8.allSatisfy(\.isBlank)
        default: isEmpty
        }
    }
}

/// `(first..last)`, both included; no element when `first` is greater. Elements are only made when needed.
struct IntegerRange: Sendable, Hashable {
    var first: Int64
    var last: Int64

    /// Capped at `Int.max`.
    var count: Int {
        guard first <= last else { return 0 }
        let (distance, overflow) = last.subtractingReportingOverflow(first)
        return overflow || distance == .max ? .max : Int(distance) + 1
    }

    /// Nothing outside the range.
    subscript(position: Int) -> Int64? { position >= 0 && position < count ? first + Int64(position) : nil }

    func contains(_ number: Int64) -> Bool { first <= number && number <= last }
}

/// What `forloop` and `tablerowloop` answer.
final class LoopState {
    let name: String
    let length: Int
    // Only its loop moves it on.
    @exclusivity(unchecked) var index = 0
    /// The loop around this one.
    let parent: LoopState?
    /// Only of a table.
    let columns: Int?

    init(name: String, length: Int, index: Int = 0, parent: LoopState? = nil, columns: Int? = nil) {
        self.name = name
        self.length = length
        self.index = index
        self.parent = parent
        self.columns = columns
    }

    subscript(key: String) -> Value {
        switch key {
        case "length": return number(length)
        case "index": return number(index + 1)
        case "index0": return number(index)
        case "rindex": return number(length - index)
        case "rindex0": return number(length - index - 1)
        case "first": return .json(.bool(index == 0))
        case "last": return .json(.bool(isLast))
        case "name" where columns == nil: return .json(.string(name))
        case "parentloop" where columns == nil: return parent.map(Value.loop) ?? .null
        default: return columns == nil ? .null : tableValue(key)
        }
    }

    var isLast: Bool { index == length - 1 }
    var row: Int { index / max(columns ?? 1, 1) }
    var column: Int { index % max(columns ?? 1, 1) }
    var isLastColumn: Bool { column == max(columns ?? 1, 1) - 1 }

    private func tableValue(_ key: String) -> Value {
        switch key {
        case "row": number(row + 1)
        case "col": number(column + 1)
        case "col0": number(column)
        case "col_first": .json(.bool(column == 0))
        case "col_last": .json(.bool(isLastColumn))
        default: .null
        }
    }

    private func number(_ value: Int) -> Value { .json(.int(Int64(value))) }
}
