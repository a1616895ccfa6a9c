import JSONValue

/// Reads step options from JSON and names what is wrong with them. Unknown keys are refused, so that a typing error
/// never silently means the default.
package struct StepConfigReader {
    package private(set) var problems: [WorkflowProblem] = []
    private let path: String
    private let config: JSONObject
    private let zones: (any TimeZoneRules)?

    /// A year: the longest delay and the longest timeout.
    package static let longestPause: Int64 = 365 * 86_400

    private init(_ config: JSONObject, path: String, zones: (any TimeZoneRules)?) {
        self.config = config
        self.path = path
        self.zones = zones
    }

    /// - Parameter zones: the time zones that may be named; nil takes any name, for what was read before.
    /// - Returns: the options, or nil with at least one problem.
    package static func read(
        _ type: StepType, _ config: JSONObject, path: String, zones: (any TimeZoneRules)? = nil
    ) -> (config: StepConfig?, problems: [WorkflowProblem]) {
        var reader = StepConfigReader(config, path: path, zones: zones)
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
        case .webhook: return webhook()
        case .updateContact: return updateContact()
        case .exit:
            allow(["reason"])
            return .exit(reason: string("reason"))
        }
    }

    private mutating func sendEmail() -> StepConfig? {
        if config["attachments"] != nil { report("attachments", "are not possible in mails of a workflow") }
        allow(["templateId", "template", "from", "replyTo", "to", "window", "attachments"])
        onlyOne("template", "templateId")
        guard let template = string("template") ?? string("templateId"), !template.isEmpty else {
            report("template", "names the template to send; it is required")
            return nil
        }
        return .sendEmail(
            .init(
                template: template, from: string("from"), replyTo: string("replyTo"), to: string("to"), window: window()
            ))
    }

    private mutating func delay() -> StepConfig? {
        allow(["amount", "unit", "until", "window"])
        let window = window()
        if config["until"] != nil {
            guard config["amount"] == nil, config["unit"] == nil else {
                report("until", "stands alone: give either until, or amount and unit")
                return nil
            }
            guard let until = string("until"), !until.isEmpty else {
                report("until", "must be an RFC 3339 time or a template that renders to one")
                return nil
            }
            return .delay(.init(.until(until), window: window))
        }
        guard let amount = config["amount"]?.doubleValue, amount > 0, amount.isFinite else {
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
        guard amount * seconds >= 0.001 else {
            report("amount", "must come to a thousandth of a second at least")
            return nil
        }
        return .delay(
            .init(
                .duration(microseconds: Int64(amount * seconds * 1_000_000), amount: amount, unit: unit),
                window: window))
    }

    private mutating func window() -> SendWindow? {
        guard let json = config["window"], !json.isNull else { return nil }
        let (window, found) = SendWindow.read(json, path: path.isEmpty ? "window" : "\(path).window", zones: zones)
        problems += found
        return window
    }

    private mutating func waitForEvent() -> StepConfig? {
        allow(["eventName", "eventNames", "timeout", "filter", "lookback", "ownMail"])
        var names: [(key: String, name: String)] = []
        if let name = string("eventName") { names.append(("eventName", name)) }
        if let list = config["eventNames"] {
            guard let values = list.arrayValue, values.allSatisfy({ $0.stringValue != nil }), values.count <= 20 else {
                report("eventNames", "must be a list of at most 20 event names")
                return nil
            }
            names += values.enumerated().map { ("eventNames.\($0)", $1.stringValue ?? "") }
        }
        if names.isEmpty { report("eventName", "names the event to wait for; it is required, \(EventName.rule)") }
        for (key, name) in names where !EventName.isUsable(name) {
            report(key, "must name an event to wait for, \(EventName.rule)")
        }
        var seen: Set<String> = []
        let canonical = names.map { EventName.canonical($0.name) }.filter { seen.insert($0).inserted }
        return .waitForEvent(
            .init(
                eventNames: canonical, timeout: timeout(), filter: filter(), looksBack: flag("lookback") ?? false,
                isForOwnMail: ownMail(canonical)))
    }

    /// Only events of mails say which mail they are about.
    private mutating func ownMail(_ names: [String]) -> Bool {
        guard flag("ownMail") == true else { return false }
        if let other = names.first(where: { !EventName.ofMail.contains($0) || $0 == EventName.emailReceived }) {
            report("ownMail", "\(other) is no event of a mail that was sent")
        }
        return true
    }

    private mutating func timeout() -> Int64? {
        guard let value = config["timeout"], !value.isNull else { return nil }
        guard let timeout = value.intValue, timeout > 0, timeout <= Self.longestPause else {
            report("timeout", "must be whole seconds, from 1 to \(Self.longestPause) (365 days)")
            return nil
        }
        return timeout
    }

    private mutating func condition() -> StepConfig? {
        if config["filter"] != nil {
            allow(["filter"])
            return filter().map { .condition(.filter($0)) }
        }
        if config["mode"] != nil || config["branches"] != nil { return multiCondition() }
        allow(["field", "operator", "value", "unit"])
        return comparison(config, at: path).map { .condition(.single($0)) }
    }

    private mutating func filter() -> Filter? {
        guard let json = config["filter"], !json.isNull else { return nil }
        let (filter, found) = Filter.read(json, path: "\(path).filter")
        problems += found
        return filter
    }

    private mutating func comparison(_ object: JSONObject, at path: String) -> Condition? {
        let (condition, found) = Condition.read(object, path: path)
        problems += found
        return condition
    }

    private mutating func multiCondition() -> StepConfig? {
        allow(["mode", "field", "branches", "default"])
        guard string("mode") == "multi" else {
            report("mode", "must be multi, or left out")
            return nil
        }
        let otherwise = string("default")
        if let otherwise, !ConditionStep.isBranchID(otherwise) {
            report("default", "must be a branch: letters, digits, _ and -, at most 64")
        }
        guard let field = string("field"), !field.isEmpty else {
            report("field", "names what to compare, for example event.spamVerdict; it is required")
            return nil
        }
        guard let list = config["branches"]?.arrayValue, (1...ConditionStep.branchLimit).contains(list.count) else {
            report("branches", "must be a list of 1 to \(ConditionStep.branchLimit) branches")
            return nil
        }
        let branches = list.enumerated().compactMap { branch($1, field: field, at: "branches.\($0)") }
        var seen: Set<String> = []
        for branch in branches where !seen.insert(branch.id).inserted {
            report("branches", "have the id \(branch.id) twice")
        }
        return .condition(.multi(field: field, branches: branches, otherwise: otherwise))
    }

    private mutating func branch(_ value: JSON, field: String, at key: String) -> ConditionStep.Branch? {
        guard var object = value.objectValue else {
            report(key, "must be a mapping")
            return nil
        }
        allow(["id", "name", "operator", "value", "unit"], in: object, at: key)
        guard let id = object["id"]?.stringValue, ConditionStep.isBranchID(id) else {
            report("\(key).id", "is required: letters, digits, _ and -, at most 64")
            return nil
        }
        let name = object["name"] ?? .null
        if !name.isNull, name.stringValue == nil { report("\(key).name", "must be text") }
        object["field"] = .string(field)
        return comparison(object, at: path.isEmpty ? key : "\(path).\(key)").map {
            ConditionStep.Branch(id: id, name: name.stringValue ?? id, condition: $0)
        }
    }

    // MARK: WEBHOOK

    private mutating func webhook() -> StepConfig? {
        allow(["url", "method", "headers", "body"])
        let method = (string("method") ?? "POST").uppercased()
        if !WebhookRequest.methods.contains(method) {
            report("method", "must be one of \(WebhookRequest.methods.sorted().joined(separator: ", "))")
        }
        let body = config["body"].flatMap { $0.isNull ? JSON?.none : $0 }
        if method == "GET", body != nil {
            report("body", "is not sent with GET: leave it out, or choose another method")
        }
        if let body, JSONWriter.write(body).utf8.count > WebhookPlan.bodyLimit {
            report("body", "must not be larger than \(WebhookPlan.bodyLimit / 1024) KiB")
        }
        guard let url = string("url"), !url.isEmpty else {
            report("url", "names the address to call; it is required")
            return nil
        }
        if let objection = WebhookPlan.objection(toTemplate: url) { report("url", objection) }
        return .webhook(.init(url: url, method: method, headers: headers(), body: body))
    }

    private mutating func headers() -> [WebhookRequest.Header] {
        guard let value = config["headers"], !value.isNull else { return [] }
        guard let object = value.objectValue, object.count <= WebhookHeaderRule.countLimit else {
            report("headers", "must be a mapping of at most \(WebhookHeaderRule.countLimit) names to values")
            return []
        }
        var seen: Set<String> = []
        return object.compactMap { name, value in
            let key = "headers.\(name)"
            if let objection = WebhookHeaderRule.objection(toName: name) { report(key, objection) }
            if !seen.insert(name.lowercased()).inserted { report(key, "is there twice") }
            guard let text = value.stringValue else {
                report(key, "must be text")
                return nil
            }
            if let objection = WebhookHeaderRule.objection(toValue: text) { report(key, objection) }
            return WebhookRequest.Header(name: name, value: text)
        }
    }

    // MARK: UPDATE_CONTACT

    private mutating func updateContact() -> StepConfig? {
        allow(["data", "updates", "subscriptionAction"])
        onlyOne("data", "updates")
        let place = config["data"] == nil && config["updates"] != nil ? "updates" : "data"
        guard let data = (config[place] ?? .object([:])).objectValue else {
            report(place, "must be a mapping of contact fields to values")
            return nil
        }
        for key in data.keys where Contact.reservedKeys.contains(key) {
            report("\(place).\(key)", "is reserved and cannot be set")
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

    private mutating func allow(_ keys: Set<String>) { allow(keys, in: config, at: "") }

    private mutating func allow(_ keys: Set<String>, in object: JSONObject, at place: String) {
        for key in object.keys where !keys.contains(key) {
            report(
                place.isEmpty ? key : "\(place).\(key)",
                "is not an option here; known are \(keys.sorted().joined(separator: ", "))")
        }
    }

    /// Two names of one option: with both, one of them would be without effect.
    private mutating func onlyOne(_ key: String, _ alias: String) {
        if config[key] != nil, config[alias] != nil {
            report(alias, "is another name of \(key): give one of them")
        }
    }

    private mutating func flag(_ key: String) -> Bool? {
        guard let value = config[key], !value.isNull else { return nil }
        if value.boolValue == nil { report(key, "must be true or false") }
        return value.boolValue
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
