import JSONValue
import WorkflowModel

/// A workflow with its templates as one document, the form in which it is kept in a file.
package struct WorkflowDocument: Sendable {
    package struct Template: Hashable, Sendable {
        package var slug: String
        package var kind: TemplateSummary.Kind
        package var content: TemplateContent
    }

    package var slug: String
    package var project: String
    package var name: String
    package var description: String?
    package var isEnabled: Bool
    package var allowsReentry: Bool
    package var reentryKey: ReentryKey?
    package var trigger: WorkflowRecord.Trigger
    package var timers: TimerPolicy
    package var templates: [Template]
    package var graph: WorkflowGraph
    /// Steps and transitions as JSON, the form in which a version is stored.
    package var definition: JSON

    /// Reads a document, and names everything that is wrong with it at once.
    /// - Throws: `UseCaseError.invalid`.
    package init(_ json: JSON) throws {
        var reader = Reader(root: json, zones: SystemZones())
        let slug = reader.slug("workflow")
        let trigger = reader.trigger()
        let templates = reader.templates()
        let (steps, transitions, definition) = reader.graph()
        let name = reader.text(json["name"], "name") ?? slug
        let project = reader.text(json["project"], "project") ?? Project.defaultSlug
        let description = reader.text(json["description"], "description")
        reader.limit(name, WorkflowRecord.nameLimit, "name")
        reader.limit(description ?? "", WorkflowRecord.descriptionLimit, "description")
        let (timers, found) = TimerPolicy.read(json["timers"] ?? .null, path: "timers")
        reader.problems += found
        let isEnabled = reader.flag("enabled", default: false)
        let allowsReentry = reader.flag("allowReentry", default: false)
        let (reentryKey, wrong) = ReentryKey.read(json["reentryKey"], path: "reentryKey")
        reader.problems += wrong
        reader.allow(
            json,
            [
                "workflow", "name", "description", "project", "enabled", "allowReentry", "reentryKey", "trigger",
                "timers", "templates", "steps",
            ], path: "")
        guard reader.problems.isEmpty else { throw Self.invalid(reader.problems) }
        do {
            graph = try WorkflowGraph(steps: steps, transitions: transitions)
        } catch {
            throw Self.invalid(error.problems)
        }
        self.slug = slug
        self.project = project
        self.name = name
        self.description = description
        self.isEnabled = isEnabled
        self.allowsReentry = allowsReentry
        self.reentryKey = reentryKey
        self.trigger = trigger ?? .manual
        self.timers = timers ?? TimerPolicy()
        self.templates = templates
        self.definition = definition
    }

    private static func invalid(_ problems: [WorkflowProblem]) -> UseCaseError {
        UseCaseError(.invalid, "the workflow has errors", problems: problems)
    }

    /// Steps and transitions from their stored form.
    /// - Throws: `StoreError.Code.unusable` when they make no workflow.
    package static func graph(fromDefinition definition: JSON) throws -> WorkflowGraph {
        var reader = Reader(root: definition, zones: nil)
        let (steps, transitions, _) = reader.graph()
        guard reader.problems.isEmpty, let graph = try? WorkflowGraph(steps: steps, transitions: transitions) else {
            throw StoreError(.damaged, "a stored workflow version cannot be read: \(reader.problems)")
        }
        return graph
    }
}

/// Collects values and problems.
private struct Reader {
    let root: JSON
    var problems: [WorkflowProblem] = []

    /// Nil takes any name of a time zone.
    private let zones: (any TimeZoneRules)?

    init(root: JSON, zones: (any TimeZoneRules)?) {
        self.root = root
        self.zones = zones
    }

    mutating func report(_ path: String, _ message: String) { problems.append(.init(path: path, message: message)) }

    mutating func allow(_ value: JSON, _ keys: Set<String>, path: String) {
        guard let object = value.objectValue else {
            return report(path.isEmpty ? "document" : path, "must be a mapping")
        }
        for key in object.keys where !keys.contains(key) {
            report(
                path.isEmpty ? key : "\(path).\(key)",
                "is not known here; known are \(keys.sorted().joined(separator: ", "))")
        }
    }

    mutating func text(_ value: JSON?, _ path: String) -> String? {
        guard let value, !value.isNull else { return nil }
        if let text = value.stringValue { return text }
        report(path, "must be text")
        return nil
    }

    mutating func limit(_ text: String, _ limit: Int, _ path: String) {
        if text.count > limit { report(path, "must not be longer than \(limit) characters") }
    }

    mutating func flag(_ key: String, default fallback: Bool) -> Bool {
        guard let value = root[key] else { return fallback }
        if let flag = value.boolValue { return flag }
        report(key, "must be true or false")
        return fallback
    }

    mutating func slug(_ key: String) -> String {
        guard let text = text(root[key], key), Self.isSlug(text) else {
            report(key, "is required: lower-case letters, digits, - and _, at most 64")
            return ""
        }
        return text
    }

    static func isSlug(_ text: String) -> Bool { Step.isKey(text) }

    mutating func trigger() -> WorkflowRecord.Trigger? {
        guard let trigger = root["trigger"] else {
            report("trigger", "is required: {event: NAME}, {schedule: CRON, all: true} or {manual: true}")
            return nil
        }
        if let object = trigger.objectValue, object["schedule"] != nil {
            let (schedule, found) = ScheduleTrigger.read(object, path: "trigger", zones: zones)
            problems += found
            return schedule.map { .schedule($0) }
        }
        allow(trigger, ["event", "manual"], path: "trigger")
        if let manual = trigger["manual"] {
            if manual != true || trigger["event"] != nil {
                report("trigger.manual", "must be true and stand alone, or be left out")
            }
            return .manual
        }
        guard let name = text(trigger["event"], "trigger.event"), EventName.isUsable(name) else {
            report("trigger.event", "names the event that starts the workflow; it is required, \(EventName.rule)")
            return nil
        }
        return .event(EventName.canonical(name))
    }

    mutating func templates() -> [WorkflowDocument.Template] {
        guard let value = root["templates"] else { return [] }
        guard let object = value.objectValue else {
            report("templates", "must be a mapping of names to templates")
            return []
        }
        return object.compactMap { slug, value in
            let path = "templates.\(slug)"
            if !Self.isSlug(slug) { report(path, "must be named with lower-case letters, digits, - and _") }
            allow(
                value,
                [
                    "type", "subject", "html", "text", "markdown", "from", "fromName", "replyTo", "trackOpens",
                    "trackClicks",
                ],
                path: path
            )
            let type = text(value["type"], "\(path).type") ?? TemplateSummary.Kind.marketing.rawValue
            guard let kind = TemplateSummary.Kind(rawValue: type) else {
                report("\(path).type", "must be MARKETING, TRANSACTIONAL, HEADLESS or PARTIAL")
                return nil
            }
            let content = TemplateContent(
                subject: text(value["subject"], "\(path).subject") ?? "", html: text(value["html"], "\(path).html"),
                text: text(value["text"], "\(path).text"), markdown: text(value["markdown"], "\(path).markdown"),
                from: text(value["from"], "\(path).from"), fromName: text(value["fromName"], "\(path).fromName"),
                replyTo: text(value["replyTo"], "\(path).replyTo"),
                tracksOpens: value["trackOpens"].flatMap(TrackingMode.init),
                tracksClicks: value["trackClicks"].flatMap(TrackingMode.init))
            if content.subject.isEmpty, kind != .partial { report("\(path).subject", "is required") }
            if content.html == nil, content.text == nil, content.markdown == nil {
                report(path, "needs html, markdown or text")
            }
            for key in ["trackOpens", "trackClicks"] {
                if let mode = value[key], TrackingMode(mode) == nil { report("\(path).\(key)", TrackingMode.rule) }
            }
            return .init(slug: slug, kind: kind, content: content)
        }
    }

    mutating func graph() -> (steps: [Step], transitions: [Transition], definition: JSON) {
        guard let object = root["steps"]?.objectValue, !object.isEmpty else {
            report("steps", "is required: a mapping of names to steps, the trigger among them")
            return ([], [], .null)
        }
        var steps: [Step] = []
        var transitions: [Transition] = []
        for (key, value) in object {
            let path = "steps.\(key)"
            if !Self.isSlug(key) { report(path, "must be named with lower-case letters, digits, - and _") }
            allow(value, ["type", "name", "config", "position", "next"], path: path)
            if let config = config(value, path: path) {
                steps.append(
                    Step(
                        key: key, name: text(value["name"], "\(path).name"), config: config,
                        options: value["config"]?.objectValue ?? [:],
                        position: position(value["position"], path: "\(path).position")))
            }
            transitions += edges(from: key, value["next"], path: "\(path).next")
        }
        return (steps, transitions, ["steps": .object(object)])
    }

    private mutating func config(_ value: JSON, path: String) -> StepConfig? {
        guard let name = text(value["type"], "\(path).type"), let type = StepType(rawValue: name) else {
            report("\(path).type", "must be one of \(StepType.allCases.map(\.rawValue).joined(separator: ", "))")
            return nil
        }
        guard let options = (value["config"] ?? .object([:])).objectValue else {
            report("\(path).config", "must be a mapping")
            return nil
        }
        let (config, found) = StepConfigReader.read(type, options, path: "\(path).config", zones: zones)
        problems += found
        return config
    }

    private mutating func position(_ value: JSON?, path: String) -> Step.Position? {
        guard let value, !value.isNull else { return nil }
        allow(value, ["x", "y"], path: path)
        guard let x = value["x"]?.doubleValue, let y = value["y"]?.doubleValue else {
            report(path, "must be {x: number, y: number}")
            return nil
        }
        return Step.Position(x: x, y: y)
    }

    /// `next: step`, or `next: {branch: step}`; the branch `*` is an edge without one beside tagged edges. A step's name
    /// may be written as `{step: name, priority: number}`.
    private mutating func edges(from key: String, _ value: JSON?, path: String) -> [Transition] {
        switch value {
        case nil, .null?: return []
        case .string?: return [edge(from: key, branch: nil, value, path: path)].compactMap(\.self)
        case .object(let object)? where object["step"]?.stringValue != nil && object["priority"]?.intValue != nil:
            return [edge(from: key, branch: nil, value, path: path)].compactMap(\.self)
        case .object(let branches)?:
            return branches.compactMap { branch, to in
                let tag = branch == WorkflowDefinition.untagged ? nil : branch
                return edge(from: key, branch: tag, to, path: "\(path).\(branch)")
            }
        default:
            report(path, "must be a step's name, or a mapping of branches to steps' names")
            return []
        }
    }

    private mutating func edge(from key: String, branch: String?, _ value: JSON?, path: String) -> Transition? {
        guard case .object(let object)? = value else {
            return text(value, path).map { Transition(from: key, to: $0, branch: branch) }
        }
        allow(.object(object), ["step", "priority"], path: path)
        guard let to = object["step"]?.stringValue, let priority = object["priority"]?.intValue.flatMap({ Int($0) })
        else {
            report(path, "must be a step's name, or {step: name, priority: number}")
            return nil
        }
        return Transition(from: key, to: to, branch: branch, priority: priority)
    }
}
