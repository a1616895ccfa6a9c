/// One mailbox: local part and domain. Compares by `normalized`, prints as it was given.
///
/// Takes the addr-spec that an envelope carries (RFC 5321 section 4.1.2, RFC 6531 section 3.3 for letters outside
/// ASCII), never a display name, never angle brackets. Dots may stand anywhere in the local part, because mailboxes
/// like `a..b@` exist and their servers take them. What could end a command, hide text or end the brackets around an
/// address is refused, so a parsed address may be written into an SMTP command or a header field.
package struct MailAddress: Hashable, Sendable, CustomStringConvertible {
    /// As given, quotes included.
    package let localPart: String
    /// As given: a domain name, perhaps with letters outside ASCII, or an address literal in square brackets.
    package let domain: String
    /// The whole address in lower case: the key under which an address is one contact, one suppression, one sender.
    package let normalized: String
    /// True when the local part is outside ASCII, and needs servers that offer SMTPUTF8 (RFC 6531) on the whole way.
    package let requiresSMTPUTF8: Bool

    /// Why a text is no address. The raw value is fit for an API answer and a metric label.
    package enum Failure: String, Error, Hashable, Sendable, CaseIterable {
        case empty
        /// No `@` outside quotes, or nothing after it.
        case noDomain = "no_domain"
        case invalidLocalPart = "invalid_local_part"
        case invalidDomain = "invalid_domain"
        /// A control character, an invisible direction mark, a line or paragraph separator.
        case forbiddenCharacter = "forbidden_character"
        /// Over 64 bytes in the local part, 63 in a label, 255 in the domain or 254 in all (RFC 5321 section 4.5.3.1).
        case tooLong = "too_long"
    }

    /// The local part's limit for addresses that somebody else made: reply and bounce addresses of big senders are longer
    /// than the 64 bytes of RFC 5321, and their servers take them.
    package static let observedLocalPartLimit = 200

    /// Throws when the text is no single addr-spec.
    package init(_ text: some StringProtocol, localPartLimit: Int = 64) throws(Failure) {
        let text = String(text)
        if let at = MailAddress.plainSeparator(of: text, localPartLimit: localPartLimit) {
            let index = text.utf8.index(text.startIndex, offsetBy: at)
            localPart = String(text[..<index])
            domain = String(text[text.utf8.index(after: index)...])
            normalized = text.lowercased()
            requiresSMTPUTF8 = false
            return
        }
        guard !text.isEmpty else { throw .empty }
        guard !text.unicodeScalars.contains(where: MailAddress.isForbidden) else { throw .forbiddenCharacter }
        let (local, domain) = try MailAddress.split(text)
        guard local.utf8.count <= localPartLimit, domain.utf8.count <= 255, text.utf8.count <= 254 else {
            throw .tooLong
        }
        try MailAddress.check(localPart: local)
        try MailDomain.check(domain)
        localPart = String(local)
        self.domain = String(domain)
        normalized = text.lowercased()
        requiresSMTPUTF8 = !local.utf8.allSatisfy { $0 < 0x80 }
    }

    /// The address, or nil when the text is none.
    package static func parse(_ text: some StringProtocol) -> MailAddress? { try? MailAddress(text) }

    /// The same for an address that came with a message: its local part may have `observedLocalPartLimit` bytes.
    package static func parse(received text: some StringProtocol) -> MailAddress? {
        try? MailAddress(text, localPartLimit: observedLocalPartLimit)
    }

    /// As it was given.
    package var description: String { localPart + "@" + domain }

    /// The domain with every label in ASCII, in lower case (RFC 3492); this is what DNS and libcurl need. Nil when a
    /// label has no such form within 63 bytes.
    package var asciiDomain: String? { MailDomain.ascii(domain) }

    /// The address as it should be written to an SMTP server and into a header: the domain in ASCII, so that a mail to it needs
    /// SMTPUTF8 for its local part alone, and a relay's tables know it by one name. Nil when it must not be written at
    /// all: an angle bracket, even inside quotes, ends the path for some servers.
    package var smtpForm: String? {
        guard isSafeForSMTP, let domain = asciiDomain else { return nil }
        return localPart + "@" + domain
    }

    /// True when the address can be put between the angle brackets of MAIL FROM and RCPT TO.
    package var isSafeForSMTP: Bool { MailAddress.isSafeForSMTP(description) }

    /// Whether a text (an address that was never parsed; empty for the null reverse path) can be written between angle
    /// brackets without starting another command or parameter.
    package static func isSafeForSMTP(_ text: String) -> Bool {
        if text.isEmpty || plainSeparator(of: text, localPartLimit: observedLocalPartLimit) != nil { return true }
        var isQuoted = false
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isForbidden(scalar) || scalar == "<" || scalar == ">" { return false }
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = isQuoted
                if !isQuoted { return false }
            } else if scalar == "\"" {
                isQuoted.toggle()
            } else if scalar.properties.isWhitespace, !isQuoted {
                return false
            }
        }
        return !isQuoted
    }

    /// By `normalized`: letters differ in no address that anybody uses.
    package static func == (left: MailAddress, right: MailAddress) -> Bool { left.normalized == right.normalized }

    /// By `normalized`, like equality.
    package func hash(into hasher: inout Hasher) { hasher.combine(normalized) }
}

extension MailAddress {
    /// Splits at the last `@` outside quotes. An address literal holds none, so the last one is right.
    private static func split(_ text: String) throws(Failure) -> (local: Substring, domain: Substring) {
        guard let at = text.lastIndex(of: "@"), text.index(after: at) < text.endIndex else { throw .noDomain }
        let local = text[..<at]
        guard !local.isEmpty else { throw .invalidLocalPart }
        let domain = text[text.index(after: at)...]
        // `"a@b"`: the only `@` is inside the quotes.
        if domain.contains("\"") { throw .noDomain }
        return (local, domain)
    }

    private static func check(localPart: Substring) throws(Failure) {
        if localPart.first == "\"" {
            try check(quoted: localPart)
        } else if !localPart.unicodeScalars.allSatisfy(isAtomText) {
            throw .invalidLocalPart
        }
    }

    /// A quoted string of RFC 5321 section 4.1.2: printable characters, `\` before a quote or a backslash.
    private static func check(quoted: Substring) throws(Failure) {
        guard quoted.utf8.count >= 2, quoted.last == "\"" else { throw .invalidLocalPart }
        var isEscaped = false
        for scalar in quoted.unicodeScalars.dropFirst().dropLast() {
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\"" {
                throw .invalidLocalPart
            }
        }
        // The closing quote was escaped: the string never ended.
        if isEscaped { throw .invalidLocalPart }
    }

    /// The offset of the `@` in an address of ASCII atoms and a domain name, which nearly all are, found in one pass over the
    /// bytes; nil for any other text, which is then looked at in full.
    private static func plainSeparator(of text: String, localPartLimit: Int) -> Int? {
        guard text.utf8.count <= 254 else { return nil }
        var at: Int?
        var labelStart = 0
        var previous: UInt8 = 0
        var position = 0
        for byte in text.utf8 {
            defer {
                previous = byte
                position += 1
            }
            if byte == UInt8(ascii: "@") {
                guard at == nil, position > 0, position <= localPartLimit else { return nil }
                at = position
                labelStart = position + 1
            } else if at == nil {
                guard isASCIIAtomText(byte) else { return nil }
            } else if byte == UInt8(ascii: ".") {
                guard isLabelEnd(position, labelStart, previous) else { return nil }
                labelStart = position + 1
            } else {
                guard isASCIILabelText(byte), byte != UInt8(ascii: "-") || position > labelStart else { return nil }
            }
        }
        guard let at, isLabelEnd(position, labelStart, previous) else { return nil }
        return at
    }

    private static func isLabelEnd(_ position: Int, _ start: Int, _ last: UInt8) -> Bool {
        position > start && position - start <= 63 && last != UInt8(ascii: "-")
    }

    private static func isASCIILabelText(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }

    private static func isASCIIAtomText(_ byte: UInt8) -> Bool {
        byte < 0x80 && isAtomText(Unicode.Scalar(byte))
    }

    /// atext of RFC 5322 section 3.2.3 with the letters of RFC 6531, and the dot.
    private static func isAtomText(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value >= 0x80 { return !scalar.properties.isWhitespace }
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".": return true
        case "!", "#", "$", "%", "&", "'", "*", "+", "-", "/", "=", "?", "^", "_", "`", "{", "|", "}", "~": return true
        default: return false
        }
    }

    /// Characters that must be in no address: those that end a line, and those that make one address look like another.
    static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F: true
        case 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFD: true
        default: false
        }
    }
}
