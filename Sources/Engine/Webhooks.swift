import JSONValue
import WorkflowModel

/// The subscriptions of one project as people and clients handle them.
package struct Webhooks: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// Subscriptions of one project: each that listens costs every event a look.
    package static let countLimit = 100
    package static let patternLimit = 50
    package static let descriptionLimit = 500

    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    /// A subscription with what is not a part of the catalog.
    package struct Listing: Sendable {
        package var subscription: WebhookSubscription
        /// Since when there have been nothing but failures.
        package var failingSince: Timestamp?
    }

    // MARK: Subscriptions

    package struct New: Sendable {
        package var url: String
        package var events: [String]
        package var description: String?
        package var isEnabled: Bool

        package init(url: String, events: [String], description: String? = nil, isEnabled: Bool = true) {
            self.url = url
            self.events = events
            self.description = description
            self.isEnabled = isEnabled
        }
    }

    /// What is to change; nil stays.
    package struct Changes: Sendable {
        package var url: String?
        package var events: [String]?
        /// An inner nil takes it away.
        package var description: String??
        package var isEnabled: Bool?

        package init(
            url: String? = nil, events: [String]? = nil, description: String?? = nil, isEnabled: Bool? = nil
        ) {
            self.url = url
            self.events = events
            self.description = description
            self.isEnabled = isEnabled
        }
    }

    /// - Returns: the subscription and its secret, which is not shown again.
    /// - Throws: `UseCaseError`: `invalid` with every problem, `conflict` when the project has enough of them.
    package func create(_ new: New) async throws -> (listing: Listing, secret: WebhookSecret) {
        let events = try checked(url: new.url, events: new.events)
        let secret = WebhookSecret(bytes: context.cryptography.randomBytes(32))
        let projectID = projectID
        let subscription = try await context.transact { transaction in
            let others = transaction.catalog.subscriptions.count { $0.projectID == projectID }
            guard others < Self.countLimit else {
                throw UseCaseError(.conflict, "the project has \(others) webhooks, and may have no more: delete some")
            }
            let subscription = WebhookSubscription(
                id: transaction.makeID(), projectID: projectID, url: new.url, description: new.description,
                events: events, isEnabled: new.isEnabled, createdAt: transaction.now, updatedAt: transaction.now)
            try transaction.store.insert(subscription, secret: secret)
            try transaction.audit(
                "webhook.created", "\(subscription.id)", in: projectID, details: Self.details(subscription))
            return subscription
        }
        return (Listing(subscription: subscription, failingSince: nil), secret)
    }

    /// The newest first.
    package func list() async throws -> [Listing] {
        let projectID = projectID
        return try await context.store.read { reader in
            try reader.loadCatalog().subscriptions.filter { $0.projectID == projectID }.reversed().map {
                Listing(subscription: $0, failingSince: try reader.failingSince(ofSubscription: $0.id))
            }
        }
    }

    /// - Throws: `UseCaseError.notFound`, also for one of another project.
    package func find(_ id: Identifier) async throws -> Listing {
        let projectID = projectID
        return try await context.store.read { reader in
            Listing(
                subscription: try Self.find(id, project: projectID, in: try reader.loadCatalog()),
                failingSince: try reader.failingSince(ofSubscription: id))
        }
    }

    /// - Throws: `UseCaseError`: `notFound`, `invalid` with every problem.
    package func change(_ id: Identifier, _ changes: Changes) async throws -> Listing {
        let events = try checked(url: changes.url, events: changes.events)
        let projectID = projectID
        return try await context.transact { transaction in
            let before = try Self.find(id, project: projectID, in: transaction.catalog)
            var after = before
            if let url = changes.url { after.url = url }
            if changes.events != nil { after.events = events }
            if let description = changes.description { after.description = description }
            if let isEnabled = changes.isEnabled { after.isEnabled = isEnabled }
            var since = try transaction.store.failingSince(ofSubscription: id)
            guard after != before else { return Listing(subscription: before, failingSince: since) }
            // Another receiver has failed at nothing yet, and while it was off nobody has tried.
            if since != nil, after.url != before.url || after.isEnabled && !before.isEnabled {
                try transaction.store.setFailing(since: nil, ofSubscription: id)
                since = nil
            }
            after.updatedAt = transaction.now
            try transaction.store.update(after)
            try transaction.audit("webhook.updated", "\(id)", in: projectID, details: Self.details(after))
            transaction.wakes.webhooks = true
            return Listing(subscription: after, failingSince: since)
        }
    }

    /// What is still on its way to it is dropped.
    /// - Throws: `UseCaseError.notFound`.
    package func delete(_ id: Identifier) async throws {
        let projectID = projectID
        try await context.transact { transaction in
            let subscription = try Self.find(id, project: projectID, in: transaction.catalog)
            try transaction.store.delete(subscription: id)
            try transaction.audit("webhook.deleted", "\(id)", in: projectID, details: Self.details(subscription))
        }
    }

    /// A new secret; the one before signs beside it for a day.
    /// - Throws: `UseCaseError.notFound`.
    package func rotateSecret(of id: Identifier) async throws -> WebhookSecret {
        let candidate = context.cryptography.randomBytes(32)
        let projectID = projectID
        return try await context.transact { transaction in
            _ = try Self.find(id, project: projectID, in: transaction.catalog)
            let before = try transaction.store.secret(ofSubscription: id)
            let secret = WebhookSecret(
                bytes: candidate, previous: before?.bytes,
                previousEnds: before.map { _ in transaction.now.adding(seconds: WebhookSecrets.overlap) })
            try transaction.store.save(secret, ofSubscription: id)
            try transaction.audit("webhook.secret_rotated", "\(id)", in: projectID)
            return secret
        }
    }

    // MARK: Deliveries

    /// Sends the event `webhook.test`, whatever the subscription listens to.
    /// - Throws: `UseCaseError`: `notFound`, `conflict` when it is not called at present.
    package func test(_ id: Identifier) async throws -> WebhookDeliveryListing {
        let projectID = projectID
        return try await context.transact { transaction in
            let subscription = try Self.find(id, project: projectID, in: transaction.catalog)
            guard subscription.isListening else {
                throw UseCaseError(
                    .conflict,
                    subscription.isEnabled ? "the webhook is paused: resume it first" : "the webhook is not enabled")
            }
            let event = try EventRecorder(transaction: transaction, projectID: projectID).record(
                EventName.webhookTest, data: ["webhook": .string("\(id)")], generation: 0, contact: nil)
            let delivery = try transaction.deliver(event.id, to: subscription)
            guard let stored = try transaction.store.delivery(delivery, of: id) else { throw Self.missing(delivery) }
            try transaction.audit(
                "webhook.tested", "\(id)", in: projectID, details: ["deliveryId": .string("\(delivery)")])
            return WebhookDeliveryListing(delivery: stored, event: event.name)
        }
    }

    /// The newest first, those before `cursor` alone.
    /// - Throws: `UseCaseError.notFound`.
    package func deliveries(
        of id: Identifier, status: WebhookDelivery.Status?, before cursor: Identifier?, limit: Int
    ) async throws -> [WebhookDeliveryListing] {
        let projectID = projectID
        return try await context.store.read { reader in
            _ = try Self.find(id, project: projectID, in: try reader.loadCatalog())
            return try reader.deliveries(of: id, status: status, before: cursor, limit: limit)
        }
    }

    /// Makes a delivery once more under its id, with all its attempts before it.
    /// - Throws: `UseCaseError`: `notFound`, `conflict` while an attempt is under way.
    package func retry(_ delivery: Identifier, of id: Identifier) async throws -> WebhookDelivery {
        let projectID = projectID
        return try await context.transact { transaction in
            _ = try Self.find(id, project: projectID, in: transaction.catalog)
            guard try transaction.store.delivery(delivery, of: id) != nil else { throw Self.missing(delivery) }
            guard try transaction.store.requeueDelivery(delivery, of: id, at: transaction.now),
                let stored = try transaction.store.delivery(delivery, of: id)
            else { throw UseCaseError(.conflict, "an attempt is under way: look again in a minute") }
            try transaction.audit(
                "webhook.delivery_retried", "\(id)", in: projectID,
                details: ["deliveryId": .string("\(delivery)")])
            transaction.wakes.webhooks = true
            return stored
        }
    }

    // MARK: What the ways in share

    /// - Parameters: nil for what stays.
    /// - Throws: `UseCaseError.invalid` with every problem.
    private func checked(url: String?, events: [String]?) throws -> [EventPattern] {
        var problems: [WorkflowProblem] = []
        if let url, let objection = context.configuration.webhookDestinations.objection(toText: url) {
            problems.append(.init(path: "url", message: objection))
        }
        let (patterns, found) = Self.patterns(events ?? [], path: "events")
        problems += found
        if let events, events.isEmpty {
            problems.append(.init(path: "events", message: "must name at least one event"))
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the webhook is invalid", problems: problems) }
        return patterns
    }

    static func patterns(_ texts: [String], path: String) -> (patterns: [EventPattern], problems: [WorkflowProblem]) {
        guard texts.count <= patternLimit else {
            return ([], [.init(path: path, message: "must not be more than \(patternLimit) patterns")])
        }
        var patterns: [EventPattern] = []
        var problems: [WorkflowProblem] = []
        for (position, text) in texts.enumerated() {
            do throws(EventPattern.Objection) {
                let pattern = try EventPattern(text)
                if !patterns.contains(pattern) { patterns.append(pattern) }
            } catch {
                problems.append(.init(path: "\(path).\(position)", message: "\(error)"))
            }
        }
        return (patterns, problems)
    }

    static func find(_ id: Identifier, project: Identifier, in catalog: Catalog) throws -> WebhookSubscription {
        guard let subscription = catalog.subscription(id), subscription.projectID == project else {
            throw UseCaseError(.notFound, "there is no webhook \(id)")
        }
        return subscription
    }

    private static func missing(_ delivery: Identifier) -> UseCaseError {
        UseCaseError(.notFound, "there is no delivery \(delivery) of this webhook")
    }

    /// Without path and query, where secrets may stand.
    private static func details(_ subscription: WebhookSubscription) -> JSONObject {
        [
            "receiver": .string(subscription.receiver), "events": .array(subscription.events.map { .string($0.text) }),
            "enabled": .bool(subscription.isEnabled),
        ]
    }
}

extension WebhookDestinations {
    /// Why that address cannot be called, as far as it can be told without looking it up; nil when nothing speaks against
    /// it.
    package func objection(toText text: String) -> String? {
        do throws(WebhookURL.Objection) {
            return objection(to: try WebhookURL(text))
        } catch {
            return "\(error)"
        }
    }
}
