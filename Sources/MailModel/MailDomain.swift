/// The part of an address after the `@`: its rules and its ASCII form.
package enum MailDomain {
    /// Throws when the text is neither a domain name nor an address literal.
    static func check(_ domain: some StringProtocol) throws(MailAddress.Failure) {
        if domain.first == "[" { return try check(literal: domain) }
        for label in domain.split(separator: ".", omittingEmptySubsequences: false) {
            guard !label.isEmpty, label.first != "-", label.last != "-" else { throw .invalidDomain }
            guard label.unicodeScalars.allSatisfy(isLabelText) else { throw .invalidDomain }
            if label.utf8.count > 63, label.utf8.allSatisfy({ $0 < 0x80 }) { throw .tooLong }
        }
    }

    /// The name with every label in ASCII and lower case; an address literal unchanged but for the case. Nil when a label is
    /// empty or has no form within 63 bytes. Letters must come composed (NFC), as people type them: this room has no
    /// normalization tables.
    package static func ascii(_ domain: String) -> String? {
        if domain.utf8.allSatisfy({ $0 < 0x80 }) { return domain.lowercased() }
        var labels: [String] = []
        for label in domain.lowercased().split(separator: ".", omittingEmptySubsequences: false) {
            guard !label.isEmpty else { return nil }
            guard let ascii = label.utf8.allSatisfy({ $0 < 0x80 }) ? String(label) : encoded(label) else { return nil }
            labels.append(ascii)
        }
        return labels.joined(separator: ".")
    }

    private static func encoded(_ label: Substring) -> String? {
        guard let code = Punycode.encode(label.unicodeScalars) else { return nil }
        let result = "xn--" + code
        return result.utf8.count <= 63 ? result : nil
    }

    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3); what is inside is for the server to judge.
    private static func check(literal: some StringProtocol) throws(MailAddress.Failure) {
        let inside = literal.dropFirst().dropLast()
        guard literal.last == "]", !inside.isEmpty else { throw .invalidDomain }
        let isPlain = inside.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isPlain else { throw .invalidDomain }
    }

    /// Letters, digits, hyphen; the underscore because hosts with one send mail; letters outside ASCII (RFC 6531).
    private static func isLabelText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: scalar.value >= 0xA1 && !scalar.properties.isWhitespace && scalar.value != 0x3002
        }
    }
}
