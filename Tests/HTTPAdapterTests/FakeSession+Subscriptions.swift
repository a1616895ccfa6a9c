import Engine
import WorkflowModel

/// The routes that touch these are tested over a real engine.
extension FakeSession {
    func insert(_ subscription: WebhookSubscription, secret: WebhookSecret) throws { throw Unsupported() }
    func update(_ subscription: WebhookSubscription) throws { throw Unsupported() }
    func delete(subscription id: Identifier) throws { throw Unsupported() }
    func secret(ofSubscription id: Identifier) throws -> WebhookSecret? { throw Unsupported() }
    func save(_ secret: WebhookSecret, ofSubscription id: Identifier) throws { throw Unsupported() }
    func failingSince(ofSubscription id: Identifier) throws -> Timestamp? { throw Unsupported() }
    func setFailing(since time: Timestamp?, ofSubscription id: Identifier) throws { throw Unsupported() }
    func insert(_ delivery: WebhookDelivery) throws { throw Unsupported() }
    func delivery(_ id: Identifier, of subscription: Identifier) throws -> WebhookDelivery? { throw Unsupported() }
    func webhookQueues() throws -> [WebhookQueue] { throw Unsupported() }
    func claimDeliveries(
        of subscription: Identifier, dueAt time: Timestamp, limit: Int
    ) throws -> [WebhookDelivery] { throw Unsupported() }
    func endAttempt(_ delivery: WebhookDelivery) throws -> Bool { throw Unsupported() }
    func unclaimDelivery(_ id: Identifier, of subscription: Identifier, until time: Timestamp) throws {
        throw Unsupported()
    }
    func releaseDeliveryClaims(at time: Timestamp) throws -> [Identifier] { throw Unsupported() }
    func requeueDelivery(_ id: Identifier, of subscription: Identifier, at time: Timestamp) throws -> Bool {
        throw Unsupported()
    }
    func requeueFailedDeliveries(
        of subscription: Identifier, from first: Identifier, to last: Identifier, at time: Timestamp, limit: Int
    ) throws -> [Identifier] { throw Unsupported() }
    func hastenDeliveries(of subscription: Identifier, to time: Timestamp, limit: Int) throws -> Int {
        throw Unsupported()
    }
    func events(from first: Identifier, before last: Identifier, limit: Int) throws -> [EventReference] {
        throw Unsupported()
    }
    func deleteExpiredDeliveries(at time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func deleteStrayDeliveries(limit: Int) throws -> Int { throw Unsupported() }
    func deliveries(
        of subscription: Identifier, status: WebhookDelivery.Status?, before cursor: Identifier?, limit: Int
    ) throws -> [WebhookDeliveryListing] { throw Unsupported() }
    func content(ofEvent id: Identifier) throws -> WebhookContent? { throw Unsupported() }
    func deliveryCounts() throws -> [WebhookDelivery.Status: Int] { [:] }
}
