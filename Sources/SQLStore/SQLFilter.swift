import Engine
import JSONValue
import WorkflowModel

/// A filter as an SQL expression over the contact `c`, with the same answer as `Filter.isSatisfied` for every contact.
///
/// Addresses, flags, times, events and membership are compared in SQL. Data are compared by `condition_holds`, a function
/// that finds the value in the stored text and asks the very condition: what JSON has in types, numbers, dates and keys,
/// SQL would nearly say. Addresses are stored in lower case, so only letters beyond ASCII need the function.
struct SQLFilter {
    let expression: SQLText

    /// What the filter is about, beside the contacts.
    struct Surroundings {
        var project: Identifier
        var now: Timestamp
        /// Events of other names are looked for among all events, once for the whole statement.
        var keptEvents: Set<String>
        /// The id of a segment by its id or slug; nil when there is none.
        var segment: (String) throws -> Identifier?
    }

    init(_ filter: Filter, _ surroundings: Surroundings) throws {
        expression = try Self.expression(of: filter, surroundings)
    }

    private static func expression(of filter: Filter, _ surroundings: Surroundings) throws -> SQLText {
        guard !filter.groups.isEmpty else { return filter.logic == .all ? SQLText("1") : SQLText("0") }
        let groups = try filter.groups.map { group in
            var parts = try group.conditions.map { try expression(of: $0, surroundings) }
            if let nested = group.nested { parts.append(try expression(of: nested, surroundings)) }
            return joined(parts, by: " AND ", orElse: "1")
        }
        return filter.logic == .all
            ? joined(groups, by: " AND ", orElse: "1") : joined(groups, by: " OR ", orElse: "0")
    }

    private static func joined(_ parts: [SQLText], by word: StaticString, orElse nothing: StaticString) -> SQLText {
        guard let first = parts.first else { return SQLText(nothing) }
        guard parts.count > 1 else { return first }
        var all = SQLText("(")
        all.append(first)
        for part in parts.dropFirst() {
            all.append(word)
            all.append(part)
        }
        all.append(")")
        return all
    }

    // MARK: Conditions

    private static func expression(of condition: Condition, _ surroundings: Surroundings) throws -> SQLText {
        switch condition.subject {
        case .occurrences(let name): return occurrences(of: name, condition, surroundings)
        case .membership(let reference):
            let isWanted = condition.operator == .memberOfSegment
            guard let segment = try surroundings.segment(reference) else { return isWanted ? no : yes }
            return (isWanted ? SQLText("EXISTS") : SQLText("NOT EXISTS")) + membership(of: segment)
        case .value: return value(condition, surroundings.now)
        }
    }

    private static var yes: SQLText { SQLText("1") }
    private static var no: SQLText { SQLText("0") }

    /// In brackets, for EXISTS.
    static func membership(of segment: Identifier) -> SQLText {
        SQLText(
            """
            (SELECT 1 FROM segment_members m
             WHERE m.contact_id = c.id AND m.segment_id = ?)
            """, segment)
    }

    private static func value(_ condition: Condition, _ now: Timestamp) -> SQLText {
        switch (condition.contactPart, condition.operator) {
        case (.nowhere?, .notExists), (nil, .notExists): return yes
        case (.nowhere?, _), (nil, _): return no
        // All but data are always there.
        case (.data?, _): return SQLText("condition_holds(?, c.data)", BoundCondition(condition, now: now))
        case (_, .exists): return yes
        case (_, .notExists), (.whole?, _): return no
        case (.email?, _): return address(condition, now)
        case (.subscription?, _): return subscription(condition, now)
        case (.creation?, _):
            return instant(condition, now, column: "c.created_at", between: "c.created_at >= ? AND c.created_at < ?")
        case (.update?, _):
            return instant(condition, now, column: "c.updated_at", between: "c.updated_at >= ? AND c.updated_at < ?")
        case (.id?, _): return SQLText("condition_holds(?, c.id)", BoundCondition(condition, now: now))
        }
    }

    private static func address(_ condition: Condition, _ now: Timestamp) -> SQLText {
        let wanted = condition.value.stringValue?.lowercased()
        switch condition.operator {
        case .equals, .notEquals:
            guard let wanted,
                wanted.utf8.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "`") })
            else { break }
            // These two characters have twins outside ASCII that count as the same.
            return condition.operator == .equals ? SQLText("c.email = ?", wanted) : SQLText("c.email <> ?", wanted)
        case .contains:
            if let wanted { return SQLText("instr(c.email, ?) > 0", wanted) }
        case .notContains:
            if let wanted { return SQLText("instr(c.email, ?) = 0", wanted) }
        default: break
        }
        return SQLText("condition_holds(?, c.email)", BoundCondition(condition, now: now))
    }

    private static func subscription(_ condition: Condition, _ now: Timestamp) -> SQLText {
        switch (condition.operator, condition.value) {
        case (.equals, .bool(let wanted)): SQLText("c.subscribed = ?", wanted)
        case (.notEquals, .bool(let wanted)): SQLText("c.subscribed <> ?", wanted)
        default: SQLText("condition_holds(?, c.subscribed)", BoundCondition(condition, now: now))
        }
    }

    // MARK: Times

    /// The API shows times in milliseconds, and so they are compared: a bound is rounded to where the shown time passes it.
    private static func instant(
        _ condition: Condition, _ now: Timestamp, column: StaticString, between: StaticString
    ) -> SQLText {
        let value = condition.value.stringValue.flatMap(Timestamp.init(dateText:))
        let from: Timestamp
        let to: Timestamp
        switch condition.operator {
        case .within: (from, to) = (condition.limit(now).roundedUp, .latest)
        case .olderThan: (from, to) = (.earliest, condition.limit(now).roundedUp)
        case .greaterThan, .lessThanOrEqual, .greaterThanOrEqual, .lessThan, .equals, .notEquals:
            guard let value else { return function(condition, now, column) }
            switch condition.operator {
            case .greaterThan: (from, to) = (value.afterMillisecond, .latest)
            case .lessThanOrEqual: (from, to) = (.earliest, value.afterMillisecond)
            case .greaterThanOrEqual: (from, to) = (value.roundedUp, .latest)
            case .lessThan: (from, to) = (.earliest, value.roundedUp)
            default:
                let start = Timestamp(seconds: value.utcDay * 86_400)
                (from, to) = (start, start.adding(seconds: 86_400))
            }
        default: return function(condition, now, column)
        }
        var text = SQLText(condition.operator == .notEquals ? "NOT (" : "(")
        text.append(between, from, to)
        text.append(")")
        return text
    }

    private static func function(_ condition: Condition, _ now: Timestamp, _ column: StaticString) -> SQLText {
        var text = SQLText("condition_holds(?, ", BoundCondition(condition, now: now))
        text.append(column)
        text.append(")")
        return text
    }

    // MARK: Events

    private static func occurrences(
        of name: String, _ condition: Condition, _ surroundings: Surroundings
    ) -> SQLText {
        let limit = condition.limit(surroundings.now)
        func since(_ time: Timestamp?) -> SQLText {
            surroundings.keptEvents.contains(name) ? kept(name, since: time) : found(name, since: time, surroundings)
        }
        let not = SQLText("NOT ")
        switch condition.operator {
        case .triggered: return since(nil)
        case .notTriggered: return not + since(nil)
        case .triggeredWithin: return since(limit)
        case .notTriggeredWithin: return not + since(limit)
        case .triggeredOlderThan: return SQLText("(") + since(nil) + SQLText(" AND NOT ") + since(limit) + SQLText(")")
        default: return no
        }
    }

    private static func kept(_ name: String, since time: Timestamp?) -> SQLText {
        SQLText(
            """
            EXISTS (SELECT 1 FROM event_occurrences o
             WHERE o.contact_id = c.id AND o.name = ? AND o.at >= ? AND o.is_repeated = 0)
            """, name,
            time ?? .earliest)
    }

    /// Depends on no contact, so that the events are gone through once.
    private static func found(_ name: String, since time: Timestamp?, _ surroundings: Surroundings) -> SQLText {
        SQLText(
            """
            (c.id IN (SELECT contact_id FROM events
             WHERE project_id = ? AND name = ? AND contact_id IS NOT NULL AND created_at >= ?
                AND NOT (name = 'email.clicked' AND json_extract(data, '$.isFirstClick') IS 0)))
            """, surroundings.project, name, time ?? .earliest)
    }
}

extension Timestamp {
    static let earliest = Timestamp(microseconds: .min)
    static let latest = Timestamp(microseconds: .max)

    /// The first full millisecond that is not before it.
    fileprivate var roundedUp: Timestamp {
        let rest = microseconds % 1000
        return rest == 0 ? self : adding(microseconds: rest < 0 ? -rest : 1000 - rest)
    }

    /// The first millisecond after the one that it is in.
    fileprivate var afterMillisecond: Timestamp {
        let rest = microseconds % 1000
        return adding(microseconds: rest < 0 ? -rest : 1000 - rest)
    }
}
