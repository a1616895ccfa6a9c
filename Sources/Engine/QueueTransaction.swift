import WorkflowModel

/// A mail of ours that the milter has seen on its way into the MTA's queue.
package struct Acceptance: Hashable, Sendable {
    package var entryID: Identifier
    /// The number of the attempt, from 1 on.
    package var attempt: Int
    package var queueID: String
    package var at: Timestamp
    /// It was a second submission of what was queued already, and the MTA was told to drop it.
    package var isDiscarded: Bool

    package init(entryID: Identifier, attempt: Int, queueID: String, at: Timestamp, isDiscarded: Bool = false) {
        self.entryID = entryID
        self.attempt = attempt
        self.queueID = queueID
        self.at = at
        self.isDiscarded = isDiscarded
    }
}

/// A mail of ours with what is known of it at the relay.
package struct RelayedMail: Sendable {
    package var entry: OutboxEntry
    /// As the relay said it with its 250.
    package var queueID: String?
    package var fate: MailFate?

    package init(entry: OutboxEntry, queueID: String?, fate: MailFate?) {
        self.entry = entry
        self.queueID = queueID
        self.fate = fate
    }
}

/// A mail of ours in a queue that is followed.
package struct QueuedDelivery: Hashable, Sendable {
    /// `syslog_name` of the Postfix that has it.
    package var instance: String
    package var queueID: String
    package var entryID: Identifier
    package var at: Timestamp

    package init(instance: String, queueID: String, entryID: Identifier, at: Timestamp) {
        self.instance = instance
        self.queueID = queueID
        self.entryID = entryID
        self.at = at
    }
}

/// A mail for one of our routes that the MTA took and that never became an event.
package struct InboundGap: Hashable, Sendable {
    package var queueID: String
    package var recipient: String
    /// Without angle brackets; nil where the log does not tell.
    package var messageID: String?
    /// The reverse path; empty for the null one, nil where the log does not tell.
    package var sender: String?
    /// When the MTA dealt with it, by its log.
    package var at: Timestamp
    package var foundAt: Timestamp
    /// When it arrived after all, or somebody said that it is dealt with.
    package var resolvedAt: Timestamp?

    package init(
        queueID: String, recipient: String, messageID: String?, sender: String?, at: Timestamp, foundAt: Timestamp,
        resolvedAt: Timestamp? = nil
    ) {
        self.queueID = queueID
        self.recipient = recipient
        self.messageID = messageID
        self.sender = sender
        self.at = at
        self.foundAt = foundAt
        self.resolvedAt = resolvedAt
    }
}

/// The store's operations on what is known of the relay's queue, inside one write transaction.
package protocol QueueTransaction: QueueReader {
    /// - Returns: false when there is one of that attempt.
    func insert(_ acceptance: Acceptance) throws -> Bool
    func setFate(_ fate: MailFate, of entry: Identifier) throws
    func save(_ delivery: QueuedDelivery) throws
    func deleteQueuedDelivery(instance: String, queueID: String) throws
    func saveLogPosition(_ position: String, of source: String, at time: Timestamp) throws
    /// - Returns: false when it is known.
    func insert(_ gap: InboundGap) throws -> Bool
    /// - Parameter recipient: nil for all of the mail.
    /// - Returns: how many of them were open.
    func resolveGaps(of queueID: String, recipient: String?, at time: Timestamp) throws -> Int
    /// The same for every open one.
    func resolveAllGaps(at time: Timestamp) throws -> Int
    /// Forgets what is older and needed by nobody.
    func pruneQueue(before time: Timestamp) throws
}

/// Reads of what is known of the relay's queue, on a snapshot.
package protocol QueueReader: AnyObject {
    /// In the order of the attempts.
    func acceptances(of entry: Identifier) throws -> [Acceptance]
    func relayedMail(_ entry: Identifier) throws -> RelayedMail?
    /// Nil where the relay's log says nothing of it.
    func fate(of entry: Identifier) throws -> MailFate?
    func queuedDelivery(instance: String, queueID: String) throws -> QueuedDelivery?
    /// Nil when the source was never followed.
    func logPosition(of source: String) throws -> String?
    /// Which of these queue ids have become events.
    func receivedRecipients(underQueueIDs queueIDs: Set<String>) throws -> [String: [String]]
    /// The newest first.
    func inboundGaps(includingResolved: Bool, limit: Int) throws -> [InboundGap]
    func openGapCount() throws -> Int
}
