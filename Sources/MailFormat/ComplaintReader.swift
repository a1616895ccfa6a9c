import MailModel

/// Complaints: feedback reports (RFC 5965), the older forms of big providers, and requests to be left alone.
struct ComplaintReader {
    let message: ReceivedMessage
    let read: ReadMessage
    let parts: MessageParts

    /// Nil when the message is none.
    func recognition() -> Recognition? {
        if let complaint = standard() { return complaint }
        // A bounce or a receipt bears the subject of the mail it is about, and may quote its words.
        return isOtherReport ? nil : older() ?? optOut()
    }

    private static let otherReports = [
        "message/delivery-status", "message/global-delivery-status", "text/delivery-status",
        "message/disposition-notification", "message/global-disposition-notification",
    ]

    /// It says that it is a report of another kind.
    private var isOtherReport: Bool {
        if parts.all.first?.contentType.reportType != nil { return true }
        return Self.otherReports.contains { parts.first($0) != nil }
    }

    private func standard() -> Recognition? {
        let root = parts.all.first
        let part = parts.first("message/feedback-report") ?? parts.first("text/feedback-report")
        guard part != nil || root?.contentType.reportType == "feedback-report" else { return nil }
        let fields = part.map { MessageReader.split(parts.content(of: $0)).headers } ?? []
        func value(_ name: String) -> String? { fields.first { $0.isNamed(name) }?.text }
        // A word of a list (RFC 5965 section 7.3): printable, and short.
        let word = value("Feedback-Type").map(AutomaticMail.token)?.utf8.filter { $0 > 0x20 && $0 < 0x7F } ?? []
        let type = String(decoding: word.prefix(64), as: UTF8.self)
        let original = ReturnedPart.find(in: parts)
        var recipients = fields.filter { $0.isNamed("Original-Rcpt-To") }.map { Self.address($0.text) }
        if recipients.isEmpty, let removal = value("Removal-Recipient") { recipients = [Self.address(removal)] }
        let complaint = Complaint(
            feedbackType: type.isEmpty ? "abuse" : type,
            recipients: recipients.isEmpty ? Self.recipients(of: original) : recipients,
            userAgent: value("User-Agent"), sourceAddress: value("Source-IP"),
            envelopeID: value("Original-Envelope-Id"),
            originalSender: value("Original-Mail-From").map(Self.address), original: original)
        return Recognition(.complaint(complaint), part == nil ? [.reportType] : [.feedbackPart])
    }

    private static let requests: Phrases = ["sent this email to unsubscribe from"]

    /// At the beginning, in lower case.
    private static let subjects: Phrases = [
        "complaint about message", "abuse report", "spam report", "email feedback report", "e-mail feedback report",
        "email abuse report", "spam complaint", "abuse complaint", "feedback report",
    ]

    /// `complaint about message from 192.0.2.1` with the mail attached, and reports by field.
    private func older() -> Recognition? {
        guard let original = ReturnedPart.find(in: parts) else { return nil }
        let marks = ["X-HmXmrOriginalRecipient", "X-Reporter-IP"]
        let isMarked = marks.contains { original.header($0) != nil }
        // Behind another word (`Re:`, `Undeliverable:`, `Return Receipt`) it is what somebody says of such a report.
        let isNamed = Self.subjects.isPrefix(of: read.subject.lowercased())
        guard isMarked || isNamed else { return nil }
        var recipients = original.header("X-HmXmrOriginalRecipient").map { [Self.address($0)] } ?? []
        if recipients.isEmpty { recipients = Self.recipients(of: original) }
        let complaint = Complaint(feedbackType: "abuse", recipients: recipients, original: original)
        return Recognition(.complaint(complaint), [isMarked ? .complaintField : .complaintSubject])
    }

    /// A mail program asks in its user's name to be taken off (the mailto form of List-Unsubscribe, RFC 2369).
    private func optOut() -> Recognition? {
        guard Self.requests.isFound(in: Array(read.text.utf8.prefix(400))) else { return nil }
        let sender = read.from.map { [$0.address.description] } ?? []
        return Recognition(.complaint(Complaint(feedbackType: "opt-out", recipients: sender)), [.complaintSubject])
    }

    private static func address(_ text: String) -> String {
        AddressScanner.find(in: Array(text.utf8), limit: 1).first?.address.description ?? String(text.prefix(254))
    }

    private static func recipients(of original: OriginalMessage?) -> [String] {
        guard let to = original?.header("To") else { return [] }
        return HeaderAddresses.parse(to).map(\.description)
    }
}
