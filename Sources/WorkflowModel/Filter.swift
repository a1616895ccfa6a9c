import JSONValue

/// What a filter looks at: one contact and, inside a workflow, one execution.
package protocol FilterScope {
    /// The value at a dotted path (`contact.email`, `data.plan`, `event.amount`); nil when there is none.
    func value(at path: String) -> JSON?
    var now: Timestamp { get }
    /// When an event last happened to the contact; nil for never.
    /// - Parameter event: the canonical name.
    func lastOccurrence(of event: String) -> Timestamp?
    func isMember(ofSegment id: String) -> Bool
}

/// The language of segments, audiences and CONDITION steps:
///
///     filter    := { logic: AND | OR, groups: [group, …] }
///     group     := { filters: [condition, …], conditions: filter }     at least one of the two
///     condition := { field, operator, value, unit }
///
/// Everything inside a group must hold; `logic` joins the groups. Reading is bounded in depth and size, so that
/// deciding needs no bound of its own.
package struct Filter: Hashable, Sendable {
    package enum Logic: String, Sendable {
        case all = "AND"
        case any = "OR"
    }

    package struct Group: Hashable, Sendable {
        package var conditions: [Condition]
        package var nested: Filter?

        package init(_ conditions: [Condition], nested: Filter? = nil) {
            self.conditions = conditions
            self.nested = nested
        }
    }

    package var logic: Logic
    package var groups: [Group]

    /// Filters within filters, and conditions in all of them together, at most.
    package static let depthLimit = 10
    package static let sizeLimit = 500

    package init(_ logic: Logic, _ groups: [Group]) {
        self.logic = logic
        self.groups = groups
    }

    /// Why JSON is no filter.
    package struct Invalid: Error, Hashable, CustomStringConvertible {
        package var problems: [WorkflowProblem]

        package var description: String { problems.map(\.description).joined(separator: "\n") }
    }

    /// Reads a filter and names everything that is wrong with it at once.
    /// - Parameter path: where the filter stands in its document (`steps.check.config.filter`), for the problems.
    package init(json: JSON, path: String, vocabulary: Vocabulary = .execution) throws(Invalid) {
        let (filter, problems) = Self.read(json, path: path, vocabulary: vocabulary)
        guard let filter else { throw Invalid(problems: problems) }
        self = filter
    }

    package func isSatisfied(in scope: some FilterScope) -> Bool {
        switch logic {
        case .all: groups.allSatisfy { $0.isSatisfied(in: scope) }
        case .any: groups.contains { $0.isSatisfied(in: scope) }
        }
    }

    // MARK: What it mentions

    /// All conditions, those of nested filters included.
    package var conditions: [Condition] { groups.flatMap { $0.conditions + ($0.nested?.conditions ?? []) } }

    /// Canonical names of the events whose history it asks for.
    package var lookedBackEvents: Set<String> { Set(conditions.compactMap(\.lookedBackEvent)) }

    package var segments: Set<String> { Set(conditions.compactMap(\.segment)) }

    /// Whether the answer may change although nothing happens to the contact.
    package var mentionsTime: Bool { conditions.contains { $0.operator.needsUnit } }

    /// The first moment after `now` at which time alone may change the answer; nil when it never does.
    package func nextChange(in scope: some FilterScope) -> Timestamp? {
        var next: Timestamp?
        func consider(_ change: Timestamp?) { if let change { next = min(next ?? change, change) } }
        for group in groups {
            for condition in group.conditions { consider(condition.nextChange(in: scope)) }
            consider(group.nested?.nextChange(in: scope))
        }
        return next
    }

    /// A condition of it, and where it stands.
    package struct Placed {
        package var path: String
        package var condition: Condition
    }

    /// All conditions with their paths, as the problems of a filter read at `path` name them.
    package func placedConditions(at path: String) -> [Placed] {
        groups.enumerated().flatMap { position, group -> [Placed] in
            let place = "\(path).groups.\(position)"
            let own = group.conditions.enumerated().map { Placed(path: "\(place).filters.\($0)", condition: $1) }
            return own + (group.nested?.placedConditions(at: "\(place).conditions") ?? [])
        }
    }

    /// As the API writes it.
    package var json: JSON {
        ["logic": .string(logic.rawValue), "groups": .array(groups.map { .object($0.json) })]
    }
}

extension Filter.Group {
    fileprivate func isSatisfied(in scope: some FilterScope) -> Bool {
        conditions.allSatisfy { $0.isSatisfied(in: scope) } && nested?.isSatisfied(in: scope) ?? true
    }

    fileprivate var json: JSONObject {
        var object: JSONObject = [:]
        if !conditions.isEmpty || nested == nil { object["filters"] = .array(conditions.map { .object($0.json) }) }
        if let nested { object["conditions"] = nested.json }
        return object
    }
}

extension Condition {
    /// The event whose history it asks for; nil for other operators.
    package var lookedBackEvent: String? { if case .occurrences(let name) = subject { name } else { nil } }

    package var segment: String? { if case .membership(let segment) = subject { segment } else { nil } }
}
