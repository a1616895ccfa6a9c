import JSONValue
import WorkflowModel

/// The database. Every driver passes the same contract suite.
package protocol Store: Sendable {
    /// Runs `body` in a transaction and returns when its effects are durable. Callers at the same time share one commit;
    /// each has its own savepoint, so an error of one rolls back that one alone.
    /// - Throws: what `body` throws, or `StoreError`.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value

    /// The same for callers that are no tasks: returns at once, `completion` is called once from any thread.
    /// - Parameter others: how many callers of this kind will probably come within milliseconds. Where they are several, the
    ///   commit waits for them, never longer than it takes itself a few times over; where there is none it does not wait. Nil
    ///   for a caller that does not mind: it goes along with those that wait, or at once.
    func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void)

    /// Runs `body` on a snapshot, beside the writer.
    /// - Throws: what `body` throws, or `StoreError`.
    func read<Value: Sendable>(_ body: @escaping @Sendable (any StoreReader) throws -> Value) async throws -> Value
}

extension Store {
    /// For a caller that comes alone.
    package func submit<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        submit(others: 0, body, completion: completion)
    }

    /// `write` for a caller that does not mind going along with others that wait for company.
    package func writeAlong<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            submit(others: nil, body) { continuation.resume(with: $0) }
        }
    }
}

/// Why the database could not do its work.
package struct StoreError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Not there, not readable, not ours, or damaged.
        case unusable
        /// Written by a newer version of the program.
        case newerSchema
        /// No space left.
        case full
        /// Another daemon has it.
        case inUse
        /// One row cannot be read: the matter of that row alone.
        case damaged
        /// Two rows claim the same thing.
        case conflict
        /// Took longer than it was given.
        case tooSlow
        /// Anything else; counts as temporary.
        case failed
    }

    package var code: Code
    /// One sentence that names the thing and the mend.
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// An execution with what the database knows about it beside the machine's part.
package struct StoredExecution: Sendable {
    package var execution: Execution
    package var projectID: Identifier
    package var versionID: Identifier
    /// Whether its timer is due at a slot that was taken for it. Every `update` gives the slot back.
    package var hasSlot: Bool
    /// The value of the workflow's re-entry key that it was started with; nil where there was no such key. It never
    /// changes.
    package var reentryValue: String?

    package init(
        execution: Execution, projectID: Identifier, versionID: Identifier, hasSlot: Bool = false,
        reentryValue: String? = nil
    ) {
        self.execution = execution
        self.projectID = projectID
        self.versionID = versionID
        self.hasSlot = hasSlot
        self.reentryValue = reentryValue
    }
}

/// A stored message × recipient, the memory of what already became an event.
package struct Reception: Hashable, Sendable {
    /// SHA-256 over what makes a message the same message, the recipient and the project.
    package var key: [UInt8]
    package var projectID: Identifier
    package var eventID: Identifier
    package var recipient: String
    package var queueID: String
    package var receivedAt: Timestamp

    package init(
        key: [UInt8], projectID: Identifier, eventID: Identifier, recipient: String, queueID: String,
        receivedAt: Timestamp
    ) {
        self.key = key
        self.projectID = projectID
        self.eventID = eventID
        self.recipient = recipient
        self.queueID = queueID
        self.receivedAt = receivedAt
    }
}

/// Where a hit stands among all of them.
package struct HitPlace: Hashable, Sendable {
    package var entryID: Identifier
    /// Among the hits of the mail, in the order in which they came.
    package var sequence: Int

    package init(entryID: Identifier, sequence: Int) {
        self.entryID = entryID
        self.sequence = sequence
    }
}

/// A fetch of an open pixel.
package struct PixelHit: Hashable, Sendable {
    package var entryID: Identifier
    package var at: Timestamp
    package var userAgent: String
    /// Truncated to /24 (IPv4) or /48 (IPv6); empty when the client asked for privacy.
    package var network: String
    /// Why this hit is counted as a machine's; nil for a person's.
    package var machineReason: String?

    package init(
        entryID: Identifier, at: Timestamp, userAgent: String, network: String, machineReason: String? = nil
    ) {
        self.entryID = entryID
        self.at = at
        self.userAgent = userAgent
        self.network = network
        self.machineReason = machineReason
    }
}
