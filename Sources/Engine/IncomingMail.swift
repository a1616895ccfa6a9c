import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// A received message as it was read, and what of it goes into its event.
struct IncomingMail: Sendable {
    let message: ReceivedMessage
    let read: ReadMessage
    let verdicts: ScanVerdicts
    private let textLimit: Int

    /// Longest value taken over from a header field, and the longest list, in the event.
    private static let fieldLimit = 998
    private static let listLimit = 50
    /// No mail older than this is answered by a program, in microseconds.
    private static let largestAge: Int64 = 7 * 86_400_000_000

    init(_ message: ReceivedMessage, verdicts: ScanVerdicts, limits: ReadingLimits, textLimit: Int) {
        self.message = message
        self.verdicts = verdicts
        self.textLimit = textLimit
        read = MessageReader.read(message, limits: limits)
    }

    /// Who wrote: the mailbox of From; the reverse path when From names nobody; nil when that is empty too.
    var contactAddress: String? {
        if let from = read.from?.address { return from.normalized }
        return MailAddress.parse(message.reversePath)?.normalized
    }

    /// Why no program may answer this message; nil when one may.
    func refusal(recipient: String, ownAddresses: Set<String>, now: Timestamp) -> AutomaticReplyRule.Refusal? {
        AutomaticReplyRule.refusal(
            for: message,
            in: AutomaticReplyRule.Circumstances(
                recipient: recipient, ownAddresses: ownAddresses, verdicts: verdicts,
                age: read.date.map { now.microseconds - $0 }, largestAge: Self.largestAge))
    }

    /// The data of `email.received`, at most `limit` bytes of JSON: a longer one loses text first, then lists.
    func eventData(
        recipient: String, refusal: AutomaticReplyRule.Refusal?, now: Timestamp, limit: Int
    ) -> JSONObject {
        var data = facts(recipient: recipient, now: now)
        data["replyRefusal"] = refusal.map { .string($0.rawValue) }
        data.merge(verdictData)
        data.merge(listData)
        let text = Self.truncated(read.text, bytes: textLimit)
        data["text"] = .string(text)
        data["isTextTruncated"] = .bool(text.utf8.count < read.text.utf8.count)
        for key in ["text", "recipients", "attachments", "references"] {
            if JSONWriter.bytes(.object(data)).count <= limit { break }
            data[key] = nil
            data["isTextTruncated"] = true
        }
        return data
    }

    private func facts(recipient: String, now: Timestamp) -> JSONObject {
        var data: JSONObject = [
            "from": .string(read.from?.address.description ?? message.reversePath),
            "envelopeFrom": .string(message.reversePath), "to": .string(recipient),
            "subject": .string(Self.truncated(read.subject, bytes: Self.fieldLimit)),
            "timestamp": .string("\(now)"), "queueId": .string(message.queueID),
            "clientAddress": .string(message.clientAddress), "clientName": .string(message.clientName),
            "helo": .string(Self.truncated(message.helo, bytes: 255)), "size": .int(Int64(message.body.count)),
            "hasContent": .bool(read.hasContent), "isBodyTruncated": .bool(message.isBodyTruncated),
        ]
        data["fromName"] = read.from?.name.map { .string(Self.truncated($0, bytes: Self.fieldLimit)) }
        data["fromHeader"] = message.header("From").map { .string(Self.truncated($0, bytes: Self.fieldLimit)) }
        data["messageId"] = read.messageID.map { .string($0) }
        data["date"] = read.date.map { .string("\(Timestamp(microseconds: $0))") }
        data["authenticatedUser"] = message.authenticatedUser.map { .string($0) }
        return data
    }

    private var verdictData: JSONObject {
        var data: JSONObject = [
            "spamVerdict": .string(verdicts.spam.rawValue), "virusVerdict": .string(verdicts.virus.rawValue),
            "spfVerdict": .string(verdicts.spf.rawValue), "dkimVerdict": .string(verdicts.dkim.rawValue),
            "dmarcVerdict": .string(verdicts.dmarc.rawValue),
        ]
        data["spamAction"] = verdicts.spamAction.map { .string(Self.truncated($0, bytes: 64)) }
        data["spamScore"] = verdicts.spamScore.map { .double($0) }
        data["spamThreshold"] = verdicts.spamThreshold.map { .double($0) }
        if verdicts.isConflicting { data["isVerdictConflicting"] = true }
        return data
    }

    private var listData: JSONObject {
        var data: JSONObject = [
            "recipients": Self.list(message.recipients),
            "inReplyTo": Self.list(read.inReplyTo),
            "references": Self.list(MessageComposer.trimmed(references: read.references)),
            "attachments": .array(
                read.attachments.prefix(Self.listLimit).map { attachment in
                    [
                        "filename": attachment.filename.map { .string(Self.truncated($0, bytes: 255)) } ?? .null,
                        "contentType": .string(attachment.contentType), "size": .int(Int64(attachment.size)),
                    ]
                }),
        ]
        if !read.defects.isEmpty { data["defects"] = Self.list(read.defects.map { "\($0)" }) }
        return data
    }

    private static func list(_ texts: [String]) -> JSON {
        .array(texts.prefix(listLimit).map { .string(truncated($0, bytes: fieldLimit)) })
    }

    /// The longest beginning of whole characters that fits.
    private static func truncated(_ text: String, bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: bytes)
        while end > text.startIndex, end.samePosition(in: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
