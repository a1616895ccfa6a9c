import JSONValue

/// One comparison of a field with a value: `field operator value`.
///
/// Equality is that of JSON (`5` is not `"5"`). A missing field or null satisfies no operator but `notExists`, the
/// negative ones included. Orderings compare two numbers, or two strings by code point.
package struct Condition: Hashable, Sendable {
    package enum Operator: String, Sendable, CaseIterable {
        case equals, notEquals, contains, notContains
        case greaterThan, lessThan, greaterThanOrEqual, lessThanOrEqual
        case exists, notExists

        package var needsValue: Bool { self != .exists && self != .notExists }
    }

    package var field: String
    package var `operator`: Operator
    /// Null for `exists` and `notExists`.
    package var value: JSON

    package init(field: String, operator: Operator, value: JSON = .null) {
        self.field = field
        self.operator = `operator`
        self.value = value
    }

    /// - Parameter actual: the field's value; nil when the field is missing.
    package func isSatisfied(by actual: JSON?) -> Bool {
        guard let actual, !actual.isNull else { return self.operator == .notExists }
        switch self.operator {
        case .exists: return true
        case .notExists: return false
        case .equals: return isEqual(actual)
        case .notEquals: return !isEqual(actual)
        case .contains: return contains(actual)
        case .notContains: return !contains(actual)
        case .greaterThan: return ordering(actual).map { $0 > 0 } ?? false
        case .lessThan: return ordering(actual).map { $0 < 0 } ?? false
        case .greaterThanOrEqual: return ordering(actual).map { $0 >= 0 } ?? false
        case .lessThanOrEqual: return ordering(actual).map { $0 <= 0 } ?? false
        }
    }

    /// Addresses compare without regard to case, as mail does in practice.
    private var ignoresCase: Bool { field == "contact.email" || field == "email" }

    private func isEqual(_ actual: JSON) -> Bool {
        if ignoresCase, case .string(let left) = actual, case .string(let right) = value {
            return left.lowercased() == right.lowercased()
        }
        return actual == value
    }

    private func contains(_ actual: JSON) -> Bool {
        switch (actual, value) {
        case (.string(let text), .string(let part)):
            if part.isEmpty { return true }
            return ignoresCase ? text.lowercased().contains(part.lowercased()) : text.contains(part)
        case (.array(let values), _): return values.contains(value)
        default: return false
        }
    }

    private func ordering(_ actual: JSON) -> Int? {
        if let left = actual.doubleValue, let right = value.doubleValue {
            return left < right ? -1 : left > right ? 1 : 0
        }
        if case .string(let left) = actual, case .string(let right) = value {
            return left == right ? 0 : left < right ? -1 : 1
        }
        return nil
    }
}
