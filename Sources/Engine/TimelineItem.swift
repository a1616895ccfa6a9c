import WorkflowModel

/// One thing that happened to a contact.
package enum TimelineItem: Sendable {
    case event(Event)
    case execution(Execution)
    case mail(Mail)

    package struct Execution: Sendable {
        package var id: Identifier
        package var workflowID: Identifier
        package var status: WorkflowModel.Execution.Status
        package var currentStep: String?
        package var exitReason: String?
        package var startedAt: Timestamp
        package var completedAt: Timestamp?

        package init(
            id: Identifier, workflowID: Identifier, status: WorkflowModel.Execution.Status, currentStep: String?,
            exitReason: String?, startedAt: Timestamp, completedAt: Timestamp?
        ) {
            self.id = id
            self.workflowID = workflowID
            self.status = status
            self.currentStep = currentStep
            self.exitReason = exitReason
            self.startedAt = startedAt
            self.completedAt = completedAt
        }
    }

    package struct Mail: Sendable {
        package var id: Identifier
        package var executionID: Identifier?
        package var status: OutboxEntry.Status
        package var kind: TemplateSummary.Kind
        package var recipient: String
        package var messageID: String
        package var createdAt: Timestamp
        package var completedAt: Timestamp?
        package var opens: Int
        package var openedAt: Timestamp?
        /// What the relay said last.
        package var lastReply: String?
        /// What has come back of it.
        package var returns: [MailReturn.Kind]
        /// What the relay's log says of it; nil while nothing is known.
        package var fate: MailFate?

        /// The gravest that has become of it.
        package var state: String { MailReturn.state(of: status, returns) }

        package init(
            id: Identifier, executionID: Identifier?, status: OutboxEntry.Status, kind: TemplateSummary.Kind,
            recipient: String, messageID: String, createdAt: Timestamp, completedAt: Timestamp?, opens: Int,
            openedAt: Timestamp?, lastReply: String?, returns: [MailReturn.Kind] = [], fate: MailFate? = nil
        ) {
            self.id = id
            self.executionID = executionID
            self.status = status
            self.kind = kind
            self.recipient = recipient
            self.messageID = messageID
            self.createdAt = createdAt
            self.completedAt = completedAt
            self.opens = opens
            self.openedAt = openedAt
            self.lastReply = lastReply
            self.returns = returns
            self.fate = fate
        }
    }

    package var at: Timestamp {
        switch self {
        case .event(let event): event.createdAt
        case .execution(let execution): execution.startedAt
        case .mail(let mail): mail.createdAt
        }
    }
}

/// Where a page of a timeline begins: of each kind, the last that was shown. What is added meanwhile is newer and moves
/// nothing.
package struct TimelinePosition: Hashable, Sendable, LosslessStringConvertible {
    /// The event's place among all.
    package var event: Int64?
    package var execution: Identifier?
    package var mail: Identifier?

    package init() {}

    /// From the text of another one; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, text.utf8.count <= 100 else { return nil }
        if !parts[0].isEmpty {
            guard let row = Int64(parts[0]), row >= 0 else { return nil }
            event = row
        }
        if !parts[1].isEmpty {
            guard let id = Identifier(String(parts[1])) else { return nil }
            execution = id
        }
        if !parts[2].isEmpty {
            guard let id = Identifier(String(parts[2])) else { return nil }
            mail = id
        }
    }

    package var description: String {
        [event.map { "\($0)" }, execution.map { "\($0)" }, mail.map { "\($0)" }].map { $0 ?? "" }
            .joined(separator: ".")
    }
}

package struct TimelinePage: Sendable {
    /// The newest first.
    package var items: [TimelineItem]
    /// Where the next page begins; nil at the end.
    package var next: TimelinePosition?

    package init(items: [TimelineItem], next: TimelinePosition?) {
        self.items = items
        self.next = next
    }
}
