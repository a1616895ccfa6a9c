import JSONValue
import WorkflowModel

/// Mail that waits for its verdicts, and mail that became no event.
package protocol InboundTransaction {
    /// Keeps an accepted message until its event is recorded.
    func insert(_ mail: PendingMail) throws
    /// - Returns: whether it was still there: whoever takes it out records its events.
    func deletePendingMail(_ id: Identifier) throws -> Bool
    /// The event that a reception has led to, when that comes later than the reception itself.
    func setEvent(_ event: Identifier, ofReception key: [UInt8]) throws
    func insert(_ outcome: InboundOutcome, in project: Identifier) throws
    /// Forgets outcomes that are older.
    /// - Returns: how many, at most `limit`.
    func pruneInboundOutcomes(before time: Timestamp, limit: Int) throws -> Int
}

/// The reads beside it.
package protocol InboundReader {
    /// The oldest first, as many as `limit` behind that one.
    func pendingMails(after id: Identifier?, limit: Int) throws -> [PendingMail.Place]
    func pendingMail(_ id: Identifier) throws -> PendingMail?
    /// The newest first.
    func inboundOutcomes(in project: Identifier, before id: Identifier?, limit: Int) throws -> [InboundOutcome]
}

/// Mail for one recipient that became no event, and why.
package struct InboundOutcome: Hashable, Sendable {
    /// The raw value is stored and shown.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Its route refuses such mail, and the message as a whole could not be refused, or not any more.
        case refused
        /// Its route keeps spam from being an event.
        case held
        /// A mail of our own that tests whose header fields can be forged.
        case canary
    }

    package var id: Identifier
    package var kind: Kind
    package var recipient: String
    /// Who wrote: the mailbox of From, or the reverse path; may be empty.
    package var sender: String
    package var queueID: String
    package var at: Timestamp
    /// The verdicts as the event would have shown them, and why.
    package var detail: JSONObject

    package init(
        id: Identifier, kind: Kind, recipient: String, sender: String, queueID: String, at: Timestamp,
        detail: JSONObject
    ) {
        self.id = id
        self.kind = kind
        self.recipient = recipient
        self.sender = sender
        self.queueID = queueID
        self.at = at
        self.detail = detail
    }
}
