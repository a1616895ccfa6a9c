import WorkflowModel

/// A webhook on its way out: written in the transaction that decided to call, made later, gone when its end is recorded
/// (the step execution keeps the request and what came of it).
package struct WebhookCall: Hashable, Sendable {
    /// The raw values are what the database shows.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// Due at `dueAt`, first attempt or not.
        case pending
        /// An attempt is under way.
        case claimed
    }

    package var request: WebhookRequest
    package var projectID: Identifier
    package var executionID: Identifier
    package var status: Status
    package var dueAt: Timestamp
    /// Attempts so far, those included whose end nobody knows.
    package var attempts: Int
    package var createdAt: Timestamp

    /// The request's id, which is the `webhook-id`.
    package var id: Identifier { request.id }

    /// Host and port that calls are counted by; empty when the address cannot be read, which fails with the attempt.
    package var receiver: String { (try? WebhookURL(request.url))?.authority ?? "" }

    package init(
        request: WebhookRequest, projectID: Identifier, executionID: Identifier, status: Status = .pending,
        dueAt: Timestamp, attempts: Int = 0, createdAt: Timestamp
    ) {
        self.request = request
        self.projectID = projectID
        self.executionID = executionID
        self.status = status
        self.dueAt = dueAt
        self.attempts = attempts
        self.createdAt = createdAt
    }
}

/// The secret that a project's webhooks are signed with.
package struct WebhookSecret: Hashable, Sendable {
    /// 32 bytes.
    package var bytes: [UInt8]
    /// The one before the last rotation; it signs beside the new one until `previousEnds`.
    package var previous: [UInt8]?
    package var previousEnds: Timestamp?

    package init(bytes: [UInt8], previous: [UInt8]? = nil, previousEnds: Timestamp? = nil) {
        self.bytes = bytes
        self.previous = previous
        self.previousEnds = previousEnds
    }
}
