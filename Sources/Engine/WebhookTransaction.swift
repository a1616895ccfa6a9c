import WorkflowModel

/// The store's operations on webhook calls inside one write transaction.
package protocol WebhookTransaction: AnyObject {
    func insert(_ call: WebhookCall) throws
    /// Nil when it has ended or was taken back.
    func webhookCall(_ id: Identifier) throws -> WebhookCall?
    /// Takes back what an execution wanted called, when it ends without waiting for the answer.
    func deleteWebhookCalls(of execution: Identifier) throws

    /// Marks due calls as claimed and returns them: for each receiver as many as `perReceiver` leaves beside those under
    /// way, the receiver that waits longest first. One that cannot be read fails its execution in its place.
    func claimWebhookCalls(
        dueAt time: Timestamp, limit: Int, perReceiver: Int, underWay: [String: Int]
    ) throws -> [WebhookCall]
    /// When the next call is due, receivers in `busy` left aside.
    func nextWebhookCall(besides busy: Set<String>) throws -> Timestamp?
    /// Counts an attempt of a claimed call and makes it due again. Does nothing when the call was taken back.
    func retryWebhookCall(_ id: Identifier, at time: Timestamp) throws
    /// Removes a claimed call whose end is recorded in this transaction.
    /// - Returns: false when it was taken back meanwhile: there is nothing to record.
    func endWebhookCall(_ id: Identifier) throws -> Bool
    /// Gives back calls whose attempt never began; no attempt is counted.
    func unclaimWebhookCalls(_ ids: [Identifier], until time: Timestamp) throws
    /// Gives back what a stopped daemon had claimed; each counts as an attempt.
    func releaseWebhookClaims(at time: Timestamp) throws -> [Identifier]
    /// Executions that are held up by a call that is not there.
    func executionsWithoutTheirCall(limit: Int) throws -> [Identifier]

    /// Nil before the first `save`.
    func webhookSecret(of project: Identifier) throws -> WebhookSecret?
    func save(_ secret: WebhookSecret, of project: Identifier) throws
}
