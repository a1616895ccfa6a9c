/// Something in a message that could not be read as it was meant. What could be read is there nevertheless.
package enum Defect: String, Hashable, Sendable, CaseIterable {
    /// The body was longer than what was collected or than what is looked at.
    case bodyTruncated = "body_truncated"
    /// There were more header fields, or longer ones, than are looked at.
    case headersTruncated = "headers_truncated"
    /// A header field held a NUL byte; it was removed.
    case nulInHeader = "nul_in_header"
    /// A mailbox of From, To, Cc or Reply-To is no address; it was left out.
    case invalidAddress = "invalid_address"
    case tooManyAddresses = "too_many_addresses"
    case invalidDate = "invalid_date"
    /// Content-Type is no type; the part was read as plain text (RFC 2045 section 5.2).
    case invalidContentType = "invalid_content_type"
    /// A multipart without a boundary; it was read as plain text.
    case missingBoundary = "missing_boundary"
    /// A multipart whose closing line is missing: the mail was cut off, or something else is broken.
    case unterminatedMultipart = "unterminated_multipart"
    case tooManyParts = "too_many_parts"
    /// Multiparts inside each other beyond the limit; the innermost was not opened.
    case nestedTooDeeply = "nested_too_deeply"
    /// Content-Transfer-Encoding is unknown; the bytes were taken as they are.
    case unknownEncoding = "unknown_encoding"
    /// The charset is unknown; the text was read as UTF-8 or, where it is none, as windows-1252.
    case unknownCharset = "unknown_charset"
    /// Bytes that are nothing in their charset became U+FFFD.
    case invalidCharacters = "invalid_characters"
    case textTruncated = "text_truncated"
}

/// The defects found so far, each once, in order of discovery.
struct DefectList {
    private(set) var all: [Defect] = []

    mutating func note(_ defect: Defect) {
        if !all.contains(defect) { all.append(defect) }
    }
}
