/// One JSON value (RFC 8259): the only dynamic value of the project. Contact data, event data, execution context,
/// step outputs and template variables are all of this type.
///
/// Integers that fit 64 bits stay exact; every other number is a double. `1` and `1.0` are equal.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON: Hashable {
    package static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Int64(exactly: b) == a
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .double(let value):
            // An integral double equals its integer, so it must hash like one.
            if let integer = Int64(exactly: value) { hasher.combine(integer) } else { hasher.combine(value) }
        case .string(let value): hasher.combine(value)
        case .array(let value): hasher.combine(value)
        case .object(let value): hasher.combine(value)
        }
    }
}

extension JSON {
    /// The member of an object; nil when this is no object or has no such key.
    package subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The value at a dotted path (`a.b.c`), by object key, or by array index where the value is an array.
    /// A key that itself contains dots wins over the nested reading.
    package subscript(path path: some StringProtocol) -> JSON? {
        if case .object(let object) = self, let whole = object[String(path)] { return whole }
        guard let dot = path.firstDot else { return member(String(path)) }
        return member(String(path[..<dot]))?[path: path[path.utf8.index(after: dot)...]]
    }

    private func member(_ key: String) -> JSON? {
        switch self {
        case .object(let object): object[key]
        // `nil` alone would be the literal of `.null` here.
        case .array(let array): Int(key).flatMap { array.indices.contains($0) ? array[$0] : Self?.none }
        default: Self?.none
        }
    }

    package var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    package var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var arrayValue: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var objectValue: JSONObject? { if case .object(let value) = self { value } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }

    /// The number as an integer; nil when this is no number or not integral.
    package var intValue: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The number as a double; nil when this is no number.
    package var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(nilLiteral: ()) { self = .null }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

extension StringProtocol {
    /// Where a dotted path has its first dot: the byte, whatever stands behind it.
    @inlinable package var firstDot: Index? { utf8.firstIndex(of: UInt8(ascii: ".")) }
}
