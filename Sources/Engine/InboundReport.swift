import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// A report or complaint that came in, and what was made of it: kept so that somebody can see why an address gets no more
/// mail, and which reports were not believed.
package struct InboundReport: Hashable, Sendable {
    package var id: Identifier
    package var projectID: Identifier
    package var at: Timestamp
    /// `delivery_report`, `complaint`, or whatever else came to an address for bounces.
    package var mailClass: String
    /// What came of it, and why nothing did.
    package var outcome: String
    /// Whether it proves that it is about the mail it names.
    package var isVerified: Bool
    /// By what the mail was found; nil when none was.
    package var matchedBy: String?
    /// The mail that it is about.
    package var entryID: Identifier?
    /// The address that it speaks of, in lower case; empty when it names none.
    package var address: String
    package var details: JSONObject

    package init(
        id: Identifier, projectID: Identifier, at: Timestamp, mailClass: String, outcome: String, isVerified: Bool,
        matchedBy: String?, entryID: Identifier?, address: String, details: JSONObject
    ) {
        self.id = id
        self.projectID = projectID
        self.at = at
        self.mailClass = mailClass
        self.outcome = outcome
        self.isVerified = isVerified
        self.matchedBy = matchedBy
        self.entryID = entryID
        self.address = address
        self.details = details
    }

    /// Every outcome that a report may have.
    package static let outcomes = ReturnedMail.Outcome.allCases.map(\.rawValue)

    /// Seconds for which reports are kept.
    static let lifetime: Int64 = 90 * 86_400
}

extension InboundReport {
    /// - Parameter project: whose it is when it proves nothing: a stranger's word about another project's mail is none of that
    ///   project's.
    init(
        _ returned: ReturnedMail, _ outcome: ReturnedMail.Outcome, _ correlation: ReturnedMail.Correlation?,
        _ facts: IncomingMail, project: Identifier, id: Identifier, at: Timestamp
    ) {
        let isVerified = correlation?.isVerified ?? false
        let projectID = isVerified ? correlation?.entry.projectID ?? project : project
        let isShown = correlation?.entry.projectID == projectID
        self.init(
            id: id, projectID: projectID, at: at, mailClass: facts.recognition.mailClass.name,
            outcome: outcome.rawValue, isVerified: isVerified,
            matchedBy: isShown ? correlation?.proof.rawValue : nil,
            entryID: isShown ? correlation?.entry.id : nil, address: Self.address(returned, correlation, isShown),
            details: Self.details(returned, facts))
    }

    private static func address(
        _ returned: ReturnedMail, _ correlation: ReturnedMail.Correlation?, _ isShown: Bool
    ) -> String {
        if isShown, let entry = correlation?.entry { return RecipientAddress.normal(entry.request.recipient) }
        let named: String? =
            switch returned.matter {
            case .report(let report): (report.recipients.first(where: \.isFailure) ?? report.recipients.first)?.address
            case .complaint(let complaint): complaint.recipients.first
            default: nil
            }
        return IncomingMail.truncated((named ?? "").lowercased(), bytes: 254)
    }

    private static func details(_ returned: ReturnedMail, _ facts: IncomingMail) -> JSONObject {
        var details: JSONObject = [
            "reversePath": text(facts.message.reversePath), "clientAddress": text(facts.message.clientAddress),
            "queueId": text(facts.message.queueID), "subject": text(facts.read.subject),
        ]
        details["recipient"] = (returned.recipient ?? facts.message.recipients.first).map(text)
        details["messageId"] = facts.read.messageID.map(text)
        switch returned.matter {
        case .report(let report):
            details["reportingHost"] = report.reportingHost.map(text)
            details["recipients"] = .int(Int64(report.recipients.count))
            if let recipient = report.recipients.first(where: \.isFailure) ?? report.recipients.first {
                details["action"] = .string(recipient.action.rawValue)
                details.merge(Bounce(recipient).data)
            }
        case .complaint(let complaint): details["feedbackType"] = text(complaint.feedbackType)
        default: break
        }
        return details
    }

    /// Bounded, in bytes: all of it is a stranger's, and one character may have thousands.
    private static func text(_ text: String) -> JSON { .string(IncomingMail.truncated(text, bytes: 300)) }
}
