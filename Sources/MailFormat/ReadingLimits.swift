/// How much of one message is read. What goes beyond is left out and named as a defect; nothing is refused.
package struct ReadingLimits: Hashable, Sendable {
    /// Bytes of the body that are looked at.
    package var bodyBytes: Int
    /// Fields of the message's own header, and of each part's.
    package var headerFields: Int
    /// Bytes of one field.
    package var fieldBytes: Int
    /// Parts of the whole message, multiparts included.
    package var parts: Int
    /// Multiparts inside each other.
    package var nesting: Int
    /// Bytes of the decoded text, and of the decoded HTML.
    package var textBytes: Int
    /// Mailboxes in one address field.
    package var addresses: Int

    /// The defaults are far above what people send and far below what hurts.
    package init(
        bodyBytes: Int = 32 << 20, headerFields: Int = 1000, fieldBytes: Int = 64 << 10, parts: Int = 1000,
        nesting: Int = 32, textBytes: Int = 1 << 20, addresses: Int = 1000
    ) {
        self.bodyBytes = bodyBytes
        self.headerFields = headerFields
        self.fieldBytes = fieldBytes
        self.parts = parts
        self.nesting = nesting
        self.textBytes = textBytes
        self.addresses = addresses
    }
}
