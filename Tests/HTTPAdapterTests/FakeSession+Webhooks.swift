import Engine
import WorkflowModel

/// No route touches these.
extension FakeSession {
    func insert(_ call: WebhookCall) throws { throw Unsupported() }
    func webhookCall(_ id: Identifier) throws -> WebhookCall? { throw Unsupported() }
    func deleteWebhookCalls(of execution: Identifier) throws { throw Unsupported() }
    func claimWebhookCalls(
        dueAt time: Timestamp, limit: Int, perReceiver: Int, underWay: [String: Int]
    ) throws -> [WebhookCall] { throw Unsupported() }
    func nextWebhookCall(besides busy: Set<String>) throws -> Timestamp? { throw Unsupported() }
    func retryWebhookCall(_ id: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func endWebhookCall(_ id: Identifier) throws -> Bool { throw Unsupported() }
    func unclaimWebhookCalls(_ ids: [Identifier], until time: Timestamp) throws { throw Unsupported() }
    func releaseWebhookClaims(at time: Timestamp) throws -> [Identifier] { throw Unsupported() }
    func executionsWithoutTheirCall(limit: Int) throws -> [Identifier] { throw Unsupported() }
    func webhookSecret(of project: Identifier) throws -> WebhookSecret? { throw Unsupported() }
    func save(_ secret: WebhookSecret, of project: Identifier) throws { throw Unsupported() }
    func webhookCounts() throws -> [WebhookCall.Status: Int] { [:] }
}
