import JSONValue
import MailModel
import WorkflowModel

/// Why one mail did not arrive, whoever said so: the relay in its reply or its log, or a report that came later.
package struct Bounce: Hashable, Sendable {
    /// The raw values are what events show as `source`.
    package enum Source: String, Hashable, Sendable, CaseIterable {
        case relay, report, log
    }

    /// What it says about the address. The raw values are what events show as `bounceType`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// It takes no mail, for ever.
        case permanent
        /// It took no mail this time.
        case transient
        /// Nothing: content, reputation or somebody's rules kept the mail out.
        case policy
        /// Nothing: something of ours is wrong.
        case configuration
        /// Nobody said why.
        case undetermined
    }

    package var source: Source
    package var reason: BounceReason
    /// As it was given; nil when nobody gave one.
    package var status: EnhancedStatus?
    package var replyCode: Int?
    /// What the other side said, in one line.
    package var diagnostic: String
    /// The server that said it.
    package var remoteHost: String?
    /// The host that wrote the report.
    package var reportingHost: String?
    /// It was refused for now until its time was over.
    package var isExpired: Bool
    /// It was refused before the other side had heard whom it was for (RFC 5321 section 4.1.4): that is about us.
    package let isBeforeRecipient: Bool

    /// - Parameter stage: what was answered with the refusal; nil where nobody says.
    package init(
        source: Source, reason: BounceReason, status: EnhancedStatus? = nil, replyCode: Int? = nil,
        diagnostic: String = "", remoteHost: String? = nil, reportingHost: String? = nil, isExpired: Bool = false,
        stage: BounceClassifier.Stage? = nil
    ) {
        self.source = source
        let isBeforeRecipient = stage == .connection || stage == .helo || stage == .mailFrom
        self.isBeforeRecipient = isBeforeRecipient
        self.reason = isBeforeRecipient ? Self.withoutRecipient(reason, stage) : reason
        self.status = status
        self.replyCode = replyCode
        self.diagnostic = diagnostic
        self.remoteHost = remoteHost
        self.reportingHost = reportingHost
        self.isExpired = isExpired
    }

    /// A relay's refusal of the message, or of its recipient.
    /// - Parameter isExpired: it is the last of refusals for now, and there will be no further attempt.
    package init(_ reply: Reply, isExpired: Bool = false) {
        let status = reply.enhancedCode.flatMap { EnhancedStatus($0) }
        self.init(
            source: .relay,
            reason: BounceClassifier.reason(
                text: reply.text, status: status, replyCode: reply.code, stage: reply.stage),
            status: status, replyCode: reply.code, diagnostic: Self.line(reply.text), isExpired: isExpired,
            stage: reply.stage)
    }

    /// Words about a mailbox that were said before anybody's was named mean the sender's at MAIL FROM, and our host
    /// before it.
    private static func withoutRecipient(_ reason: BounceReason, _ stage: BounceClassifier.Stage?) -> BounceReason {
        switch reason {
        case .userUnknown, .hostUnknown, .moved, .noMailAccepted, .mailboxDisabled, .recipientRefused:
            stage == .mailFrom ? .senderRefused : .blocked
        // A mailbox cannot be full yet; a disk can.
        case .mailboxFull: .system
        case .undefined where stage == .mailFrom: .senderRefused
        default: reason
        }
    }

    /// What a report says of one recipient.
    package init(_ recipient: ReportedRecipient, reportedBy host: String? = nil) {
        self.init(
            source: .report, reason: recipient.reason, status: recipient.isStatusDerived ? nil : recipient.status,
            replyCode: recipient.replyCode, diagnostic: Self.line(recipient.diagnostic),
            remoteHost: recipient.remoteHost, reportingHost: host,
            // Postfix reports the last refusal for now when the mail's time in the queue is over (action failed, 4.x.x).
            isExpired: recipient.status.category == 4)
    }

    package var kind: Kind {
        // It must not count against an address, however often it happens.
        if isBeforeRecipient { return reason.kind == .policy || reason == .rateLimited ? .policy : .configuration }
        return switch reason.kind {
        // What was refused for now until the end may be taken another time.
        case .address: isExpired || status?.category == 4 ? .transient : .permanent
        // RFC 3463 section 3.3: the mailbox is disabled, and not for now. Without the code the words may mean less.
        case .transient where reason == .mailboxDisabled && status == EnhancedStatus(5, 2, 1): .permanent
        // A limit is over after a while. A policy that refuses for good because of one (5.7.28: the rate of our whole
        // network) speaks of our reputation.
        case .transient where reason == .rateLimited && status?.category == 5 && status?.subject == 7: .policy
        case .transient: .transient
        case .policy: .policy
        case .configuration: .configuration
        case .unknown, .none: isExpired ? .transient : .undetermined
        }
    }

    /// The members of the event that say why; evidence of a suppression too.
    package var data: JSONObject {
        var data: JSONObject = [
            "bounceType": .string(kind.rawValue), "reason": .string(reason.rawValue),
            "diagnostic": .string(diagnostic), "source": .string(source.rawValue),
        ]
        data["status"] = status.map { .string("\($0)") }
        data["replyCode"] = replyCode.map { .int(Int64($0)) }
        data["remoteHost"] = remoteHost.map { .string(Self.line($0, limit: 255)) }
        data["reportingHost"] = reportingHost.map { .string(Self.line($0, limit: 255)) }
        if isExpired { data["isExpired"] = true }
        return data
    }

    /// All of it is a stranger's: one line, and not for ever.
    private static func line(_ text: String, limit: Int = 500) -> String {
        let words = text.utf8.prefix(4 * limit).split(whereSeparator: { $0 <= 0x20 || $0 == 0x7F })
            .map { String(decoding: $0, as: UTF8.self) }
        return String(words.joined(separator: " ").prefix(limit))
    }
}
