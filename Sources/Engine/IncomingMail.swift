import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// A received message as it was read, and what of it goes into its event.
struct IncomingMail: Sendable {
    let message: ReceivedMessage
    let read: ReadMessage
    /// What kind of mail it is by what it says of itself.
    let recognition: Recognition
    let verdicts: ScanVerdicts
    let replyRule: AutomaticReplyRule
    /// The event's data but for what depends on the recipient.
    private let commonData: JSONObject

    /// Longest value taken over from a header field, and the longest list, in the event.
    private static let fieldLimit = 998
    private static let listLimit = 50
    /// Bytes that the recipient's own part may add to the common data.
    private static let recipientPart = 2048

    /// - Parameters:
    ///   - textLimit: bytes of text in the event.
    ///   - dataLimit: bytes of JSON that the event's data may have: longer data lose text first, then lists.
    ///   - receivedAt: when the message came; `now` is later where its verdicts were waited for.
    ///   - ownSigns: what shows that it is mail of our own, but for its Message-ID.
    ///   - ownDomains: at which our Message-IDs are, in lower case.
    init(
        _ message: ReceivedMessage, verdicts: ScanVerdicts, limits: ReadingLimits, textLimit: Int, dataLimit: Int,
        receivedAt: Timestamp, now: Timestamp, ownSigns: [MailEvidence] = [], ownDomains: Set<String> = []
    ) {
        self.message = message
        self.verdicts = verdicts
        let (read, parts) = MessageReader.readWithParts(message, limits: limits)
        self.read = read
        var ownSigns = ownSigns
        if let id = read.messageID, OwnMessageID.matches(id, domains: ownDomains) { ownSigns.append(.ownMessageID) }
        recognition = MailRecognizer.recognize(
            message, read: read, parts: parts, circumstances: .init(ownSigns: ownSigns))
        replyRule = AutomaticReplyRule(message)
        commonData = Self.commonData(
            message, read: read, recognition: recognition, verdicts: verdicts, textLimit: textLimit,
            limit: dataLimit - Self.recipientPart, receivedAt: receivedAt,
            milliseconds: (now.microseconds - receivedAt.microseconds) / 1000)
    }

    /// Who wrote: the mailbox of From; the reverse path when From names nobody; nil when that is empty too.
    var contactAddress: String? {
        if let from = read.from?.address { return from.normalized }
        return MailAddress.parse(message.reversePath)?.normalized
    }

    /// A report, or a notice that a mail system wrote by itself: behind its sender is nobody who could be a contact.
    var isFromMailSystem: Bool {
        func isMachine() -> Bool { read.from.map { MachineAddress.matches(localPart: $0.address.localPart) } ?? true }
        return switch recognition.mailClass {
        case .complaint: true
        case .deliveryReport: message.reversePath.isEmpty || isMachine()
        default: message.reversePath.isEmpty && isMachine()
        }
    }

    /// The data of `email.received` for one recipient.
    /// - Parameter replyAddress: where an automatic reply goes instead of the reverse path.
    func eventData(
        for arrival: Arrival, refusal: AutomaticReplyRule.Refusal?, replyAddress: String? = nil
    ) -> JSONObject {
        var data = commonData
        data["to"] = .string(arrival.recipient)
        data["route"] = .string(arrival.route.name)
        data.merge(arrival.data(message, verdicts))
        data["replyRefusal"] = refusal.map { .string($0.rawValue) }
        data["replyAddress"] = replyAddress.map { .string($0) }
        return data
    }

    /// What an answer to a mail of ours tells: who wrote what.
    var answerData: JSONObject {
        var data = JSONObject()
        for key in Self.answerKeys { data[key] = commonData[key] }
        data["strippedText"] = commonData["strippedText"] ?? commonData["text"]
        data["replyMessageId"] = commonData["messageId"]
        return data
    }

    private static let answerKeys = [
        "from", "fromName", "envelopeFrom", "subject", "timestamp", "isTextTruncated", "text", "spamVerdict",
        "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict",
    ]

    /// What is kept of mail that became no event.
    var outcomeDetail: JSONObject {
        var detail = VerdictData.object(verdicts)
        detail["subject"] = commonData["subject"]
        detail["messageId"] = commonData["messageId"]
        return detail
    }

    private static func commonData(
        _ message: ReceivedMessage, read: ReadMessage, recognition: Recognition, verdicts: ScanVerdicts,
        textLimit: Int, limit: Int, receivedAt: Timestamp, milliseconds: Int64
    ) -> JSONObject {
        var data = facts(message, read: read, now: receivedAt)
        data["processingTimeMillis"] = .int(milliseconds)
        data.merge(RecognitionData.object(recognition))
        data.merge(VerdictData.object(verdicts))
        data.merge(listData(message, read: read))
        let text = truncated(read.text, bytes: textLimit)
        data["text"] = .string(text)
        data["isTextTruncated"] = .bool(text.utf8.count < read.text.utf8.count)
        let stripped = truncated(read.strippedText, bytes: textLimit)
        if stripped != text { data["strippedText"] = .string(stripped) }
        data["body"] = html(read, limit: textLimit).map { .string($0) }
        func isTooLarge() -> Bool {
            JSONWriter.largestCount(.object(data)) > limit && JSONWriter.bytes(.object(data)).count > limit
        }
        // What is inside of attached messages goes before anything of the mail itself.
        if read.attachments.contains(where: { $0.embedded != nil }), isTooLarge() {
            data["attachments"] = AttachmentData.list(read.attachments, opensMessages: false)
        }
        for key in ["body", "text", "strippedText", "report", "recipients", "attachments", "references", "inReplyTo"] {
            guard isTooLarge() else { break }
            data[key] = nil
            data["isTextTruncated"] = true
        }
        return data
    }

    private static func facts(_ message: ReceivedMessage, read: ReadMessage, now: Timestamp) -> JSONObject {
        var data: JSONObject = [
            "from": .string(read.from?.address.description ?? message.reversePath),
            "envelopeFrom": .string(message.reversePath),
            "subject": .string(truncated(read.subject, bytes: fieldLimit)),
            "timestamp": .string("\(now)"), "queueId": .string(message.queueID),
            "clientAddress": .string(message.clientAddress), "clientName": .string(message.clientName),
            "helo": .string(truncated(message.helo, bytes: 255)), "size": .int(Int64(message.body.count)),
            "hasContent": .bool(read.hasContent), "isBodyTruncated": .bool(message.isBodyTruncated),
        ]
        data["fromName"] = read.from?.name.map { .string(truncated($0, bytes: fieldLimit)) }
        data["fromHeader"] = read.fromHeader.map { .string(truncated($0, bytes: fieldLimit)) }
        data["messageId"] = read.messageID.map { .string($0) }
        data["date"] = read.date.map { .string("\(Timestamp(microseconds: $0))") }
        data["authenticatedUser"] = message.authenticatedUser.map { .string($0) }
        return data
    }

    /// What a page may show of the message: its HTML, sanitised, or its text as HTML. Nil when there is neither, or more
    /// than the limit: half an element is no HTML.
    private static func html(_ read: ReadMessage, limit: Int) -> String? {
        let html =
            if let body = read.htmlBody {
                body.utf8.count <= 4 * limit ? HTMLSanitizer.sanitize(body) : ""
            } else {
                read.text.utf8.count <= limit ? TextAsHTML.html(read.text) : ""
            }
        return html.isEmpty || html.utf8.count > limit ? nil : html
    }

    private static func listData(_ message: ReceivedMessage, read: ReadMessage) -> JSONObject {
        var data: JSONObject = [
            "recipients": list(message.recipients),
            "inReplyTo": list(read.inReplyTo),
            "references": list(MessageComposer.trimmed(references: read.references)),
            "attachments": AttachmentData.list(read.attachments),
        ]
        if !read.defects.isEmpty { data["defects"] = list(read.defects.map { "\($0)" }) }
        return data
    }

    private static func list(_ texts: [String]) -> JSON {
        .array(texts.prefix(listLimit).map { .string(truncated($0, bytes: fieldLimit)) })
    }

    /// The longest beginning of whole code points that fits.
    ///
    /// Not of whole characters: a letter may bear any number of marks, and where it begins is found only by reading all
    /// of them.
    static func truncated(_ text: String, bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: bytes)
        while end > text.startIndex, text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
