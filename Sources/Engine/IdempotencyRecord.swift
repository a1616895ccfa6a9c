import WorkflowModel

/// What is remembered of a request with an idempotency key.
package struct IdempotencyRecord: Hashable, Sendable {
    /// What the first request was answered.
    package struct Answer: Hashable, Sendable {
        package var status: Int
        /// JSON; empty for an answer without a body.
        package var body: [UInt8]

        package init(status: Int, body: [UInt8]) {
            self.status = status
            self.body = body
        }
    }

    package var projectID: Identifier
    package var key: String
    /// The request that owns the record.
    package var requestID: Identifier
    /// SHA-256 over method, path and body.
    package var fingerprint: [UInt8]
    package var createdAt: Timestamp
    /// Nil when the request took effect and the process ended before its answer was kept.
    package var answer: Answer?

    package init(
        projectID: Identifier, key: String, requestID: Identifier, fingerprint: [UInt8], createdAt: Timestamp,
        answer: Answer? = nil
    ) {
        self.projectID = projectID
        self.key = key
        self.requestID = requestID
        self.fingerprint = fingerprint
        self.createdAt = createdAt
        self.answer = answer
    }
}
