import MailModel

/// A message as its reader sees it.
package struct ReadMessage: Sendable {
    /// Decoded, one line; empty when there is none.
    package var subject = ""
    /// The first mailbox of From.
    package var from: Mailbox?
    /// The From field as it stands, decoded, one line; nil when there is none.
    package var fromHeader: String?
    /// Members of groups included.
    package var to: [Mailbox] = []
    /// Members of groups included.
    package var cc: [Mailbox] = []
    /// Empty when there is no field.
    package var replyTo: [Mailbox] = []
    /// Without angle brackets.
    package var messageID: String?
    /// Without angle brackets.
    package var inReplyTo: [String] = []
    /// Without angle brackets, oldest first.
    package var references: [String] = []
    /// The Date field in microseconds UTC, whatever time the sender believes it to be.
    package var date: Int64?
    /// The text parts, joined; LF line ends; nil when there is no text part.
    package var textBody: String?
    /// The HTML parts, joined; nil when there is none.
    package var htmlBody: String?
    /// What a person would read: the text parts, and where there are none, the text of the HTML.
    package var text = ""
    /// In order of appearance.
    package var attachments: [Attachment] = []
    /// What could not be read, each once.
    package var defects: [Defect] = []

    /// `text` without quoted mail and signature: what the sender wrote this time.
    package var strippedText: String { QuotedReply.stripped(text) }

    /// True when there is something to read or to save.
    package var hasContent: Bool { !attachments.isEmpty || text.contains { !$0.isWhitespace } }

    /// A message of which nothing could be read.
    package init() {}

    /// An attached file; its content stays in the message.
    package struct Attachment: Hashable, Sendable {
        /// Its place in `MessageParts.all`, by which its content is reached.
        package var part: Int
        /// As the sender wrote it; a name to show, no path to write to.
        package var filename: String?
        /// `image/png`, in lower case.
        package var contentType: String
        /// Decoded bytes.
        package var size: Int
        /// `attachment`, `inline` or what the sender invented; nil when he says nothing.
        package var disposition: String?
        /// Meant to be shown inside the text, not beside it.
        package var isInline: Bool
        /// Content-ID without brackets, by which HTML refers to it.
        package var contentID: String?
        /// The message that it is; nil for other files, and beyond the limits.
        package var embedded: EmbeddedMessage?

        /// Its name, or one that is made from what it is.
        package var shownName: String? { filename ?? embedded?.fileName }
    }
}
