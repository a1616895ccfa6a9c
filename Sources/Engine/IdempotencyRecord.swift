import WorkflowModel

/// What is remembered of a request with an idempotency key.
package struct IdempotencyRecord: Hashable, Sendable {
    /// What a client calls its request.
    package struct Name: Hashable, Sendable {
        package var projectID: Identifier
        /// Of the API key: anybody may have a public one, and must not take the names of those who have a secret one.
        package var kind: APIKey.Kind
        package var key: String

        package init(projectID: Identifier, kind: APIKey.Kind, key: String) {
            self.projectID = projectID
            self.kind = kind
            self.key = key
        }
    }

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

    package var name: Name
    /// The request that owns the record.
    package var requestID: Identifier
    /// SHA-256 over method, path and body.
    package var fingerprint: [UInt8]
    package var createdAt: Timestamp
    /// Nil when the request took effect and the process ended before its answer was kept.
    package var answer: Answer?

    package init(
        name: Name, requestID: Identifier, fingerprint: [UInt8], createdAt: Timestamp, answer: Answer? = nil
    ) {
        self.name = name
        self.requestID = requestID
        self.fingerprint = fingerprint
        self.createdAt = createdAt
        self.answer = answer
    }
}
