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
        return String((named ?? "").lowercased().prefix(254))
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

    /// Bounded: all of it is a stranger's.
    private static func text(_ text: String) -> JSON { .string(String(text.prefix(300))) }
}

/// What has come back of one mail. Each kind is there once for each mail.
package struct MailReturn: Hashable, Sendable {
    /// The raw values are stored.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case bounced, complained, replied
    }

    package var entryID: Identifier
    package var kind: Kind
    /// The first time.
    package var at: Timestamp
    package var details: JSONObject

    /// What a mail is shown as: the relay took it, and then it came back or was complained about.
    package static func state(of status: OutboxEntry.Status, _ kinds: [Kind]) -> String {
        if kinds.contains(.complained) { return Kind.complained.rawValue }
        return kinds.contains(.bounced) ? Kind.bounced.rawValue : status.rawValue
    }

    package init(entryID: Identifier, kind: Kind, at: Timestamp, details: JSONObject) {
        self.entryID = entryID
        self.kind = kind
        self.at = at
        self.details = details
    }
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

/// Reports and complaints as people look at them.
package struct InboundReports: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Page: Sendable {
        package var reports: [InboundReport]
        /// Where the next page begins; nil when this is the last.
        package var next: Identifier?
    }

    /// The newest first.
    package func page(_ selection: ReportSelection) async throws -> Page {
        var wider = selection
        wider.limit += 1
        let asked = wider
        let found = try await context.store.read { try $0.reports(asked) }
        let page = Array(found.prefix(selection.limit))
        return Page(reports: page, next: found.count > selection.limit ? page.last?.id : nil)
    }
}
