/// A file that goes with a mail.
package struct MailAttachment: Hashable, Sendable {
    package var filename: String
    package var contentType: String
    /// Set: shown within the HTML, which refers to it by this name (RFC 2392). Nil: a file beside the text.
    package var contentID: String?
    package var bytes: [UInt8]

    package init(filename: String, contentType: String, contentID: String? = nil, bytes: [UInt8]) {
        self.filename = filename
        self.contentType = contentType
        self.contentID = contentID
        self.bytes = bytes
    }
}
