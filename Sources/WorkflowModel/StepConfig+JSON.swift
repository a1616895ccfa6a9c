import JSONValue

extension StepConfig {
    /// The options as they are written in documents and requests, with the canonical names: what `StepConfigReader` reads
    /// back as the same value.
    package var json: JSONObject {
        switch self {
        case .trigger: [:]
        case .sendEmail(let send): send.json
        case .delay(let delay): delay.json
        case .waitForEvent(let wait): wait.json
        case .condition(let condition): condition.json
        case .webhook(let webhook): webhook.json
        case .updateContact(let update): update.json
        case .exit(let reason): JSONObject(reason.map { [("reason", .string($0))] } ?? [])
        }
    }
}

extension StepConfig.SendEmail {
    fileprivate var json: JSONObject {
        var object: JSONObject = ["templateId": .string(template)]
        object["from"] = from.map { .string($0) }
        object["replyTo"] = replyTo.map { .string($0) }
        object["to"] = to.map { .string($0) }
        object["window"] = window.map(\.json)
        return object
    }
}

extension StepConfig.Delay {
    fileprivate var json: JSONObject {
        var object: JSONObject =
            switch kind {
            case .duration(_, let amount, let unit): ["amount": .number(amount), "unit": .string(unit)]
            case .until(let text): ["until": .string(text)]
            }
        object["window"] = window.map(\.json)
        return object
    }
}

extension StepConfig.WaitForEvent {
    fileprivate var json: JSONObject {
        var object = JSONObject()
        if eventNames.count == 1 {
            object["eventName"] = .string(eventNames[0])
        } else {
            object["eventNames"] = .array(eventNames.map { .string($0) })
        }
        object["timeout"] = timeout.map { .int($0) }
        object["filter"] = filter?.json
        if looksBack { object["lookback"] = true }
        if isForOwnMail { object["ownMail"] = true }
        return object
    }
}

extension ConditionStep {
    fileprivate var json: JSONObject {
        switch self {
        case .single(let condition): return condition.json
        case .filter(let filter): return ["filter": filter.json]
        case .multi(let field, let branches, let otherwise):
            var object: JSONObject = [
                "mode": "multi", "field": .string(field), "branches": .array(branches.map { .object($0.json) }),
            ]
            object["default"] = otherwise.map { .string($0) }
            return object
        }
    }
}

extension ConditionStep.Branch {
    fileprivate var json: JSONObject {
        var object: JSONObject = ["id": .string(id), "name": .string(name)]
        for (key, value) in condition.json where key != "field" { object[key] = value }
        return object
    }
}

extension StepConfig.Webhook {
    fileprivate var json: JSONObject {
        var object: JSONObject = ["url": .string(url), "method": .string(method)]
        if !headers.isEmpty {
            object["headers"] = .object(JSONObject(headers.map { ($0.name, JSON.string($0.value)) }))
        }
        object["body"] = body
        return object
    }
}

extension StepConfig.UpdateContact {
    fileprivate var json: JSONObject {
        var object: JSONObject = ["data": .object(data)]
        object["subscriptionAction"] = subscribes.map { .string($0 ? "subscribe" : "unsubscribe") }
        return object
    }
}

extension JSON {
    /// A whole number as one, so that `2` does not come back as `2.0`.
    fileprivate static func number(_ value: Double) -> JSON { Int64(exactly: value).map { .int($0) } ?? .double(value) }
}
