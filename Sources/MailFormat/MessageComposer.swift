import MailModel

/// Drafts to wire format: 7-bit, CRLF, lines folded at 78 and never over 998 bytes (RFC 5322 section 2.1.1). Addresses whose
/// local part is outside ASCII have no 7-bit form and are written in UTF-8 (RFC 6532); all else that is, is encoded.
///
/// No value can end its field: control characters become blanks before anything is written. Both bodies are encoded so that
/// they hold neither a bare CR or LF nor a line that looks like a boundary.
package enum MessageComposer {
    /// References that are written: more help nobody, and relays limit header lines.
    package static let referenceLimit = 20

    /// The whole mail: header, blank line, body. Throws when a value can be written in no legal way.
    package static func compose(_ draft: MailDraft) throws(CompositionError) -> [UInt8] {
        try composition(of: draft).bytes
    }

    /// The same, and whether its header is in UTF-8, so that every server on its way must offer SMTPUTF8 (RFC 6531).
    package static func composition(
        of draft: MailDraft
    ) throws(CompositionError) -> (bytes: [UInt8], hasUTF8Header: Bool) {
        var writer = HeaderWriter(capacity: 1024)
        try writer.mailboxes("From", [draft.from])
        try writeRecipients(draft, to: &writer)
        writer.text("Subject", draft.subject)
        try writer.words("Date", MailDate.format(draft.date).map { [$0] } ?? [], orThrow: .invalidDate)
        guard isMessageID(draft.messageID) else { throw CompositionError(.invalidMessageID, field: "Message-ID") }
        writer.words("Message-ID", ["<\(draft.messageID)>"])
        writeThread(draft, to: &writer)
        writer.words("MIME-Version", ["1.0"])
        for field in draft.extraHeaders { try writeExtra(field, to: &writer) }
        return (try finish(draft, writer), writer.hasUTF8)
    }

    /// The newest and the first of a thread, when there are more than the limit.
    package static func trimmed(references: [String]) -> [String] {
        guard references.count > referenceLimit, let first = references.first else { return references }
        return [first] + references.suffix(referenceLimit - 1)
    }

    private static func writeRecipients(_ draft: MailDraft, to writer: inout HeaderWriter) throws(CompositionError) {
        if draft.to.isEmpty {
            writer.words("To", ["undisclosed-recipients:;"])
        } else {
            try writer.mailboxes("To", draft.to)
        }
        if !draft.replyTo.isEmpty { try writer.mailboxes("Reply-To", draft.replyTo) }
    }

    private static func writeThread(_ draft: MailDraft, to writer: inout HeaderWriter) {
        if let id = draft.inReplyTo, isMessageID(id) { writer.words("In-Reply-To", ["<\(id)>"]) }
        let references = trimmed(references: draft.references.filter(isMessageID))
        if !references.isEmpty { writer.words("References", references.map { "<\($0)>" }) }
    }

    private static func writeExtra(_ field: HeaderField, to writer: inout HeaderWriter) throws(CompositionError) {
        let isName =
            !field.name.isEmpty && field.name.utf8.count <= 76
            && field.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        guard isName else { throw CompositionError(.invalidFieldName, field: "extra header") }
        let name = field.name.lowercased()
        guard !reserved.contains(name), !name.hasPrefix("content-") else {
            throw CompositionError(.reservedField, field: field.name)
        }
        try writer.value(field.name, String(decoding: field.value, as: UTF8.self))
    }

    /// Bcc among them: the field would tell everybody.
    private static let reserved: Set<String> = [
        "from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "bcc",
    ]

    private static func finish(_ draft: MailDraft, _ writer: HeaderWriter) throws(CompositionError) -> [UInt8] {
        if draft.html != nil || !draft.files.isEmpty {
            guard (1...50).contains(draft.boundary.utf8.count), draft.boundary.utf8.allSatisfy(isBoundaryByte) else {
                throw CompositionError(.invalidBoundary, field: "Content-Type")
            }
        }
        let body = try body(of: draft)
        var bytes = writer.bytes
        bytes.reserveCapacity(bytes.count + body.header.bytes.count + body.content.count + 64)
        bytes.append(contentsOf: body.header.bytes)
        if draft.html != nil || !draft.files.isEmpty {
            bytes.append(contentsOf: "\r\nThis is a message in several forms in MIME format.\r\n".utf8)
        } else {
            bytes.append(contentsOf: [0x0D, 0x0A])
        }
        bytes.append(contentsOf: body.content)
        return bytes
    }

    /// Printable, with an `@`, short enough for a line of its own with its brackets.
    private static func isMessageID(_ id: String) -> Bool {
        (3...900).contains(id.utf8.count) && id.utf8.contains(UInt8(ascii: "@"))
            && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") }
    }

    private static func isBoundaryByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }
}
