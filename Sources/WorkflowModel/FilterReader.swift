import JSONValue

extension Filter {
    /// Which fields have a meaning where a filter stands.
    package struct Vocabulary: Hashable, Sendable {
        /// `event.<field>`, `trigger.…`, `context.…` and `steps.…` have values.
        package var hasExecution: Bool
        /// A name without a dot is looked up in the context, the starting event's data and the contact's data.
        package var allowsBareNames = false
        /// Whether there are segments to refer to.
        package var hasSegments = true

        /// The filter of a step.
        package static let execution = Vocabulary(hasExecution: true)
        /// The condition of a step that has only one.
        package static let condition = Vocabulary(hasExecution: true, allowsBareNames: true)
        /// A filter over contacts, as a schedule has it.
        package static let contact = Vocabulary(hasExecution: false)

        package init(hasExecution: Bool, allowsBareNames: Bool = false, hasSegments: Bool = true) {
            self.hasExecution = hasExecution
            self.allowsBareNames = allowsBareNames
            self.hasSegments = hasSegments
        }
    }

    /// - Returns: the filter, or nil with at least one problem.
    package static func read(
        _ json: JSON, path: String, vocabulary: Vocabulary = .execution
    ) -> (filter: Filter?, problems: [WorkflowProblem]) {
        var reader = FilterReader(vocabulary: vocabulary)
        let filter = reader.filter(json, path: path, depth: 1)
        return (reader.problems.isEmpty ? filter : nil, reader.problems)
    }
}

extension Condition {
    /// Reads `field`, `operator`, `value` and `unit`, and leaves other members of the object to the caller.
    /// - Returns: the condition, or nil with at least one problem.
    package static func read(
        _ object: JSONObject, path: String, vocabulary: Filter.Vocabulary = .condition
    ) -> (condition: Condition?, problems: [WorkflowProblem]) {
        var reader = FilterReader(vocabulary: vocabulary)
        let condition = reader.condition(object, path: path)
        return (reader.problems.isEmpty ? condition : nil, reader.problems)
    }
}

/// Reads filters from JSON that nobody vouches for: never deeper and never more than the limits.
struct FilterReader {
    private(set) var problems: [WorkflowProblem] = []
    private let vocabulary: Filter.Vocabulary
    private var count = 0

    /// Bytes of a field's name.
    private static let fieldLimit = 256
    /// Bytes of a text, or of the JSON of a list or an object, that a field is compared with.
    private static let valueLimit = 1000
    /// The longest span, in days.
    private static let longestSpan = 36_500.0

    init(vocabulary: Filter.Vocabulary) { self.vocabulary = vocabulary }

    private mutating func report(_ path: String, _ message: String) {
        problems.append(WorkflowProblem(path: path, message: message))
    }

    // MARK: Filters

    mutating func filter(_ json: JSON, path: String, depth: Int) -> Filter? {
        guard depth <= Filter.depthLimit else {
            report(path, "is more than \(Filter.depthLimit) filters deep")
            return nil
        }
        guard let object = json.objectValue else {
            report(path, "must be a mapping of logic and groups")
            return nil
        }
        allow(["logic", "groups"], in: object, path: path)
        let logic = object["logic"]?.stringValue.flatMap(Filter.Logic.init(rawValue:))
        if logic == nil { report("\(path).logic", "must be AND or OR") }
        guard let list = object["groups"]?.arrayValue, !list.isEmpty else {
            report("\(path).groups", "must be a list of at least one group")
            return nil
        }
        var groups: [Filter.Group] = []
        for (position, group) in list.enumerated() {
            // Empty groups count too: a list of a million of them is no filter either.
            count += 1
            guard isWithinSize(path) else { return nil }
            if let group = self.group(group, path: "\(path).groups.\(position)", depth: depth) { groups.append(group) }
        }
        return logic.map { Filter($0, groups) }
    }

    private mutating func group(_ json: JSON, path: String, depth: Int) -> Filter.Group? {
        guard let object = json.objectValue else {
            report(path, "must be a mapping of filters, or conditions, or both")
            return nil
        }
        allow(["filters", "conditions"], in: object, path: path)
        let list = object["filters"] ?? .array([])
        guard let list = list.isNull ? [] : list.arrayValue else {
            report("\(path).filters", "must be a list of {field, operator, value}")
            return nil
        }
        let inner = object["conditions"].flatMap { $0.isNull ? Optional<JSON>.none : $0 }
        // A group holds the place of its first condition.
        if !list.isEmpty { count -= 1 }
        if list.isEmpty, inner == nil { report(path, "is empty: it needs filters, or conditions, or both") }
        var group = Filter.Group([])
        for (position, member) in list.enumerated() {
            count += 1
            let place = "\(path).filters.\(position)"
            guard isWithinSize(place) else { return nil }
            guard let object = member.objectValue else {
                report(place, "must be a mapping of field, operator and value")
                continue
            }
            allow(["field", "operator", "value", "unit"], in: object, path: place)
            if let condition = condition(object, path: place) { group.conditions.append(condition) }
        }
        if let inner { group.nested = filter(inner, path: "\(path).conditions", depth: depth + 1) }
        return group
    }

    private mutating func isWithinSize(_ path: String) -> Bool {
        guard count > Filter.sizeLimit else { return true }
        if count == Filter.sizeLimit + 1 { report(path, "is one too many: a filter has at most \(Filter.sizeLimit)") }
        // Every list that is still open ends at its next member.
        count = Filter.sizeLimit + 1
        return false
    }

    private mutating func allow(_ keys: Set<String>, in object: JSONObject, path: String) {
        for key in object.keys where !keys.contains(key) {
            report("\(path).\(key)", "is not known here; known are \(keys.sorted().joined(separator: ", "))")
        }
    }

    // MARK: Conditions

    mutating func condition(_ object: JSONObject, path: String) -> Condition? {
        guard let field = object["field"]?.stringValue, !field.isEmpty, field.utf8.count <= Self.fieldLimit else {
            report("\(path).field", "names what to compare, for example data.plan, in at most \(Self.fieldLimit) bytes")
            return nil
        }
        guard let allowed = operators(of: field, path: path) else { return nil }
        guard let name = object["operator"]?.stringValue, let comparison = Condition.Operator(rawValue: name),
            allowed.contains(comparison)
        else {
            report(
                "\(path).operator",
                "must be one of \(allowed.map(\.rawValue).joined(separator: ", ")) for the field \(field)")
            return nil
        }
        let unit = unit(of: comparison, object["unit"], path: path)
        guard comparison.needsValue else { return Condition(field: field, operator: comparison) }
        guard let value = object["value"], !value.isNull else {
            report("\(path).value", "is required for \(name); null satisfies no operator but notExists")
            return nil
        }
        let condition = Condition(field: field, operator: comparison, value: value, unit: unit)
        checkValue(of: condition, path: "\(path).value")
        return condition
    }

    /// The operators that a field takes; nil with a problem when there is no such field.
    private mutating func operators(of field: String, path: String) -> [Condition.Operator]? {
        guard let dot = field.firstDot else {
            if ["email", "subscribed", "createdAt", "updatedAt"].contains(field) {
                return Condition.FieldKind(path: "contact.\(field)").operators
            }
            if vocabulary.allowsBareNames { return Condition.FieldKind.free.operators }
            report("\(path).field", "must be one of \(knownFields)")
            return nil
        }
        let isComplete = field.utf8.index(after: dot) < field.endIndex
        switch field[..<dot] {
        case "contact" where isComplete: return Condition.FieldKind(path: field).operators
        case "data" where isComplete: return Condition.FieldKind.free.operators
        case "trigger" where isComplete && vocabulary.hasExecution,
            "context" where isComplete && vocabulary.hasExecution,
            "steps" where isComplete && vocabulary.hasExecution,
            "workflow" where isComplete && vocabulary.allowsBareNames,
            "execution" where isComplete && vocabulary.allowsBareNames:
            return Condition.FieldKind.free.operators
        case "event" where isComplete:
            return vocabulary.hasExecution
                ? Condition.Operator.ofOccurrences + Condition.FieldKind.free.operators
                : Condition.Operator.ofOccurrences
        case "email" where isComplete: return activity(field, path: path)
        case "segment" where isComplete:
            if vocabulary.hasSegments { return Condition.Operator.ofMembership }
            report("\(path).field", "refers to a segment, and there are none")
            return nil
        default:
            if vocabulary.allowsBareNames, isComplete { return Condition.FieldKind.free.operators }
            report("\(path).field", "must be one of \(knownFields)")
            return nil
        }
    }

    private mutating func activity(_ field: String, path: String) -> [Condition.Operator]? {
        let known = [
            "received", "sent", "delivered", "opened", "clicked", "bounced", "complained", "replied", "failed",
        ]
        if known.contains(where: { EventName.canonical(field) == "email.\($0)" }) {
            return Condition.Operator.ofOccurrences
        }
        report("\(path).field", "must name what became of a mail: email. and one of \(known.joined(separator: ", "))")
        return nil
    }

    private var knownFields: String {
        let always = "email, subscribed, createdAt, updatedAt, data.…, contact.…, event.…, email.…, segment.…"
        return vocabulary.hasExecution ? always + ", trigger.…, context.…, steps.…" : always
    }

    private mutating func unit(of comparison: Condition.Operator, _ json: JSON?, path: String) -> Condition.Unit? {
        let unit = json?.stringValue.flatMap(Condition.Unit.init(rawValue:))
        if comparison.needsUnit, unit == nil {
            report("\(path).unit", "must be minutes, hours or days for \(comparison.rawValue)")
        } else if !comparison.needsUnit, let json, !json.isNull {
            report("\(path).unit", "has no meaning for \(comparison.rawValue)")
        }
        return comparison.needsUnit ? unit : nil
    }

    private mutating func checkValue(of condition: Condition, path: String) {
        let value = condition.value
        let size =
            switch value {
            case .string(let text): text.utf8.count
            case .array, .object: JSONWriter.bytes(value).count
            default: 0
            }
        guard size <= Self.valueLimit else { return report(path, "must be at most \(Self.valueLimit) bytes long") }
        switch condition.operator.operand {
        case .none, .present: break
        case .span:
            guard let amount = value.doubleValue, amount > 0,
                amount * Double(condition.unit?.microseconds ?? 1) <= Self.longestSpan * 86_400_000_000
            else { return report(path, "must be a number above 0, and not more than \(Int(Self.longestSpan)) days") }
            return
        case .orderable:
            guard value.doubleValue != nil || value.stringValue != nil else {
                return report(path, "must be a number or a text for \(condition.operator.rawValue)")
            }
        }
        guard case .value(let field) = condition.subject else { return }
        switch Condition.FieldKind(path: field) {
        case .address where value.stringValue == nil: report(path, "must be a text")
        case .flag where value.boolValue == nil: report(path, "must be true or false")
        case .instant where value.stringValue.flatMap(Timestamp.init(dateText:)) == nil:
            report(path, "must be a date: YYYY-MM-DD or RFC 3339")
        default: break
        }
    }
}
