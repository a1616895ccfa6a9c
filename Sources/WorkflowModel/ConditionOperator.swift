extension Condition {
    /// Every way to compare, in conditions and filters alike. Field values are compared after JSON: `5` is not `"5"`. A
    /// missing field and null are the same, and satisfy nothing but `notExists`.
    ///
    /// | operator                                  | value          | satisfied by                                      |
    /// |-------------------------------------------|----------------|---------------------------------------------------|
    /// | equals, notEquals                         | not null       | the same value; a value that is a date means its  |
    /// |                                           |                | whole UTC day                                     |
    /// | contains, notContains                     | not null       | a part of a text, an element of a list            |
    /// | greaterThan, lessThan, …OrEqual           | number or text | two numbers, two dates as instants, two texts by  |
    /// |                                           |                | their UTF-8 bytes; anything else satisfies none   |
    /// | exists, notExists                         | –              | `""`, `0` and `false` exist                       |
    /// | within                                    | number, unit   | a date not before now − value                     |
    /// | olderThan                                 | number, unit   | a date before now − value                         |
    /// | triggered, notTriggered                   | –              | an event that ever (never) happened               |
    /// | triggeredWithin                           | number, unit   | one that last happened not before now − value     |
    /// | triggeredOlderThan                        | number, unit   | one that happened, but last before now − value    |
    /// | notTriggeredWithin                        | number, unit   | one that did not happen since now − value, or never |
    /// | memberOfSegment, notMemberOfSegment       | –              | a contact that is (is not) in the segment         |
    package enum Operator: String, Sendable, CaseIterable {
        case equals, notEquals, contains, notContains
        case greaterThan, lessThan, greaterThanOrEqual, lessThanOrEqual
        case exists, notExists
        case within, olderThan
        case triggered, notTriggered, triggeredWithin, triggeredOlderThan, notTriggeredWithin
        case memberOfSegment, notMemberOfSegment

        /// What stands beside the operator.
        enum Operand { case none, present, orderable, span }

        var operand: Operand {
            switch self {
            case .exists, .notExists, .triggered, .notTriggered, .memberOfSegment, .notMemberOfSegment: .none
            case .equals, .notEquals, .contains, .notContains: .present
            case .greaterThan, .lessThan, .greaterThanOrEqual, .lessThanOrEqual: .orderable
            case .within, .olderThan, .triggeredWithin, .triggeredOlderThan, .notTriggeredWithin: .span
            }
        }

        package var needsValue: Bool { operand != .none }
        /// Whether the value is an amount of a `Unit`.
        package var needsUnit: Bool { operand == .span }

        /// Asks when an event happened, not what a field says.
        package var asksForOccurrences: Bool { Self.ofOccurrences.contains(self) }

        static let ofOccurrences: [Operator] = [
            .triggered, .notTriggered, .triggeredWithin, .triggeredOlderThan, .notTriggeredWithin,
        ]
        static let ofMembership: [Operator] = [.memberOfSegment, .notMemberOfSegment]
        static let ofValues: [Operator] = allCases.filter { !ofOccurrences.contains($0) && !ofMembership.contains($0) }
    }

    package enum Unit: String, Sendable, CaseIterable {
        case minutes, hours, days

        package var microseconds: Int64 {
            switch self {
            case .minutes: 60_000_000
            case .hours: 3_600_000_000
            case .days: 86_400_000_000
            }
        }
    }

    /// What a field is, which says the operators it takes.
    enum FieldKind {
        /// The contact's address: texts without regard to case.
        case address
        /// The contact's subscription: true or false.
        case flag
        /// A time of the contact.
        case instant
        /// Whatever JSON holds.
        case free

        var operators: [Operator] {
            switch self {
            case .address: [.equals, .notEquals, .contains, .notContains, .exists, .notExists]
            case .flag: [.equals, .notEquals, .exists, .notExists]
            case .instant: Operator.ofValues.filter { $0 != .contains && $0 != .notContains }
            case .free: Operator.ofValues
            }
        }

        /// - Parameter path: as a scope looks it up.
        init(path: String) {
            switch path {
            case "contact.email": self = .address
            case "contact.subscribed": self = .flag
            case "contact.createdAt", "contact.updatedAt": self = .instant
            default: self = .free
            }
        }
    }
}
