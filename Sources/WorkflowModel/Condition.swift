import JSONValue

/// One comparison: `field operator value`, with a unit where the value is a span of time. The step CONDITION has one or
/// several, a `Filter` is made of them; what the operators mean stands at `Operator`.
package struct Condition: Hashable, Sendable {
    /// As it was written.
    package let field: String
    package let `operator`: Operator
    /// Null where the operator takes none.
    package let value: JSON
    package let unit: Unit?
    package let subject: Subject

    /// What the operator asks about.
    package enum Subject: Hashable, Sendable {
        /// A value, looked up at this path of a scope.
        case value(path: String)
        /// An event of that canonical name.
        case occurrences(of: String)
        case membership(segment: String)
    }

    package init(field: String, operator: Operator, value: JSON = .null, unit: Unit? = nil) {
        self.field = field
        self.operator = `operator`
        self.value = value
        self.unit = unit
        subject =
            if Operator.ofOccurrences.contains(`operator`) {
                .occurrences(of: EventName.canonical(field.withoutPrefix("event.") ?? field))
            } else if Operator.ofMembership.contains(`operator`) {
                .membership(segment: field.withoutPrefix("segment.") ?? field)
            } else {
                .value(path: Self.path(of: field))
            }
    }

    /// Where a scope finds the field: these four names alone always mean the contact.
    private static func path(of field: String) -> String {
        switch field {
        case "email", "subscribed", "createdAt", "updatedAt": "contact.\(field)"
        default: field
        }
    }

    // MARK: Deciding

    package func isSatisfied(in scope: some FilterScope) -> Bool {
        switch subject {
        case .value(let path): isSatisfied(by: scope.value(at: path), now: scope.now)
        case .occurrences(let name): isSatisfied(byLastOccurrence: scope.lastOccurrence(of: name), now: scope.now)
        case .membership(let segment): scope.isMember(ofSegment: segment) == (self.operator == .memberOfSegment)
        }
    }

    /// For operators that ask about a value; any other is not satisfied.
    /// - Parameter actual: the field's value; nil when the field is missing.
    package func isSatisfied(by actual: JSON?, now: Timestamp) -> Bool {
        guard let actual, !actual.isNull else { return self.operator == .notExists }
        switch self.operator {
        case .exists: return true
        case .equals: return isEqual(actual)
        case .notEquals: return !isEqual(actual)
        case .contains: return contains(actual)
        case .notContains: return !contains(actual)
        case .greaterThan: return ordering(actual).map { $0 > 0 } ?? false
        case .lessThan: return ordering(actual).map { $0 < 0 } ?? false
        case .greaterThanOrEqual: return ordering(actual).map { $0 >= 0 } ?? false
        case .lessThanOrEqual: return ordering(actual).map { $0 <= 0 } ?? false
        case .within: return Self.date(actual).map { $0 >= limit(now) } ?? false
        case .olderThan: return Self.date(actual).map { $0 < limit(now) } ?? false
        default: return false
        }
    }

    private func isSatisfied(byLastOccurrence last: Timestamp?, now: Timestamp) -> Bool {
        switch self.operator {
        case .triggered: last != nil
        case .notTriggered: last == nil
        case .triggeredWithin: last.map { $0 >= limit(now) } ?? false
        case .triggeredOlderThan: last.map { $0 < limit(now) } ?? false
        case .notTriggeredWithin: last.map { $0 < limit(now) } ?? true
        default: false
        }
    }

    /// now − value, at the ends of time instead of beyond them.
    package func limit(_ now: Timestamp) -> Timestamp { now.adding(microseconds: -span) }

    private var span: Int64 {
        let span = (value.doubleValue ?? 0) * Double(unit?.microseconds ?? 0)
        return Int64(exactly: span.rounded()) ?? .max
    }

    /// The first moment after `now` at which time alone may change the answer; nil when it never does.
    func nextChange(in scope: some FilterScope) -> Timestamp? {
        guard self.operator.needsUnit else { return nil }
        let last: Timestamp? =
            switch subject {
            case .value(let path): scope.value(at: path).flatMap(Self.date)
            case .occurrences(let name): scope.lastOccurrence(of: name)
            case .membership: nil
            }
        // At `last` + value it is still not before the limit.
        guard let change = last?.adding(microseconds: span).adding(microseconds: 1), change > scope.now,
            change.microseconds < .max
        else { return nil }
        return change
    }

    // MARK: Comparing

    private var ignoresCase: Bool { subject == .value(path: "contact.email") }

    private func isEqual(_ actual: JSON) -> Bool {
        guard case .string(let wanted) = value else { return actual == value }
        guard case .string(let text) = actual else { return false }
        if ignoresCase { return text.lowercased() == wanted.lowercased() }
        if let day = Timestamp(dateText: wanted)?.utcDay { return Timestamp(dateText: text)?.utcDay == day }
        return text.utf8.elementsEqual(wanted.utf8)
    }

    private func contains(_ actual: JSON) -> Bool {
        switch (actual, value) {
        case (.string(let text), .string(let part)):
            ignoresCase ? text.lowercased().hasPart(part.lowercased()) : text.hasPart(part)
        case (.array(let values), _): values.contains(value)
        default: false
        }
    }

    /// Below, at or above 0 as `actual` is below, at or above the value; nil when the two have no order.
    private func ordering(_ actual: JSON) -> Int? {
        if let left = actual.doubleValue, let right = value.doubleValue { return Self.order(left, right) }
        guard case .string(let left) = actual, case .string(let right) = value else { return nil }
        if let left = Timestamp(dateText: left), let right = Timestamp(dateText: right) {
            return Self.order(left, right)
        }
        if left.utf8.elementsEqual(right.utf8) { return 0 }
        return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
    }

    private static func order<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
        left < right ? -1 : left > right ? 1 : 0
    }

    private static func date(_ actual: JSON) -> Timestamp? {
        actual.stringValue.flatMap(Timestamp.init(dateText:))
    }

    /// As the API writes it.
    package var json: JSONObject {
        var object: JSONObject = ["field": .string(field), "operator": .string(self.operator.rawValue)]
        if !value.isNull { object["value"] = value }
        if let unit { object["unit"] = .string(unit.rawValue) }
        return object
    }
}

extension String {
    /// The rest after a prefix; nil without it, or when nothing is left.
    func withoutPrefix(_ prefix: String) -> String? {
        guard hasPrefix(prefix), utf8.count > prefix.utf8.count else { return nil }
        return String(dropFirst(prefix.count))
    }

    /// Whether the bytes of `part` stand in this text, as a database searches; Swift's own search sees whole characters
    /// and finds no letter that carries an accent in a code point of its own.
    fileprivate func hasPart(_ part: String) -> Bool {
        var text = self
        var part = part
        return text.withUTF8 { text in part.withUTF8 { text.hasPart($0) } }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Knuth, Morris and Pratt: every byte is looked at a bounded number of times, whatever text and part are.
    fileprivate func hasPart(_ part: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let head = part.first else { return true }
        guard part.count <= count, var position = firstIndex(of: head) else { return false }
        let borders = part.borders
        var length = 0
        while position < count {
            let byte = self[position]
            while length > 0, part[length] != byte { length = borders[length - 1] }
            if part[length] == byte { length += 1 }
            if length == part.count { return true }
            position += 1
            if length == 0 {
                while position < count, self[position] != head { position += 1 }
            }
        }
        return false
    }

    /// For each beginning, how many of its first bytes are also its last, without being all of it.
    private var borders: [Int] {
        var borders = [Int](repeating: 0, count: count)
        var length = 0
        for position in indices.dropFirst() {
            while length > 0, self[length] != self[position] { length = borders[length - 1] }
            if self[length] == self[position] { length += 1 }
            borders[position] = length
        }
        return borders
    }
}
