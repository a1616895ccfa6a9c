import JSONValue

/// Renders what a WEBHOOK step sends.
struct WebhookPlan {
    /// Why there is nothing to send.
    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    private let webhook: StepConfig.Webhook
    private let step: String
    private let scope: Scope
    private let environment: any MachineEnvironment

    init(_ webhook: StepConfig.Webhook, step: String, scope: Scope, environment: any MachineEnvironment) {
        self.webhook = webhook
        self.step = step
        self.scope = scope
        self.environment = environment
    }

    /// Bytes of a rendered body, at most.
    static let bodyLimit = 256 * 1024

    /// - Throws: `Refusal`, or what a template throws.
    func request() throws -> WebhookRequest {
        var headers = try webhook.headers.map { header in
            WebhookRequest.Header(name: header.name, value: try environment.render(header.value, scope: scope))
        }
        let type = headers.first { $0.name.lowercased() == "content-type" }
        let body = try webhook.method == "GET" ? nil : body(type: type?.value)
        guard (body?.utf8.count ?? 0) <= Self.bodyLimit else {
            throw Refusal(description: "the body is larger than \(Self.bodyLimit / 1024) KiB")
        }
        if body != nil, type == nil { headers.append(.init(name: "Content-Type", value: "application/json")) }
        let request = WebhookRequest(
            id: environment.makeCallID(), step: step, method: webhook.method,
            url: try environment.render(webhook.url, scope: scope), headers: headers, body: body)
        if let objection = request.objection { throw Refusal(description: objection) }
        return request
    }

    /// Text that is declared to be something else than JSON goes out as it is.
    private func body(type: String?) throws -> String {
        let body = try webhook.body.map { try environment.render($0, scope: scope) } ?? Self.standardBody(scope)
        if case .string(let text) = body, let type, !type.lowercased().contains("json") { return text }
        return JSONWriter.write(body)
    }

    /// What is sent where the step gives no body.
    private static func standardBody(_ scope: Scope) -> JSON {
        let contact = scope.contact
        return [
            "contact": [
                "id": .string("\(contact.id)"), "email": .string(contact.email),
                "subscribed": .bool(contact.isSubscribed), "data": .object(contact.data),
            ],
            "workflow": ["id": .string("\(scope.execution.workflowID)"), "name": .string(scope.workflowName)],
            "execution": [
                "id": .string("\(scope.execution.id)"), "startedAt": .string("\(scope.execution.startedAt)"),
            ],
            "event": scope.value(at: "event") ?? .object([:]), "context": .object(scope.execution.context),
        ]
    }

    /// Why the text of an address cannot become one: a sentence without its subject. Of an address with templates in it
    /// only the beginning is known, and nothing when it begins with one.
    static func objection(toTemplate url: String) -> String? {
        guard url.contains("{{") || url.contains("{%") else {
            do throws(WebhookURL.Objection) { _ = try WebhookURL(url) } catch { return "\(error)" }
            return nil
        }
        if url.utf8.count > WebhookURL.lengthLimit { return "is longer than \(WebhookURL.lengthLimit) bytes" }
        let lower = url.lowercased()
        let begins = ["{{", "{%", "https://", "http://"].contains { lower.hasPrefix($0) }
        return begins ? nil : "does not begin with https://"
    }
}

extension MachineEnvironment {
    /// Renders every string in a value, at any depth; keys and everything else stay as they are.
    func render(_ value: JSON, scope: Scope) throws -> JSON {
        switch value {
        case .string(let source): .string(try render(source, scope: scope))
        case .array(let values): .array(try values.map { try render($0, scope: scope) })
        case .object(let object): .object(JSONObject(try object.map { ($0.0, try render($0.1, scope: scope)) }))
        default: value
        }
    }
}
