import MailModel

/// One part of a message: its header, and where its body lies. The body is not copied.
package struct MessagePart: Sendable {
    /// The part's own fields; for the root those of the message.
    package var headers: [HeaderField]
    /// Plain text where the part says nothing (RFC 2045 section 5.2).
    package var contentType: ContentType
    /// How the body is written; `identity` where the part says nothing or something unknown.
    package var encoding: TransferEncoding
    /// `attachment`, `inline` or what the sender invented; nil without the field.
    package var disposition: String?
    /// As the sender wrote it, decoded; no path to write to.
    package var filename: String?
    /// Content-ID without brackets.
    package var contentID: String?
    /// Places of the children in `MessageParts.all`, in order; empty for a leaf.
    package var children: [Int]
    /// The encoded body inside `MessageParts.body`.
    package var range: Range<Int>
    /// 0 for the root.
    package var depth: Int

    /// True when the body is other parts.
    package var isMultipart: Bool { contentType.isMultipart }
}

/// All parts of one message, parents before children.
package struct MessageParts: Sendable {
    /// The root first.
    package var all: [MessagePart]
    /// The bytes that the ranges of the parts refer to.
    package var body: [UInt8]
    /// What was wrong with the structure.
    package var defects: [Defect]

    /// The decoded bytes of one part.
    package func content(of part: MessagePart) -> [UInt8] { part.encoding.decode(raw(part)) }

    /// The part's bytes as they travelled.
    package func raw(_ part: MessagePart) -> ArraySlice<UInt8> { body[part.range] }

    /// The first part of that type, for example `message/delivery-status`.
    package func first(_ essence: String) -> MessagePart? { all.first { $0.contentType.essence == essence } }
}
