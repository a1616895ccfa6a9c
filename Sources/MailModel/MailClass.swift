/// What kind of mail a message is.
package enum MailClass: Hashable, Sendable {
    case ordinary
    case deliveryReport(DeliveryReport)
    case complaint(Complaint)
    case automaticReply(AutomaticReply)
    /// It was read, deleted, forwarded … (RFC 8098).
    case dispositionNotification(OriginalMessage?)
    /// Somebody's filter asks the sender to prove himself first.
    case challenge
    /// An answer to an invitation (RFC 5546).
    case calendarReply
    case mailingList
    /// Mail of this installation that came back.
    case ownMail
    /// A program wrote it, and it is none of the others.
    case automatic

    /// The name by which it is stored and shown.
    package var name: String {
        switch self {
        case .ordinary: "ordinary"
        case .deliveryReport: "delivery_report"
        case .complaint: "complaint"
        case .automaticReply: "automatic_reply"
        case .dispositionNotification: "disposition_notification"
        case .challenge: "challenge"
        case .calendarReply: "calendar_reply"
        case .mailingList: "mailing_list"
        case .ownMail: "own_mail"
        case .automatic: "automatic"
        }
    }
}

/// An answer that a program gave for a person.
package struct AutomaticReply: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The person is away.
        case outOfOffice = "out_of_office"
        /// The mail arrived and will be looked at.
        case acknowledgement
        case other
    }

    package var kind: Kind
    /// The day from which the person reads mail again, where it is stated.
    package var returnDate: CalendarDate?
    /// The mail it answers, without angle brackets.
    package var inReplyTo: String?

    package init(kind: Kind, returnDate: CalendarDate? = nil, inReplyTo: String? = nil) {
        self.kind = kind
        self.returnDate = returnDate
        self.inReplyTo = inReplyTo
    }
}

/// Why a message was given its class. The raw value is shown, so it is never reused.
package enum MailEvidence: String, Hashable, Sendable, CaseIterable {
    case deliveryStatusPart = "delivery_status_part"
    case reportType = "report_type"
    case feedbackPart = "feedback_part"
    case nullReversePath = "null_reverse_path"
    case daemonSender = "daemon_sender"
    case failedRecipientsField = "failed_recipients_field"
    case reportSubject = "report_subject"
    case reportText = "report_text"
    case statusFieldsInText = "status_fields_in_text"
    case returnedMessage = "returned_message"
    case complaintSubject = "complaint_subject"
    case complaintField = "complaint_field"
    case autoSubmitted = "auto_submitted"
    case automaticField = "automatic_field"
    case automaticSubject = "automatic_subject"
    case automaticText = "automatic_text"
    case listField = "list_field"
    case dispositionPart = "disposition_part"
    case calendarPart = "calendar_part"
    case challengeText = "challenge_text"
    case ownMark = "own_mark"
    /// Its envelope sender is the address that one mail of ours was sent from.
    case ownReturnPath = "own_return_path"
    /// Its Message-ID has the form of ours: anybody can write one.
    case ownMessageID = "own_message_id"
}

/// The class of a message, and what speaks for it.
package struct Recognition: Hashable, Sendable {
    package var mailClass: MailClass
    package var evidence: [MailEvidence]

    package init(_ mailClass: MailClass, _ evidence: [MailEvidence] = []) {
        self.mailClass = mailClass
        self.evidence = evidence
    }
}
