import WorkflowModel

/// One mail as the API shows it.
package struct MailStatus: Sendable {
    package var entry: OutboxEntry
    package var contactEmail: String?
    package var completedAt: Timestamp?
    package var openedAt: Timestamp?
    package var opens: Int
    /// What the relay said last, or why there was no answer.
    package var lastReply: String?
    /// What has come back of it.
    package var returns: [MailReturn]
    /// What the relay's log says of it; nil while nothing is known.
    package var fate: MailFate?

    package init(
        entry: OutboxEntry, contactEmail: String?, completedAt: Timestamp?, openedAt: Timestamp?, opens: Int,
        lastReply: String?, returns: [MailReturn] = [], fate: MailFate? = nil
    ) {
        self.entry = entry
        self.contactEmail = contactEmail
        self.completedAt = completedAt
        self.openedAt = openedAt
        self.opens = opens
        self.lastReply = lastReply
        self.returns = returns
        self.fate = fate
    }

    /// The gravest that has become of it.
    package var state: String { MailReturn.state(of: entry.status, returns.map(\.kind)) }
}
