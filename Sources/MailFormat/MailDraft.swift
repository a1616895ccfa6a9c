import MailModel

/// Everything a mail is made of. Equal drafts give equal bytes: date, ids and boundary come from outside.
package struct MailDraft: Sendable {
    /// The author; the reverse path of the envelope is not here.
    package var from: Mailbox
    /// Empty gives `undisclosed-recipients:;`.
    package var to: [Mailbox]
    /// Empty: no field.
    package var replyTo: [Mailbox]
    /// Any text; control characters become blanks.
    package var subject: String
    /// Microseconds UTC; the field has whole seconds.
    package var date: Int64
    /// Without angle brackets.
    package var messageID: String
    /// Without angle brackets; what is no message id is left out, because it comes from a stranger's mail.
    package var inReplyTo: String?
    /// Oldest first, without angle brackets; trimmed when written.
    package var references: [String]
    /// Nil with `html` present: derived from the HTML.
    package var text: String?
    /// Nil: the mail is plain text.
    package var html: String?
    /// Files that go with it. One with a content id is shown within the HTML.
    package var files: [AttachedFile]
    /// Further fields in the order they are written.
    package var extraHeaders: [HeaderField]
    /// Letters and digits by which the parts are kept apart; any that does not repeat between mails.
    package var boundary: String

    /// What is not given is not written.
    package init(
        from: Mailbox, to: [Mailbox], replyTo: [Mailbox] = [], subject: String, date: Int64, messageID: String,
        inReplyTo: String? = nil, references: [String] = [], text: String? = nil, html: String? = nil,
        files: [AttachedFile] = [], extraHeaders: [HeaderField] = [], boundary: String
    ) {
        self.from = from
        self.to = to
        self.replyTo = replyTo
        self.subject = subject
        self.date = date
        self.messageID = messageID
        self.inReplyTo = inReplyTo
        self.references = references
        self.text = text
        self.html = html
        self.files = files
        self.extraHeaders = extraHeaders
        self.boundary = boundary
    }
}

/// Why a draft is no mail. The draft will not become one by trying again.
package struct CompositionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong; fit for a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// An address that must not be written (angle brackets), or whose domain has no form in ASCII.
        case unwritableAddress = "unwritable_address"
        case invalidMessageID = "invalid_message_id"
        case invalidBoundary = "invalid_boundary"
        /// Before the year 1900 or after 9999 (RFC 5322 section 3.3 has four digits).
        case invalidDate = "invalid_date"
        /// A file whose type or content id cannot be written.
        case invalidFile = "invalid_file"
        /// A field name with forbidden characters (RFC 5322 section 3.6.8).
        case invalidFieldName = "invalid_field_name"
        /// A field that only the composer writes.
        case reservedField = "reserved_field"
        /// A word of a field that fits in no line of 998 bytes.
        case fieldTooLong = "field_too_long"
    }

    /// What is wrong.
    package var code: Code
    /// The field it is about.
    package var field: String

    /// A refusal to write one field.
    package init(_ code: Code, field: String) {
        self.code = code
        self.field = field
    }

    /// Names the field, never its value.
    package var description: String { "The mail cannot be composed: \(code.rawValue) in \(field)." }
}
