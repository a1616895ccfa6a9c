import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Subscriptions to events, and what became of their deliveries.
    func answerWebhooks(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let webhooks = Webhooks(context: context, projectID: key.projectID)
        switch (endpoint, exchange.request.method) {
        case (.webhooks, .post):
            let made = try await webhooks.create(try Webhooks.New(try await json(&exchange)))
            var fields = made.listing.fields
            fields["secret"] = .string(made.secret.text)
            return Self.response(.created, json: .object(fields))
        case (.webhooks, _):
            let listings = try await webhooks.list()
            return Self.response(
                json: [
                    "data": .array(listings.map { .object($0.fields) }), "total": .int(Int64(listings.count)),
                ])
        case (.webhook, .patch):
            let changes = try Webhooks.Changes(try await json(&exchange))
            return Self.response(json: .object(try await webhooks.change(try webhookID(exchange), changes).fields))
        case (.webhook, .delete):
            try await webhooks.delete(try webhookID(exchange))
            return Self.noContent
        case (.deliveries, _): return try await deliveries(exchange, webhooks)
        case (.replayWebhook, _):
            let body = try await json(&exchange)
            // One that is not there is that first, whatever is asked of it.
            let id = try await webhooks.find(try webhookID(exchange)).subscription.id
            return Self.response(.accepted, json: try await webhooks.replay(id, Webhooks.ReplayRequest(body)).json)
        case (.webhook, _): return Self.response(json: .object(try await webhooks.find(try webhookID(exchange)).fields))
        default:
            try await readNoBody(&exchange)
            return try await act(exchange, at: endpoint, webhooks)
        }
    }

    /// What needs no body.
    private func act(_ exchange: Exchange, at endpoint: Endpoint, _ webhooks: Webhooks) async throws -> Response {
        let id = try webhookID(exchange)
        switch endpoint {
        case .rotateWebhookSecret:
            let secret = try await webhooks.rotateSecret(of: id)
            return Self.response(
                json: ["secret": .string(secret.text), "previousSignsUntil": JSON(secret.previousEnds)])
        case .testWebhook: return Self.response(.accepted, json: try await webhooks.test(id).json)
        case .resumeWebhook:
            let (listing, replayed) = try await webhooks.resume(id)
            var fields = listing.fields
            fields["replayed"] = replayed.json
            return Self.response(json: .object(fields))
        default:
            let delivery = try identifier(exchange, at: 1, of: "delivery")
            let retried = try await webhooks.retry(delivery, of: id)
            return Self.response(.accepted, json: WebhookDeliveryListing(delivery: retried, event: nil).json)
        }
    }

    private func webhookID(_ exchange: Exchange) throws -> Identifier { try identifier(exchange, at: 0, of: "webhook") }

    private func deliveries(_ exchange: Exchange, _ webhooks: Webhooks) async throws -> Response {
        let id = try webhookID(exchange)
        var problems: [APIError.Problem] = []
        var status: WebhookDelivery.Status?
        if let text = exchange.query("status"), !text.isEmpty {
            status = WebhookDelivery.Status(rawValue: text)
            let known = WebhookDelivery.Status.allCases.map(\.rawValue).joined(separator: ", ")
            if status == nil { problems.append(.init(field: "status", message: "must be one of \(known)")) }
        }
        var cursor: Identifier?
        if let text = exchange.query("cursor"), !text.isEmpty {
            cursor = Identifier(text)
            if cursor == nil { problems.append(.init(field: "cursor", message: "must be the cursor of a page before")) }
        }
        var limit = PageRequest.defaultSize
        if let text = exchange.query("limit"), !text.isEmpty {
            guard let number = Int(text), number >= 1 else {
                throw APIError.invalid(problems + [.init(field: "limit", message: "must be a whole number from 1")])
            }
            limit = min(number, PageRequest.sizeLimit)
        }
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        // One more than asked for tells whether there is a further page.
        let found = try await webhooks.deliveries(of: id, status: status, before: cursor, limit: limit + 1)
        let page = found.prefix(limit)
        let hasMore = found.count > limit
        return Self.response(
            json: [
                "data": .array(page.map(\.json)),
                "cursor": hasMore ? JSON(page.last.map { "\($0.delivery.id)" }) : .null, "hasMore": .bool(hasMore),
            ])
    }
}

// MARK: Bodies

extension Webhooks.New {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["url", "events", "description", "enabled"])
        let url = body.text("url", limit: WebhookURL.lengthLimit, required: true)
        let events = body.texts("events", required: true)
        let description = body.note("description", limit: Webhooks.descriptionLimit)
        let isEnabled = body.flag("enabled")
        try body.finish()
        self.init(
            url: url ?? "", events: events ?? [], description: description ?? nil, isEnabled: isEnabled ?? true)
    }
}

extension Webhooks.Changes {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["url", "events", "description", "enabled"])
        let url = body.text("url", limit: WebhookURL.lengthLimit)
        let events = body.texts("events")
        let description = body.note("description", limit: Webhooks.descriptionLimit)
        let isEnabled = body.flag("enabled")
        try body.finish()
        self.init(url: url, events: events, description: description, isEnabled: isEnabled)
    }
}

extension Webhooks.ReplayRequest {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["since", "until", "events", "onlyFailed"])
        let since = body.time("since", required: true)
        let until = body.time("until")
        let events = body.texts("events")
        let onlyFailed = body.flag("onlyFailed")
        try body.finish()
        self.init(
            since: since ?? Timestamp(seconds: 0), until: until, events: events, onlyFailed: onlyFailed ?? false)
    }
}

extension BodyReader {
    /// A list of texts.
    fileprivate mutating func texts(_ key: String, required: Bool = false) -> [String]? {
        guard let value = value(key) else {
            if required { report(key, "is missing") }
            return nil
        }
        guard let values = value.arrayValue, values.count <= 1000 else {
            report(key, "must be a list of texts")
            return nil
        }
        var texts: [String] = []
        for (position, value) in values.enumerated() {
            guard let text = value.stringValue else {
                report("\(key).\(position)", "must be text")
                continue
            }
            texts.append(text)
        }
        return texts
    }

    fileprivate mutating func time(_ key: String, required: Bool = false) -> Timestamp? {
        guard let value = value(key), required || !value.isNull else {
            if required { report(key, "is missing") }
            return nil
        }
        guard let time = value.stringValue.flatMap({ Timestamp(rfc3339: $0) }) else {
            report(key, "must be an RFC 3339 time")
            return nil
        }
        return time
    }
}

// MARK: Shapes

extension Webhooks.Listing {
    fileprivate var fields: JSONObject {
        let status = subscription.pause != nil ? "paused" : subscription.isEnabled ? "active" : "disabled"
        return [
            "id": .string("\(subscription.id)"), "url": .string(subscription.url),
            "description": JSON(subscription.description),
            "events": .array(subscription.events.map { .string($0.text) }), "enabled": .bool(subscription.isEnabled),
            "status": .string(status), "pausedAt": JSON(subscription.pause?.at),
            "pauseReason": JSON(subscription.pause?.reason), "failingSince": JSON(failingSince),
            "projectId": .string("\(subscription.projectID)"), "createdAt": .string("\(subscription.createdAt)"),
            "updatedAt": .string("\(subscription.updatedAt)"),
        ]
    }
}

extension WebhookDeliveryListing {
    fileprivate var json: JSON {
        [
            "id": .string("\(delivery.id)"), "webhookId": .string("\(delivery.subscriptionID)"),
            "eventId": .string("\(delivery.eventID)"), "event": JSON(event),
            "status": .string(delivery.status.rawValue), "attempts": .int(Int64(delivery.attempts)),
            "dueAt": delivery.endedAt == nil ? .string("\(delivery.dueAt)") : .null,
            "statusCode": delivery.answer.map { .int(Int64($0)) } ?? .null, "reason": JSON(delivery.reason),
            "createdAt": .string("\(delivery.createdAt)"), "endedAt": JSON(delivery.endedAt),
        ]
    }
}

extension Webhooks.Replayed {
    fileprivate var json: JSON { ["queued": .int(Int64(queued)), "continueFrom": JSON(continueFrom)] }
}
