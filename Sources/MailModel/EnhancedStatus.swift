/// A status code of mail systems: class, subject, detail (RFC 3463).
package struct EnhancedStatus: Hashable, Sendable, CustomStringConvertible {
    /// 2 success, 4 temporary, 5 permanent.
    package let category: Int
    /// What it concerns: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    package let subject: Int
    package let detail: Int

    /// Nil when the class is none of 2, 4 and 5 or a number has more than three digits.
    package init?(_ category: Int, _ subject: Int, _ detail: Int) {
        guard [2, 4, 5].contains(category), (0...999).contains(subject), (0...999).contains(detail) else { return nil }
        self.category = category
        self.subject = subject
        self.detail = detail
    }

    private init(valid category: Int, _ subject: Int, _ detail: Int) {
        self.category = category
        self.subject = subject
        self.detail = detail
    }

    /// 5.0.0: it failed, and that is all that is known.
    package static let failure = EnhancedStatus(valid: 5, 0, 0)

    /// The code at the beginning of a field: `5.1.1 (unknown user)`.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(64))
        let start = bytes.firstIndex { $0 > 0x20 } ?? bytes.endIndex
        guard let found = EnhancedStatus.read(bytes, at: start) else { return nil }
        self = found.status
    }

    /// True when neither subject nor detail says anything: `5.0.0`.
    package var isGeneric: Bool { subject == 0 && detail == 0 }

    /// `5.1.1`.
    package var description: String { "\(category).\(subject).\(detail)" }

    /// The first code of class 4 or 5 in free text. Version numbers and addresses of hosts are none: what precedes and what
    /// follows a code is neither a digit nor a further dot.
    package static func find(in text: some StringProtocol) -> EnhancedStatus? {
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "4") || byte == UInt8(ascii: "5"), isStart(bytes, index),
                let found = read(bytes, at: index)
            {
                return found.status
            }
            index += 1
        }
        return nil
    }

    private static func isStart(_ bytes: [UInt8], _ index: Int) -> Bool {
        guard index > 0 else { return true }
        switch bytes[index - 1] {
        case 0...0x20, UInt8(ascii: "("), UInt8(ascii: "#"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["),
            UInt8(ascii: "="), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: ";"), UInt8(ascii: ","):
            return true
        default: return false
        }
    }

    /// A whole code at this place, and the place behind it.
    package static func read(_ bytes: [UInt8], at start: Int) -> (status: EnhancedStatus, end: Int)? {
        guard start + 4 < bytes.count, bytes[start + 1] == UInt8(ascii: ".") else { return nil }
        guard let subject = number(bytes, at: start + 2), subject.end < bytes.count,
            bytes[subject.end] == UInt8(ascii: "."), let detail = number(bytes, at: subject.end + 1)
        else { return nil }
        if detail.end < bytes.count {
            let next = bytes[detail.end]
            let isLetter = (next | 0x20) &- UInt8(ascii: "a") < 26
            let isDottedOn =
                next == UInt8(ascii: ".") && detail.end + 1 < bytes.count
                && bytes[detail.end + 1] &- UInt8(ascii: "0") < 10
            if isLetter || isDottedOn || next &- UInt8(ascii: "0") < 10 { return nil }
        }
        let category = Int(bytes[start]) - Int(UInt8(ascii: "0"))
        return EnhancedStatus(category, subject.value, detail.value).map { ($0, detail.end) }
    }

    private static func number(_ bytes: [UInt8], at start: Int) -> (value: Int, end: Int)? {
        var value = 0
        var index = start
        while index < bytes.count, index < start + 3, bytes[index] &- UInt8(ascii: "0") < 10 {
            value = value * 10 + Int(bytes[index] - UInt8(ascii: "0"))
            index += 1
        }
        return index > start ? (value, index) : nil
    }
}
