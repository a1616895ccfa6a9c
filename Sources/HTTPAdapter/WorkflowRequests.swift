import Engine
import JSONValue
import WorkflowModel

// The bodies of requests about workflows, checked.

extension NewWorkflow {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(
            json, keys: ["name", "eventName", "description", "enabled", "allowReentry", "reentryKey"])
        let name = body.text("name", limit: WorkflowRecord.nameLimit, required: true)
        let event = body.text("eventName", limit: EventName.lengthLimit, required: true)
        let description = body.note("description", limit: WorkflowRecord.descriptionLimit)
        let isEnabled = body.flag("enabled")
        let allowsReentry = body.flag("allowReentry")
        let reentryKey = body.reentryKey()
        try body.finish()
        self.init(
            name: name ?? "", eventName: event ?? "", description: description ?? nil, isEnabled: isEnabled ?? false,
            allowsReentry: allowsReentry ?? false, reentryKey: reentryKey ?? nil)
    }
}

extension WorkflowChanges {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(
            json,
            keys: [
                "name", "description", "triggerType", "triggerConfig", "enabled", "allowReentry", "reentryKey",
                "timers",
            ])
        let name = body.text("name", limit: WorkflowRecord.nameLimit)
        let description = body.note("description", limit: WorkflowRecord.descriptionLimit)
        let type = body.text("triggerType", limit: 20)
        let isEnabled = body.flag("enabled")
        let allowsReentry = body.flag("allowReentry")
        let reentryKey = body.reentryKey()
        let timers = body.timers()
        try body.finish()
        self.init(
            name: name, description: description, isEnabled: isEnabled, allowsReentry: allowsReentry,
            reentryKey: reentryKey, triggerType: type, triggerConfig: body.value("triggerConfig"), timers: timers)
    }
}

/// Several workflows at once.
struct BulkUpdate {
    static let limit = 1000

    let ids: [Identifier]
    let deletes: Bool

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["ids", "delete"])
        deletes = body.flag("delete") ?? false
        ids = body.identifiers("ids", upTo: Self.limit)
        try body.finish()
    }
}

extension BodyReader {
    /// A list of ids.
    mutating func identifiers(_ key: String, upTo limit: Int) -> [Identifier] {
        guard let values = value(key)?.arrayValue, (1...limit).contains(values.count) else {
            report(key, "must be a list of 1 to \(limit) ids")
            return []
        }
        var ids: [Identifier] = []
        for (position, value) in values.enumerated() {
            if let id = value.stringValue.flatMap({ Identifier($0) }) {
                ids.append(id)
            } else {
                report("\(key).\(position)", "must be an id")
            }
        }
        return ids
    }
}

extension NewStep {
    /// - Parameter connects: whether the route has `autoConnect`.
    /// - Throws: `APIError` 422.
    init(_ json: JSON, connects: Bool) throws {
        let known: Set<String> = ["id", "type", "name", "position", "config", "templateId"]
        var body = try BodyReader(json, keys: connects ? known.union(["autoConnect"]) : known)
        let type = body.stepType()
        let name = body.text("name", limit: WorkflowRecord.nameLimit, required: true)
        let key = body.stepKey()
        let options = body.object("config")
        let position = body.position()
        let template = body.value("templateId")?.isNull == false ? body.text("templateId", limit: 100) : nil
        let isConnected = body.flag("autoConnect")
        try body.finish()
        self.init(
            key: key, type: type ?? .exit, name: name ?? "", options: options ?? [:], template: template,
            position: position, connects: connects && (isConnected ?? true))
    }
}

extension StepChanges {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["name", "position", "config", "templateId"])
        let name = body.text("name", limit: WorkflowRecord.nameLimit)
        let options = body.object("config")
        let position = body.position()
        let template = body.value("templateId").map { value -> String? in
            guard value.isNull else { return body.text("templateId", limit: 100) }
            body.report("templateId", "cannot be taken away: a SEND_EMAIL needs its template")
            return nil
        }
        try body.finish()
        self.init(name: name, position: position, options: options, template: template ?? nil)
    }
}

extension Transition {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(
            json, keys: ["fromStepId", "toStepId", "branch", "condition", "waitOutcome", "priority"])
        let from = body.text("fromStepId", limit: 100, required: true)
        let to = body.text("toStepId", limit: 100, required: true)
        let branch = body.branch()
        let priority = body.integer("priority", in: 0...1_000_000)
        try body.finish()
        self.init(from: from ?? "", to: to ?? "", branch: branch, priority: priority ?? 0)
    }
}

extension BodyReader {
    fileprivate mutating func timers() -> TimerPolicy? {
        guard let value = value("timers") else { return nil }
        let (policy, problems) = TimerPolicy.read(value, path: "timers")
        for problem in problems { report(problem.path, problem.message) }
        return policy
    }

    /// An inner nil is null.
    fileprivate mutating func reentryKey() -> ReentryKey?? {
        guard let value = value("reentryKey") else { return nil }
        let (key, problems) = ReentryKey.read(value, path: "reentryKey")
        for problem in problems { report(problem.path, problem.message) }
        return problems.isEmpty ? .some(key) : nil
    }

    fileprivate mutating func stepType() -> StepType? {
        let known = StepType.allCases.map(\.rawValue).joined(separator: ", ")
        guard let value = value("type") else {
            report("type", "is missing; it is one of \(known)")
            return nil
        }
        if let type = value.stringValue.flatMap(StepType.init) { return type }
        report("type", "must be one of \(known)")
        return nil
    }

    fileprivate mutating func stepKey() -> String? {
        guard let value = value("id") else { return nil }
        if let key = value.stringValue, Step.isKey(key) { return key }
        report("id", "must be lower-case letters, digits, - and _, at most 64")
        return nil
    }

    fileprivate mutating func position() -> Step.Position? {
        guard let object = object("position") else { return nil }
        for key in object.keys where key != "x" && key != "y" {
            report("position.\(key)", "is not known here; known are x, y")
        }
        func coordinate(_ key: String) -> Double? {
            guard let number = object[key]?.doubleValue, number.magnitude <= 1_000_000_000 else { return nil }
            return number
        }
        let x = coordinate("x")
        let y = coordinate("y")
        if x == nil { report("position.x", "must be a number, at most a thousand million away from 0") }
        if y == nil { report("position.y", "must be a number, at most a thousand million away from 0") }
        guard let x, let y else { return nil }
        return Step.Position(x: x, y: y)
    }

    /// `branch`, or what older clients say for it: `condition: {branch}` and `waitOutcome`.
    fileprivate mutating func branch() -> String? {
        var names: [String] = []
        if let value = value("branch"), !value.isNull { names += branchName(value, "branch") }
        if let value = value("condition"), !value.isNull {
            if let object = value.objectValue, object.keys == ["branch"] {
                names += branchName(object["branch"] ?? .null, "condition.branch")
            } else {
                report("condition", "must be {branch: NAME} or null")
            }
        }
        if let value = value("waitOutcome"), !value.isNull {
            switch value.stringValue {
            case "EVENT": names.append("event")
            case "TIMEOUT": names.append("timeout")
            default: report("waitOutcome", "must be EVENT, TIMEOUT or null")
            }
        }
        if Set(names).count > 1 { report("branch", "is given twice and differently") }
        return names.first
    }

    private mutating func branchName(_ value: JSON, _ field: String) -> [String] {
        guard let name = value.stringValue, (1...64).contains(name.utf8.count) else {
            report(field, "must be the name of a branch, at most 64 characters")
            return []
        }
        return [name]
    }
}
