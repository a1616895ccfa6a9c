import MailModel

/// A reply that an MTA passes on to its client as it is: anything else would be replaced by a generic text, or break the dialogue.
struct ReplyLine: Hashable, Sendable {
    /// Three digits of the class asked for.
    let code: String
    /// `x.y.z` of the same class, or nil.
    let enhancedCode: String?
    /// Printable ASCII, at most 400 bytes as the client sees it, never empty; each percent sign twice.
    let text: String

    /// The reply as a temporary refusal; a code that is no 4xx becomes 451.
    static func temporary(_ reply: Reply) -> ReplyLine {
        ReplyLine(reply, isFitting: reply.isTemporary, otherwise: 451)
    }

    /// The reply as a permanent refusal; a code that is no 5xx becomes 550.
    static func permanent(_ reply: Reply) -> ReplyLine {
        ReplyLine(reply, isFitting: reply.isPermanent, otherwise: 550)
    }

    private init(_ reply: Reply, isFitting: Bool, otherwise: Int) {
        let number = isFitting ? reply.code : otherwise
        code = String(number)
        enhancedCode = reply.enhancedCode.flatMap { Self.isEnhancedCode($0, ofClass: number / 100) ? $0 : nil }
        // Postfix, as Sendmail, takes a percent sign in a milter's reply for the start of a sequence: `%%` prints one,
        // a single one vanishes (measured). Nobody else doubles it.
        let line = Self.printable(reply.text, otherwise: isFitting ? "Refused by mail filter" : "Mail filter problem")
        text = line.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%")
    }

    /// Class, subject and detail: `c.s{1,3}.d{1,3}` (RFC 3463 section 2).
    private static func isEnhancedCode(_ text: String, ofClass digit: Int) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == String(digit) else { return false }
        return parts.dropFirst().allSatisfy { part in
            (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
    }

    /// Printable ASCII on one line. A reply line has room for 512 bytes (RFC 5321 section 4.5.3.1.5).
    static func printable(_ text: String, otherwise: String) -> String {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars.prefix(400) {
            switch scalar.value {
            case 0x20...0x7E: bytes.append(UInt8(scalar.value))
            case 0x09, 0x0A, 0x0D: bytes.append(0x20)
            case ..<0x20, 0x7F: continue
            default: bytes.append(UInt8(ascii: "?"))
            }
        }
        return bytes.contains { $0 != 0x20 } ? String(decoding: bytes, as: UTF8.self) : otherwise
    }
}
