import MailModel

/// Which kind of mail a message is: a report, a complaint, an automatic answer … or what a person wrote.
///
/// Says what the message says of itself and no more: anybody can write a report about mail that never was. Whether it is true
/// is decided by what it is correlated with.
package struct MailRecognizer: Sendable {
    /// What the caller knows and the message cannot say.
    package struct Circumstances: Hashable, Sendable {
        /// What shows that the message is mail of our own, verified by the caller; empty where nothing does.
        package var ownSigns: [MailEvidence]
        /// The day on which the message came, for dates without a year; nil: by its Date field.
        package var today: CalendarDate?

        package init(ownSigns: [MailEvidence] = [], today: CalendarDate? = nil) {
            self.ownSigns = ownSigns
            self.today = today
        }
    }

    private let message: ReceivedMessage
    private let read: ReadMessage
    private let parts: MessageParts
    private let circumstances: Circumstances
    /// What in the header speaks of a program; nearly all mail has nothing.
    private let sign: AutomaticReplyRule.Refusal?

    private init(
        message: ReceivedMessage, read: ReadMessage, parts: MessageParts, circumstances: Circumstances
    ) {
        self.message = message
        self.read = read
        self.parts = parts
        self.circumstances = circumstances
        sign = AutomaticMail.refusalByHeader(message)
    }

    /// The class of a message, and the evidence for it.
    package static func recognize(
        _ message: ReceivedMessage, limits: ReadingLimits = ReadingLimits(),
        circumstances: Circumstances = Circumstances()
    ) -> Recognition {
        let (read, parts) = MessageReader.readWithParts(message, limits: limits)
        return recognize(message, read: read, parts: parts, circumstances: circumstances)
    }

    /// The same for a message that has been read already.
    package static func recognize(
        _ message: ReceivedMessage, read: ReadMessage, parts: MessageParts,
        circumstances: Circumstances = Circumstances()
    ) -> Recognition {
        MailRecognizer(message: message, read: read, parts: parts, circumstances: circumstances).recognition()
    }

    private func recognition() -> Recognition {
        if let complaint = ComplaintReader(message: message, read: read, parts: parts).recognition() {
            return complaint
        }
        if let report = ReportReader(message: message, read: read, parts: parts).recognition() { return report }
        if let notice = NotificationReader(read.text)?.recognition() { return notice }
        if let notice = dispositionNotification() { return notice }
        let own = Recognition(.ownMail, circumstances.ownSigns)
        // Before the answers of robots: our own automatic replies say of themselves that they are some.
        if own.evidence.contains(where: { $0 != .ownMessageID }) { return own }
        if let reply = calendarReply() { return reply }
        if let challenge = ChallengeReader.recognition(message, read, sign) { return challenge }
        let today = circumstances.today ?? read.date.flatMap(CalendarDate.init(microseconds:))
        if let reply = AutomaticReplyReader(message: message, read: read, today: today).recognition() { return reply }
        // After them: some robots give their answer the id of the mail that it answers.
        if !own.evidence.isEmpty { return own }
        if sign != nil, AutomaticMail.hasListField(message) { return Recognition(.mailingList, [.listField]) }
        if let evidence = automaticEvidence() { return Recognition(.automatic, [evidence]) }
        return Recognition(.ordinary)
    }

    private func dispositionNotification() -> Recognition? {
        let isNamed = parts.all.first?.contentType.reportType == "disposition-notification"
        let part =
            parts.first("message/disposition-notification") ?? parts.first("message/global-disposition-notification")
        guard part != nil || isNamed else { return nil }
        var original = ReturnedPart.find(in: parts)
        if original == nil, let part {
            let id = MessageReader.split(parts.content(of: part)).headers.first { $0.isNamed("Original-Message-ID") }
            original = id.map { OriginalMessage(headers: [HeaderField(name: "Message-ID", value: $0.value)]) }
        }
        return Recognition(.dispositionNotification(original), [part == nil ? .reportType : .dispositionPart])
    }

    private func calendarReply() -> Recognition? {
        let isReply = parts.all.contains { part in
            guard part.contentType.essence == "text/calendar" else { return false }
            let type = part.headers.first { $0.isNamed("Content-Type") }?.text.lowercased() ?? ""
            return type.filter { $0 != " " && $0 != "\"" }.contains("method=reply")
        }
        return isReply ? Recognition(.calendarReply, [.calendarPart]) : nil
    }

    private func automaticEvidence() -> MailEvidence? {
        switch sign {
        case .autoSubmitted: .autoSubmitted
        case .precedence, .suppressed, .machineHeader, .report: .automaticField
        default: nil
        }
    }
}

/// The mail that came back inside another.
enum ReturnedPart {
    private static let types: Set<String> = [
        "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers",
        "text/rfc822", "message/partial", "message/external-body", "text/x-rfc822-headers",
    ]

    static func isReturned(_ part: MessagePart) -> Bool { types.contains(part.contentType.essence) }

    static func find(in parts: MessageParts) -> OriginalMessage? {
        for part in parts.all.reversed() where isReturned(part) && part.depth > 0 {
            if let original = original(parts.content(of: part)) { return original }
        }
        return nil
    }

    /// Nil where there is no header.
    static func original(_ bytes: [UInt8]) -> OriginalMessage? {
        // Empty lines in front are left by programs that forget where a part's header ends.
        let start = bytes.firstIndex { $0 > 0x20 } ?? bytes.count
        let limits = ReadingLimits(headerFields: 200, fieldBytes: 8 << 10)
        let headers = MessageReader.split(Array(bytes[start...].prefix(256 << 10)), limits: limits).headers
        return headers.isEmpty ? nil : OriginalMessage(headers: headers)
    }
}
