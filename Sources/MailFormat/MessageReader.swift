import MailModel

/// Bytes to meaning. Takes whatever a stranger sends and never fails: what cannot be read is a defect beside what could be.
package enum MessageReader {
    /// Subject, people, ids, text and list of attachments of one message.
    package static func read(_ message: ReceivedMessage, limits: ReadingLimits = ReadingLimits()) -> ReadMessage {
        readWithParts(message, limits: limits).read
    }

    /// The same, and the parts it was read from, so that nobody scans the body twice.
    package static func readWithParts(
        _ message: ReceivedMessage, limits: ReadingLimits = ReadingLimits()
    ) -> (read: ReadMessage, parts: MessageParts) {
        var result = ReadMessage()
        var decoder = HeaderDecoder(limits: limits)
        if message.isBodyTruncated { decoder.defects.note(.bodyTruncated) }
        if message.areHeadersTruncated { decoder.defects.note(.headersTruncated) }
        let fields = capped(message.headers, limits: limits, defects: &decoder.defects)
        readHeader(fields, with: &decoder, into: &result)
        let parts = PartScanner.scan(headers: fields, body: message.body, limits: limits)
        for defect in parts.defects { decoder.defects.note(defect) }
        var reader = BodyReader(parts: parts, limits: limits, defects: decoder.defects)
        reader.read(into: &result)
        result.defects = reader.defects.all
        return (result, parts)
    }

    /// The parts of a message without their meaning: for delivery reports and complaints.
    package static func parts(
        headers: [HeaderField], body: [UInt8], limits: ReadingLimits = ReadingLimits()
    ) -> MessageParts {
        PartScanner.scan(headers: Array(headers.prefix(limits.headerFields)), body: body, limits: limits)
    }

    /// A message that travelled inside another (message/rfc822, text/rfc822-headers): header and body of these bytes.
    package static func split(_ bytes: [UInt8], limits: ReadingLimits = ReadingLimits()) -> (
        headers: [HeaderField], body: [UInt8]
    ) { HeaderSplitter.split(withLineFeeds(bytes), limits: limits) }

    /// A file of an old Macintosh ends its lines with CR alone. Nothing that came over SMTP does.
    private static func withLineFeeds(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.contains(0x0A), bytes.contains(0x0D) else { return bytes }
        return bytes.map { $0 == 0x0D ? 0x0A : $0 }
    }

    private static func capped(
        _ fields: [HeaderField], limits: ReadingLimits, defects: inout DefectList
    ) -> [HeaderField] {
        guard fields.count > limits.headerFields else { return fields }
        defects.note(.headersTruncated)
        return Array(fields.prefix(limits.headerFields))
    }

    /// The first field of each name counts: readers show it, so it is what a person answers.
    static func readHeader(
        _ fields: [HeaderField], with decoder: inout HeaderDecoder, into result: inout ReadMessage
    ) {
        var seen: Set<String> = []
        for field in fields where field.name.utf8.count <= 11 {
            let name = field.name.lowercased()
            guard meaningful.contains(name), seen.insert(name).inserted else { continue }
            switch name {
            case "subject": result.subject = decoder.text(field)
            case "from":
                result.from = decoder.mailboxes(field).first
                result.fromHeader = decoder.text(field)
            case "to": result.to = decoder.mailboxes(field)
            case "cc": result.cc = decoder.mailboxes(field)
            case "reply-to": result.replyTo = decoder.mailboxes(field)
            case "message-id": result.messageID = decoder.identifiers(field).first
            case "in-reply-to": result.inReplyTo = decoder.identifiers(field)
            case "references": result.references = decoder.identifiers(field)
            default: result.date = decoder.date(field)
            }
        }
    }

    private static let meaningful: Set<String> = [
        "subject", "from", "to", "cc", "reply-to", "message-id", "in-reply-to", "references", "date",
    ]
}
