/// Tells which texts may become a contact's address: what every mail server takes (RFC 5321 section 4.1.2 without quoted
/// local parts and address literals, with the letters of RFC 6531), and nothing that could end a header field or a
/// command early.
package enum AddressText {
    /// RFC 5321 section 4.5.3.1, in bytes: the whole path is limited to 256 with its angle brackets.
    private static let limit = 254
    private static let localPartLimit = 64
    private static let labelLimit = 63

    /// The address without blanks around it; nil when it is none.
    package static func accepted(_ text: String) -> String? {
        if isPlain(text) { return text }
        let trimmed = trim(text)
        let parts = trimmed.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, trimmed.utf8.count <= limit, isLocalPart(parts[0]), isDomain(parts[1]) else {
            return nil
        }
        return trimmed
    }

    /// Whether it is one of nearly all addresses: letters, digits and a few signs that are good anywhere, one `@`, and no
    /// empty part or label. What is not may be an address all the same.
    private static func isPlain(_ text: String) -> Bool {
        var length = 0
        var label = 0
        var hasAt = false
        var before = UInt8(ascii: ".")
        for byte in text.utf8 {
            length += 1
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                label += 1
            case UInt8(ascii: "-") where before != UInt8(ascii: "."): label += 1
            case UInt8(ascii: "+"), UInt8(ascii: "_"):
                guard !hasAt else { return false }
                label += 1
            case UInt8(ascii: "."), UInt8(ascii: "@"):
                guard before != UInt8(ascii: "."), before != UInt8(ascii: "-") else { return false }
                if byte == UInt8(ascii: "@") {
                    guard !hasAt, length <= localPartLimit + 1 else { return false }
                    hasAt = true
                }
                label = 0
                // What comes next begins a label, after either.
                before = UInt8(ascii: ".")
                continue
            default: return false
            }
            guard label <= labelLimit else { return false }
            before = byte
        }
        return hasAt && length <= limit && before != UInt8(ascii: ".") && before != UInt8(ascii: "-")
    }

    private static func trim(_ text: String) -> String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let head = text.drop(while: isBlank)
        return String(head.prefix(head.count - head.reversed().prefix(while: isBlank).count))
    }

    private static func isLocalPart(_ text: Substring) -> Bool {
        text.utf8.count <= localPartLimit
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
            && text.unicodeScalars.allSatisfy { isGraphic($0) && !special.contains($0) }
    }

    /// The `@` too: before a combining mark it is another character, at which the address was not split.
    private static let special: Set<Unicode.Scalar> = ["@", "(", ")", "<", ">", "[", "]", ":", ";", ",", "\\", "\""]

    private static func isDomain(_ text: Substring) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.utf8.count <= labelLimit && label.first != "-" && label.last != "-"
                && label.unicodeScalars.allSatisfy(isLabelScalar)
        }
    }

    private static func isLabelScalar(_ scalar: Unicode.Scalar) -> Bool {
        // The ideographic full stop is a dot to some readers (RFC 3490 section 3.1) and a letter to others.
        guard scalar.isASCII else { return isGraphic(scalar) && scalar != "\u{3002}" }
        return scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "-"
    }

    /// Neither blank nor invisible: controls, formatting marks (which can turn the direction of text around), private
    /// and unassigned characters are out, and so are the two that stand for something that got lost.
    private static func isGraphic(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned: false
        case .spaceSeparator, .lineSeparator, .paragraphSeparator: false
        default: scalar != "\u{FFFC}" && scalar != "\u{FFFD}"
        }
    }
}
