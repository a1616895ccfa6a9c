/// What a mail system says about mail of ours: a delivery status notification (RFC 3464) or one of the many forms that are
/// older or less standard than it.
package struct DeliveryReport: Hashable, Sendable {
    /// In the order of the report.
    package var recipients: [ReportedRecipient]
    /// The host that wrote the report.
    package var reportingHost: String?
    /// ENVID of the transaction (RFC 3461 section 4.4).
    package var envelopeID: String?
    /// The queue id that Postfix knew the mail by.
    package var queueID: String?
    /// The mail that the report is about, as much of it as came back.
    package var original: OriginalMessage?

    package init(
        recipients: [ReportedRecipient] = [], reportingHost: String? = nil, envelopeID: String? = nil,
        queueID: String? = nil, original: OriginalMessage? = nil
    ) {
        self.recipients = recipients
        self.reportingHost = reportingHost
        self.envelopeID = envelopeID
        self.queueID = queueID
        self.original = original
    }
}

/// What became of the mail to one recipient.
package struct ReportedRecipient: Hashable, Sendable {
    /// RFC 3464 section 2.3.3.
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case failed, delayed, delivered, relayed, expanded
    }

    /// Where the mail finally was to go. As the report has it: it may be no address at all.
    package var address: String
    /// Where the sender had sent it, where that is another address.
    package var originalAddress: String?
    package var action: Action
    /// As reported; where the report gives none, by the reply code and the reason.
    package var status: EnhancedStatus
    /// The report gave no status of its own.
    package var isStatusDerived: Bool
    /// The three digits of the server's reply.
    package var replyCode: Int?
    /// What the other server or program said, in one line.
    package var diagnostic: String
    package var remoteHost: String?
    package var reason: BounceReason
    /// The address is no good, for ever: nothing should be sent there again.
    package var isHard: Bool

    package init(
        address: String, originalAddress: String? = nil, action: Action, status: EnhancedStatus,
        isStatusDerived: Bool = false, replyCode: Int? = nil, diagnostic: String = "", remoteHost: String? = nil,
        reason: BounceReason, isHard: Bool
    ) {
        self.address = address
        self.originalAddress = originalAddress
        self.action = action
        self.status = status
        self.isStatusDerived = isStatusDerived
        self.replyCode = replyCode
        self.diagnostic = diagnostic
        self.remoteHost = remoteHost
        self.reason = reason
        self.isHard = isHard
    }

    /// Only a failure is a bounce.
    package var isFailure: Bool { action == .failed }
}

/// The header of a mail of ours that came back inside another.
package struct OriginalMessage: Hashable, Sendable {
    package var headers: [HeaderField]

    package init(headers: [HeaderField]) { self.headers = headers }

    /// Without angle brackets.
    package var messageID: String? {
        headers.first { $0.isNamed("Message-ID") }.flatMap { MessageIdentifiers.parse($0.text).first }
    }

    /// The first field of that name.
    package func header(_ name: String) -> String? { headers.first { $0.isNamed(name) }?.text }
}

/// A recipient, or his provider on his behalf, wants no more of it (RFC 5965, or an older form).
package struct Complaint: Hashable, Sendable {
    /// `abuse`, `fraud`, `virus`, `opt-out`, `not-spam`, `auth-failure`, `other` … in lower case.
    package var feedbackType: String
    /// Often missing or made unreadable on purpose.
    package var recipients: [String]
    package var userAgent: String?
    package var sourceAddress: String?
    package var envelopeID: String?
    /// The reverse path of the mail.
    package var originalSender: String?
    package var original: OriginalMessage?

    package init(
        feedbackType: String, recipients: [String] = [], userAgent: String? = nil, sourceAddress: String? = nil,
        envelopeID: String? = nil, originalSender: String? = nil, original: OriginalMessage? = nil
    ) {
        self.feedbackType = feedbackType
        self.recipients = recipients
        self.userAgent = userAgent
        self.sourceAddress = sourceAddress
        self.envelopeID = envelopeID
        self.originalSender = originalSender
        self.original = original
    }

    /// `not-spam` takes a complaint back, and a report about authentication (RFC 6591) is no person's.
    package var isAgainstUs: Bool { feedbackType != "not-spam" && !feedbackType.hasPrefix("auth-failure") }
}
