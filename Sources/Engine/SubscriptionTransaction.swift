import WorkflowModel

/// The store's operations on subscriptions to events and the calls they bring, inside one write transaction.
package protocol SubscriptionTransaction: AnyObject {
    // MARK: Subscriptions, a part of the catalog

    func insert(_ subscription: WebhookSubscription, secret: WebhookSecret) throws
    func update(_ subscription: WebhookSubscription) throws
    /// Its deliveries are left to `deleteStrayDeliveries`.
    func delete(subscription id: Identifier) throws
    /// Nil when there is no such subscription.
    func secret(ofSubscription id: Identifier) throws -> WebhookSecret?
    func save(_ secret: WebhookSecret, ofSubscription id: Identifier) throws
    /// Since when there have been nothing but failures; nil after a success.
    func failingSince(ofSubscription id: Identifier) throws -> Timestamp?
    func setFailing(since time: Timestamp?, ofSubscription id: Identifier) throws

    // MARK: Deliveries

    func insert(_ delivery: WebhookDelivery) throws
    func delivery(_ id: Identifier, of subscription: Identifier) throws -> WebhookDelivery?
    /// One for each subscription that something is pending for; costs the same whatever its backlog.
    func webhookQueues() throws -> [WebhookQueue]
    /// Marks deliveries that are due as claimed and returns them, the longest due first, of these the oldest.
    func claimDeliveries(
        of subscription: Identifier, dueAt time: Timestamp, limit: Int
    ) throws -> [WebhookDelivery]
    /// Writes what came of an attempt.
    /// - Returns: false when the delivery is not claimed any more: there is nothing to record.
    func endAttempt(_ delivery: WebhookDelivery) throws -> Bool
    /// Gives back a delivery whose attempt never began; no attempt is counted.
    func unclaimDelivery(_ id: Identifier, of subscription: Identifier, until time: Timestamp) throws
    /// Gives back what a stopped daemon had claimed; each counts as an attempt.
    func releaseDeliveryClaims(at time: Timestamp) throws -> [Identifier]
    /// Makes a delivery pending with all its attempts before it, whatever it was.
    /// - Returns: false while an attempt is under way, or when there is none.
    func requeueDelivery(_ id: Identifier, of subscription: Identifier, at time: Timestamp) throws -> Bool
    /// The same for failed ones that were made from the first to the second id, the oldest first.
    /// - Returns: their ids.
    func requeueFailedDeliveries(
        of subscription: Identifier, from first: Identifier, to last: Identifier, at time: Timestamp, limit: Int
    ) throws -> [Identifier]
    /// Makes what waits for a later attempt due at that time.
    /// - Returns: how many were later.
    @discardableResult
    func hastenDeliveries(of subscription: Identifier, to time: Timestamp, limit: Int) throws -> Int
    /// Stored events of all projects with ids from the first on and before the second, in order.
    func events(from first: Identifier, before last: Identifier, limit: Int) throws -> [EventReference]

    // MARK: Sweeping

    /// Deletes deliveries that ended long enough ago.
    /// - Returns: how many.
    func deleteExpiredDeliveries(at time: Timestamp, limit: Int) throws -> Int
    /// Deletes deliveries of subscriptions that are gone.
    /// - Returns: how many.
    func deleteStrayDeliveries(limit: Int) throws -> Int
}

/// Reads of subscriptions to events and the calls they bring, on a snapshot.
package protocol SubscriptionReader: AnyObject {
    func failingSince(ofSubscription id: Identifier) throws -> Timestamp?
    func secret(ofSubscription id: Identifier) throws -> WebhookSecret?
    func delivery(_ id: Identifier, of subscription: Identifier) throws -> WebhookDelivery?
    /// The newest first, those before the id `cursor` alone.
    func deliveries(
        of subscription: Identifier, status: WebhookDelivery.Status?, before cursor: Identifier?, limit: Int
    ) throws -> [WebhookDeliveryListing]
    /// Nil when the event is no longer there.
    func content(ofEvent id: Identifier) throws -> WebhookContent?
    /// Of those that have not ended.
    func deliveryCounts() throws -> [WebhookDelivery.Status: Int]
}
