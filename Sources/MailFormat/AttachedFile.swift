/// A file that goes with a mail.
package struct AttachedFile: Hashable, Sendable {
    /// Any text; control characters become blanks.
    package var filename: String
    /// `type/subtype`, perhaps with parameters whose values need no quotes.
    package var contentType: String
    /// Set: shown within the HTML, which refers to it as `cid:` and this (RFC 2392). Without angle brackets.
    package var contentID: String?
    package var bytes: [UInt8]

    package init(filename: String, contentType: String, contentID: String? = nil, bytes: [UInt8]) {
        self.filename = filename
        self.contentType = contentType
        self.contentID = contentID
        self.bytes = bytes
    }

    /// Whether a text can be the type of a file: `type/subtype` and parameters `name=value` without quotes
    /// (RFC 2045 section 5.1), in at most 255 bytes.
    package static func isContentType(_ text: String) -> Bool {
        guard text.utf8.count <= 255 else { return false }
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { part in
            part.drop { $0 == " " }
        }
        guard let kind = parts.first?.split(separator: "/", omittingEmptySubsequences: false), kind.count == 2,
            kind.allSatisfy(isToken)
        else { return false }
        return parts.dropFirst().allSatisfy { parameter in
            let halves = parameter.split(separator: "=", omittingEmptySubsequences: false)
            return halves.count == 2 && halves.allSatisfy(isToken)
        }
    }

    /// Whether a text can be a content id: printable ASCII without blanks and angle brackets.
    package static func isContentID(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">")
            }
    }

    private static func isToken(_ text: Substring) -> Bool {
        let special = Set("()<>@,;:\\\"/[]?=".utf8)
        return !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !special.contains($0) }
    }
}
