import WorkflowModel

/// What the daemon says about itself.
package struct Health: Sendable {
    package var outbox: [OutboxEntry.Status: Int]
    package var webhooks: [WebhookCall.Status: Int]
    package var deliveries: [WebhookDelivery.Status: Int]
    /// Since the database was made.
    package var counters: [String: Int]
    /// By room, since the process started.
    package var gauges: [String: [String: Int]]

    /// - Throws: `StoreError` when the database does not answer.
    package static func read(_ context: EngineContext) async throws -> Health {
        try await context.store.read {
            Health(
                outbox: try $0.outboxCounts(), webhooks: try $0.webhookCounts(),
                deliveries: try $0.deliveryCounts(), counters: try $0.counters(), gauges: context.gauges.read())
        }
    }
}
