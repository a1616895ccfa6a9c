import MailModel

/// A server's refusal quoted in free text.
struct SMTPReply {
    var code: Int
    var status: EnhancedStatus?
    /// Where it begins in the bytes.
    var start: Int

    /// The first reply of class 4 or 5. Three digits are one only at the beginning of a line, behind a sign that opens a
    /// quotation, or in front of an enhanced code: everything else may be a port, a size or a part of a host's address.
    static func find(in bytes: [UInt8]) -> SMTPReply? {
        var index = 0
        while index + 2 < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "4") || byte == UInt8(ascii: "5"), let reply = reply(at: index, in: bytes) {
                return reply
            }
            index += 1
        }
        return nil
    }

    private static func reply(at index: Int, in bytes: [UInt8]) -> SMTPReply? {
        guard bytes[index + 1] &- UInt8(ascii: "0") < 10, bytes[index + 2] &- UInt8(ascii: "0") < 10 else { return nil }
        let code = bytes[index...(index + 2)].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        // RFC 5321 section 4.2: the second digit is 0 to 5.
        guard code % 100 < 60, code / 10 % 10 != 4 || code == 440 || code == 441 else { return nil }
        let next = index + 3 < bytes.count ? bytes[index + 3] : 0x0A
        guard
            next <= 0x20 || next == UInt8(ascii: "-") || next == UInt8(ascii: ":") || next == UInt8(ascii: ",")
                || next == UInt8(ascii: ";") || next == UInt8(ascii: ")") || next == UInt8(ascii: "]")
        else { return nil }
        let status = status(behind: index + 3, in: bytes)
        guard index == 0 || opens(bytes[..<index], hasStatus: status != nil) else { return nil }
        return SMTPReply(code: code, status: status, start: index)
    }

    private static func status(behind index: Int, in bytes: [UInt8]) -> EnhancedStatus? {
        var start = index
        while start < bytes.count, start < index + 4,
            [0x20, UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "#"), UInt8(ascii: "(")].contains(bytes[start])
        {
            start += 1
        }
        return EnhancedStatus.read(bytes, at: start)?.status
    }

    private static let introductions: Set<String> = [
        "error", "code", "smtp", "returned", "said", "reply", "status", "was", "with",
    ]

    private static func opens(_ before: ArraySlice<UInt8>, hasStatus: Bool) -> Bool {
        guard let last = before.last else { return true }
        if last == 0x0A || last == UInt8(ascii: ":") || last == UInt8(ascii: "(") || last == UInt8(ascii: "\"")
            || last == UInt8(ascii: ";") || last == UInt8(ascii: "'") || last == UInt8(ascii: "=")
        {
            return true
        }
        guard last <= 0x20 else { return false }
        if hasStatus { return true }
        guard let sign = before.last(where: { $0 != 0x20 && $0 != 0x09 }) else { return true }
        switch sign {
        case 0x0A, UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("),
            UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "="), UInt8(ascii: "."), UInt8(ascii: "|"),
            UInt8(ascii: "-"), UInt8(ascii: "["):
            return true
        default:
            // `error 550`, `code 550`, `SMTP 550`, `returned 550`.
            // Found from behind: a text of nothing but numbers asks for the word before each of them.
            let end = before.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? before.startIndex
            let start = before[..<end].lastIndex { $0 <= 0x20 }.map { $0 + 1 } ?? before.startIndex
            return introductions.contains(String(decoding: before[start..<end], as: UTF8.self).lowercased())
        }
    }
}
