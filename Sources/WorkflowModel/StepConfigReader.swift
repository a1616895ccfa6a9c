import JSONValue

/// Reads step options from JSON and names what is wrong with them. Unknown keys are refused, so that a typing error
/// never silently means the default.
package struct StepConfigReader {
    package private(set) var problems: [WorkflowProblem] = []
    private let path: String
    private let config: JSONObject

    /// A year: the longest delay and the longest timeout.
    package static let longestPause: Int64 = 365 * 86_400

    private init(_ config: JSONObject, path: String) {
        self.config = config
        self.path = path
    }

    /// - Returns: the options, or nil with at least one problem.
    package static func read(
        _ type: StepType, _ config: JSONObject, path: String
    ) -> (config: StepConfig?, problems: [WorkflowProblem]) {
        var reader = StepConfigReader(config, path: path)
        let result = reader.read(type)
        return (reader.problems.isEmpty ? result : nil, reader.problems)
    }

    private mutating func read(_ type: StepType) -> StepConfig? {
        switch type {
        case .trigger:
            allow(["eventName"])
            return .trigger
        case .sendEmail: return sendEmail()
        case .delay: return delay()
        case .waitForEvent: return waitForEvent()
        case .condition: return condition()
        case .updateContact: return updateContact()
        case .exit:
            allow(["reason"])
            return .exit(reason: string("reason"))
        }
    }

    private mutating func sendEmail() -> StepConfig? {
        allow(["templateId", "template", "from", "replyTo", "to"])
        guard let template = string("template") ?? string("templateId"), !template.isEmpty else {
            report("template", "names the template to send; it is required")
            return nil
        }
        return .sendEmail(.init(template: template, from: string("from"), replyTo: string("replyTo"), to: string("to")))
    }

    private mutating func delay() -> StepConfig? {
        allow(["amount", "unit", "until"])
        if config["until"] != nil {
            guard config["amount"] == nil, config["unit"] == nil else {
                report("until", "stands alone: give either until, or amount and unit")
                return nil
            }
            guard let until = string("until"), !until.isEmpty else {
                report("until", "must be an RFC 3339 time or a template that renders to one")
                return nil
            }
            return .delay(.until(until))
        }
        guard let amount = config["amount"]?.doubleValue, amount > 0 else {
            report("amount", "must be a number above 0")
            return nil
        }
        let seconds: Double
        let unit = string("unit") ?? ""
        switch unit {
        case "minutes": seconds = 60
        case "hours": seconds = 3600
        case "days": seconds = 86_400
        default:
            report("unit", "must be minutes, hours or days")
            return nil
        }
        guard amount * seconds <= Double(Self.longestPause) else {
            report("amount", "must not exceed 365 days")
            return nil
        }
        return .delay(.duration(microseconds: Int64(amount * seconds * 1_000_000), amount: amount, unit: unit))
    }

    private mutating func waitForEvent() -> StepConfig? {
        allow(["eventName", "eventNames", "timeout"])
        var names: [String] = []
        if let name = string("eventName") { names.append(name) }
        if let list = config["eventNames"] {
            guard let values = list.arrayValue, values.allSatisfy({ $0.stringValue != nil }), values.count <= 20 else {
                report("eventNames", "must be a list of at most 20 event names")
                return nil
            }
            names += values.compactMap(\.stringValue)
        }
        names = names.map(EventName.canonical)
        guard !names.isEmpty, names.allSatisfy({ !$0.isEmpty && $0.utf8.count <= EventName.lengthLimit }) else {
            report("eventName", "names the event to wait for; it is required")
            return nil
        }
        guard let value = config["timeout"], !value.isNull else {
            return .waitForEvent(.init(eventNames: names, timeout: nil))
        }
        guard let timeout = value.intValue, timeout > 0, timeout <= Self.longestPause else {
            report("timeout", "must be whole seconds, from 1 to \(Self.longestPause) (365 days)")
            return nil
        }
        return .waitForEvent(.init(eventNames: names, timeout: timeout))
    }

    private mutating func condition() -> StepConfig? {
        allow(["field", "operator", "value", "unit"])
        let (condition, found) = Condition.read(config, path: path)
        problems += found
        return condition.map { .condition($0) }
    }

    private mutating func updateContact() -> StepConfig? {
        allow(["data", "updates", "subscriptionAction"])
        let given = config["data"] ?? config["updates"] ?? .object([:])
        guard let data = given.objectValue else {
            report("data", "must be a mapping of contact fields to values")
            return nil
        }
        for key in data.keys where Contact.reservedKeys.contains(key) {
            report("data.\(key)", "is reserved and cannot be set")
        }
        let subscribes: Bool?
        switch string("subscriptionAction") ?? "none" {
        case "none": subscribes = nil
        case "subscribe": subscribes = true
        case "unsubscribe": subscribes = false
        default:
            report("subscriptionAction", "must be none, subscribe or unsubscribe")
            return nil
        }
        if data.isEmpty, subscribes == nil { report("data", "is empty, and there is no subscriptionAction either") }
        return .updateContact(.init(data: data, subscribes: subscribes))
    }

    // MARK: Values

    private mutating func allow(_ keys: Set<String>) {
        for key in config.keys where !keys.contains(key) {
            report(key, "is not an option here; known are \(keys.sorted().joined(separator: ", "))")
        }
    }

    private mutating func string(_ key: String) -> String? {
        guard let value = config[key], !value.isNull else { return nil }
        guard let text = value.stringValue else {
            report(key, "must be text")
            return nil
        }
        return text
    }

    private mutating func report(_ key: String, _ message: String) {
        problems.append(WorkflowProblem(path: path.isEmpty ? key : "\(path).\(key)", message: message))
    }
}
