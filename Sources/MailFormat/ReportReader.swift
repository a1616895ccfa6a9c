import MailModel

/// Delivery reports, standard (RFC 3464) and not.
struct ReportReader {
    private let message: ReceivedMessage
    private let read: ReadMessage
    private let parts: MessageParts

    init(message: ReceivedMessage, read: ReadMessage, parts: MessageParts) {
        self.message = message
        self.read = read
        self.parts = parts
    }

    /// Nil when the message is none.
    func recognition() -> Recognition? {
        let fields = statusFields()
        guard fields != nil || isSuspicious else { return nil }
        let text = ReportText(reportText())
        if let fields, !fields.isEmpty { return standard(fields, text) }
        return plain(text)
    }

    // MARK: Standard

    private func standard(_ fields: StatusFields, _ text: ReportText) -> Recognition? {
        var evidence: [MailEvidence] = [.deliveryStatusPart]
        if parts.all.first?.contentType.reportType == "delivery-status" { evidence.append(.reportType) }
        return report(fields, text, evidence)
    }

    private func report(_ fields: StatusFields, _ text: ReportText, _ evidence: [MailEvidence]) -> Recognition? {
        var plain = PlainReport(text, excluding: excluded)
        let reader = OutcomeReader(
            wholeText: text.whole, isDelay: false, isAlone: fields.recipients.count == 1)
        let original = ReturnedPart.find(in: parts) ?? text.returned.flatMap(ReturnedPart.original)
        let known = failedRecipients
        var recipients = Recipients()
        var written: [PlainReport.Entry]?
        for (index, block) in fields.recipients.enumerated() {
            var address = Self.address(block)
            if address?.utf8.contains(UInt8(ascii: "@")) != true {
                // A local name or nothing: the text, the header or the returned mail may have the whole address.
                if written == nil { written = plain.entries(known: known) }
                let others = written ?? []
                address =
                    (others.indices.contains(index) && others.count == fields.recipients.count
                        ? others[index].address : nil)
                    ?? address ?? (fields.recipients.count == 1 ? original.flatMap(Self.recipient) : nil)
            }
            guard let address, recipients.needs(address, isFailure: reader.isFailure(block)) else { continue }
            var next = reader.recipient(block, address: address, said: plain.said(about: address))
            Self.correct(&next, reportedBy: fields.message["reporting-mta"])
            recipients.take(next)
        }
        guard !recipients.all.isEmpty else { return nil }
        let report = DeliveryReport(
            recipients: recipients.all, reportingHost: OutcomeReader.value(fields.message["reporting-mta"]),
            envelopeID: fields.message["original-envelope-id"], queueID: fields.message["x-postfix-queue-id"],
            original: original)
        return Recognition(.deliveryReport(report), evidence)
    }

    /// A receiving service that lets its customer choose among texts says what he chose, not what is the case.
    private static func correct(_ recipient: inout ReportedRecipient, reportedBy host: String?) {
        guard let host = host?.lowercased(), host.contains("inbound-smtp."), host.hasSuffix(".amazonaws.com"),
            recipient.reason == .userUnknown
        else { return }
        recipient.reason = .recipientRefused
        recipient.isHard = false
    }

    /// One report may speak of a recipient twice; the failure counts. The rest need not be understood.
    private struct Recipients {
        private(set) var all: [ReportedRecipient] = []
        private var places: [String: Int] = [:]

        /// Whether what is known of that address so far would give way.
        func needs(_ address: String, isFailure: Bool) -> Bool {
            guard let place = places[address.lowercased()] else { return true }
            return isFailure && !all[place].isFailure
        }

        mutating func take(_ next: ReportedRecipient) {
            let key = next.address.lowercased()
            if let place = places[key] {
                all[place] = next
            } else {
                places[key] = all.count
                all.append(next)
            }
        }
    }

    private static func address(_ block: StatusFields.Block) -> String? {
        let candidates = ["final-recipient", "original-recipient", "x-actual-recipient"]
            .compactMap { block[$0].flatMap(OutcomeReader.address) }
        return candidates.first { $0.utf8.contains(UInt8(ascii: "@")) } ?? candidates.first
    }

    private static func recipient(_ original: OriginalMessage) -> String? {
        original.header("To").flatMap { HeaderAddresses.parse($0).first }?.description
    }

    // MARK: In plain words

    private func plain(_ text: ReportText) -> Recognition? {
        var evidence = self.evidence(text)
        guard isReport(evidence, text) else { return nil }
        let embedded = StatusFields(text.whole, isFree: true)
        if embedded.recipients.contains(where: { $0["final-recipient"] != nil || $0["original-recipient"] != nil }) {
            evidence.append(.statusFieldsInText)
            return report(embedded, text, evidence)
        }
        let original = ReturnedPart.find(in: parts) ?? text.returned.flatMap(ReturnedPart.original)
        var plain = PlainReport(text, excluding: excluded)
        var entries = plain.entries(known: failedRecipients)
        if entries.isEmpty, let returned = text.returned {
            // A header in the middle of the report: what looks like the returned mail may be more of the report.
            let later = StatusFields(String(decoding: returned.prefix(128 << 10), as: UTF8.self), isFree: true)
            if later.recipients.contains(where: { $0["final-recipient"] != nil && $0["action"] != nil }) {
                evidence.append(.statusFieldsInText)
                return report(later, text, evidence)
            }
        }
        if entries.isEmpty, let address = original.flatMap(Self.recipient) {
            entries = [PlainReport.Entry(address: address, said: "")]
        }
        guard !entries.isEmpty else { return nil }
        let reader = OutcomeReader(wholeText: text.whole, isDelay: isDelay(text))
        let recipients = entries.map(reader.recipient)
        // A null reverse path and a sentence are what an absence has too: then somebody must have said why.
        let signs: [MailEvidence] = [.daemonSender, .reportSubject, .failedRecipientsField, .reportType]
        if !evidence.contains(where: signs.contains), original == nil,
            recipients.allSatisfy({ $0.replyCode == nil && $0.reason.kind == .unknown })
        {
            return nil
        }
        let report = DeliveryReport(recipients: recipients, original: original)
        if original != nil { evidence.append(.returnedMessage) }
        return Recognition(.deliveryReport(report), evidence)
    }

    /// What makes it worth the work of looking at the text.
    private var isSuspicious: Bool {
        isDaemon || isPostmaster || isRobot || message.reversePath.isEmpty || hasReportSubject
            || !failedRecipientFields.isEmpty
            || parts.all.first?.contentType.reportType == "delivery-status"
    }

    private func evidence(_ text: ReportText) -> [MailEvidence] {
        var evidence: [MailEvidence] = []
        if message.reversePath.isEmpty { evidence.append(.nullReversePath) }
        if isDaemon { evidence.append(.daemonSender) }
        if !failedRecipientFields.isEmpty { evidence.append(.failedRecipientsField) }
        if parts.all.first?.contentType.reportType == "delivery-status" { evidence.append(.reportType) }
        if hasReportSubject { evidence.append(.reportSubject) }
        if ReportPhrases.isReport(text) { evidence.append(.reportText) }
        return evidence
    }

    /// Who sent it and what it says must both speak for it.
    private func isReport(_ evidence: [MailEvidence], _ text: ReportText) -> Bool {
        if evidence.contains(.failedRecipientsField) || evidence.contains(.reportType) { return true }
        let sender = evidence.contains(.daemonSender) || evidence.contains(.nullReversePath)
        guard sender else {
            guard evidence.contains(.reportText) else { return false }
            let isQuoted = quotesReply(text)
            if isPostmaster { return evidence.contains(.reportSubject) || isQuoted }
            // Shops and parcel services write of deliveries as well.
            return isRobot && evidence.contains(.reportSubject) && (isQuoted || ReturnedPart.find(in: parts) != nil)
        }
        if hasReplySubject || isAnswer { return evidence.contains(.daemonSender) && evidence.contains(.reportText) }
        return evidence.contains(.reportSubject) || evidence.contains(.reportText)
    }

    private func quotesReply(_ text: ReportText) -> Bool {
        text.lines.prefix(20).contains { SMTPReply.find(in: Array($0.utf8))?.start == 0 }
    }

    private var isAnswer: Bool {
        message.headers(named: "Auto-Submitted").contains { AutomaticMail.token(of: $0) == "auto-replied" }
    }

    private var hasReplySubject: Bool { AutomaticSubjects.matches(read.subject) }

    private var hasReportSubject: Bool { ReportPhrases.isSubject(read.subject) }

    private var isDaemon: Bool {
        let name = message.headers.first { $0.isNamed("From") }?.text.lowercased() ?? ""
        if ReportPhrases.daemons.isFound(in: name) { return true }
        if ReportPhrases.daemons.isFound(in: message.reversePath.lowercased()) { return true }
        // A person's title, too.
        return (message.reversePath.isEmpty || isPostmaster) && ReportPhrases.systems.isFound(in: name)
    }

    private var isPostmaster: Bool {
        let local = read.from?.address.localPart.lowercased() ?? ""
        return Self.postmasters.contains(local) || local.hasSuffix("daemon")
    }

    private static let postmasters: Set<String> = [
        "postmaster", "post_master", "post-master", "mail-daemon", "mailerdaemon", "maildaemon", "mdaemon", "root",
        "mailadmin",
    ]

    private var isRobot: Bool {
        let local = read.from?.address.localPart.lowercased() ?? ""
        return local.hasPrefix("no-reply") || local.hasPrefix("noreply") || local.hasPrefix("bounce")
    }

    private func isDelay(_ text: ReportText) -> Bool { ReportPhrases.isDelay(subject: read.subject, text) }

    // MARK: Where things are

    private var failedRecipientFields: [String] { message.headers(named: "X-Failed-Recipients") }

    private var failedRecipients: [MailAddress] {
        var seen: Set<MailAddress> = []
        return failedRecipientFields.flatMap(HeaderAddresses.parse).filter { seen.insert($0).inserted }
    }

    private var excluded: Set<String> {
        Set((read.to.map(\.address) + [read.from?.address].compactMap { $0 }).map(\.normalized))
    }

    /// The delivery status parts of this message, not of a message inside it. Nil when there is none.
    private func statusFields() -> StatusFields? {
        let found = parts.all.filter { part in
            ["message/delivery-status", "message/global-delivery-status", "text/delivery-status"].contains(
                part.contentType.essence)
        }
        guard !found.isEmpty else { return nil }
        var text = ""
        for part in found.prefix(10) {
            var defects = DefectList()
            text +=
                BodyReader.withLineFeeds(
                    CharsetDecoder.decode(parts.content(of: part), charset: "utf-8", defects: &defects)) + "\n\n"
        }
        return StatusFields(text)
    }

    /// The text parts in front of the returned mail. Text that says to be of another kind is read as well, HTML where there is
    /// nothing else.
    private func reportText() -> String {
        var plain = ""
        var html = ""
        for part in parts.all where !part.isMultipart {
            if ReturnedPart.isReturned(part), part.depth > 0 { break }
            guard part.contentType.isText, part.disposition != "attachment" else { continue }
            var defects = DefectList()
            let decoded = CharsetDecoder.decode(
                parts.content(of: part).prefix(256 << 10), charset: part.contentType.charset, defects: &defects)
            let text = BodyReader.withLineFeeds(decoded)
            if part.contentType.subtype == "html" {
                if html.isEmpty { html = PlainText.from(html: text) }
            } else {
                plain += text + "\n"
            }
        }
        return plain.contains { !$0.isWhitespace } ? plain : html
    }
}

/// How reports open, in lower case.
enum ReportPhrases {
    /// Names of those who write reports, in From or in the reverse path.
    static let daemons: Phrases = [
        "mailer-daemon", "mail delivery", "mail deliver ", "delivery subsystem", "mail.delivery",
    ]

    /// The same, of mail that nobody may answer or that comes from a postmaster.
    static let systems: Phrases = ["mail system", "system administrator"]

    private static let subjects: Phrases = [
        "undeliver", "delivery status notification", "delivery notification", "delivery failure", "delivery failed",
        "delivery has failed", "delivery report", "delivery problem", "delivery error", "delivery system",
        "delivery delayed", "delivery status", "failed delivery",
        "returned mail", "returned to sender", "returning message to sender", "returned message", "return to sender",
        "mail could not be delivered", "message could not be delivered", "could not be delivered", "could not send",
        "could not deliver", "couldn't be delivered", "not delivered", "non-deliver", "nondeliver", "non deliver",
        "unable to deliver", "unable to send", "unzustellbar", "nicht zustellbar", "nicht zugestellt", "zustellung",
        "non remis", "non distribuable", "echec de la remise", "échec de la remise", "impossible de remettre",
        "mancato recapito", "notifica di mancato", "no se puede entregar", "error de entrega", "devuelto",
        "onbestelbaar", "falha na entrega", "não entregue", "olevererbart", "kunde inte levereras", "не доставлено",
        "配信",
        "failure notice", "mail failure", "mail system error", "mail delivery", "message delivery",
        "permanent delivery", "transient delivery", "temporary delivery", "message status", "message delayed",
        "mail delayed", "still being retried", "warning: message", "warning: could not send", "warning--could not send",
        "mail error", "ndn:", "ndr:", "mail returned", "message not delivered", "postmaster notify", "user unknown",
        "deferred mail", "host unknown", "mail status report", "mail non remis", "rejected mail", "mail rejected",
        "message rejected", "your message to*rejected",
    ]

    static func isSubject(_ subject: String) -> Bool {
        let lowered = subject.lowercased()
        return subjects.isFound(in: lowered)
    }

    private static let openings: Phrases = [
        "error message below", "could not be delivered", "couldn't be delivered", "not be delivered",
        "has not been delivered",
        "not yet been delivered", "was not delivered", "were not delivered", "wasn't delivered", "cannot be delivered",
        "can not be delivered", "can't be delivered", "unable to deliver", "unable to be delivered",
        "wasn't able to deliver", "was not able to deliver", "were unable to deliver", "error delivering",
        "error while delivering", "error occurred while trying to deliver", "failed to deliver",
        "failed to be delivered", "delivery failed", "delivery has failed", "delivery to the following",
        "delevery to the following", "delivery attempt", "delivery error", "delivery of your", "delivery of the",
        "delivery failure", "deliver your message", "deliver your mail", "deliver the following", "deliver message",
        "could not deliver", "couldn't deliver",
        "undeliverable", "did not reach", "not reach some or all", "could not be reached", "could not be sent",
        "couldn't be sent", "had permanent fatal errors", "had delivery errors", "had transient",
        "have permanent fatal errors", "transcript of session", "following address", "following recipient",
        "following destination", "following user", "failed permanently", "failed addresses", "permanent error",
        "permanent failure", "permanent fatal", "fatal error", "returned to sender", "returned as undeliver",
        "message was rejected by", "mail was rejected by", "was rejected by a remote",
        "rejected by the recipient domain", "your message could not", "your mail could not", "the mail system",
        "delivery status notification", "mail sent on", "group you tried to contact", "remote host said",
        "mailbox is full", "user unknown", "unknown user", "message that you sent", "automatically generated delivery",
        "message sent to", "you sent a message to", "returned mail",
        "送信できませんでした", "送信できない", "配信できません", "配送できません", "お届けできません", "nicht zugestellt werden", "konnte nicht zugestellt",
        "n'a pas pu être", "n'a pas pu etre", "no se pudo entregar", "no pudo ser entregado", "non è stato possibile",
        "impossibile recapitare", "não pôde ser entregue", "не может быть доставлено", "не удалось доставить", "无法投递",
        "无法送达", "退信",
    ]

    static func isReport(_ text: ReportText) -> Bool {
        text.lowered.prefix(80).contains { line in openings.isFound(in: line) }
    }

    private static let delays: Phrases = [
        "delayed", "not yet been delivered", "will be retried", "still trying", "will continue", "warning message only",
        "warning only", "no action is required", "could not send message for past", "could not send mail for past",
        "has been deferred", "will keep trying", "still being", "do not need to resend", "temporary",
    ]

    static func isDelay(subject: String, _ text: ReportText) -> Bool {
        let lowered = subject.lowercased()
        if lowered.contains("failure") || lowered.contains("failed") || lowered.contains("returned") { return false }
        if lowered.contains("delay") || lowered.hasPrefix("warning") || lowered.contains("retried")
            || lowered.contains("deferred")
        {
            return true
        }
        return text.lowered.prefix(30).contains { line in delays.isFound(in: line) && !line.contains("giv")
        }
            && !text.lowered.contains {
                $0.contains("permanent") || $0.contains("given up") || $0.contains("giving up") || $0.contains("failed")
            }
    }
}
