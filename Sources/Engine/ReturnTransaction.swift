import WorkflowModel

/// The store's operations on mail that comes back, inside one write transaction.
package protocol ReturnTransaction: ReturnReader {
    /// - Returns: false when the mail has one of that kind already.
    func insert(_ mailReturn: MailReturn) throws -> Bool
    func insert(_ report: InboundReport) throws
    /// A reply moved the execution.
    func noteAnswer(to execution: Identifier, at time: Timestamp) throws
    /// Mails that our relay took since then under that queue id, the newest first; a few at most.
    func entries(relayQueueID id: String, since time: Timestamp) throws -> [OutboxEntry]
    /// - Returns: how many were forgotten.
    func pruneReports(before time: Timestamp, limit: Int) throws -> Int
}

/// Reads of mail that comes back, on a snapshot.
package protocol ReturnReader: AnyObject {
    func returns(of entry: Identifier) throws -> [MailReturn]
    /// The newest first.
    func reports(_ selection: ReportSelection) throws -> [InboundReport]
    /// When a reply last moved the execution; nil when none has.
    func answeredAt(execution id: Identifier) throws -> Timestamp?
}

/// Which reports a list shows.
package struct ReportSelection: Hashable, Sendable {
    package var projectID: Identifier
    package var isVerified: Bool?
    package var outcome: String?
    /// In lower case.
    package var address: String?
    /// Those before it.
    package var cursor: Identifier?
    package var limit: Int

    package init(
        projectID: Identifier, isVerified: Bool? = nil, outcome: String? = nil, address: String? = nil,
        cursor: Identifier? = nil, limit: Int
    ) {
        self.projectID = projectID
        self.isVerified = isVerified
        self.outcome = outcome
        self.address = address
        self.cursor = cursor
        self.limit = limit
    }
}
