import MailModel

/// Addresses in free text: `<a@b.example>`, `a@b.example:`, `mailto:a@b.example`.
enum AddressScanner {
    struct Found {
        var address: MailAddress
        /// In the bytes of the text, brackets included.
        var range: Range<Int>
        var isBracketed: Bool
    }

    /// In order of appearance, at most `limit`.
    static func find(in bytes: [UInt8], limit: Int = 8) -> [Found] {
        var found: [Found] = []
        var start = 0
        while found.count < limit, let at = bytes[start...].firstIndex(of: UInt8(ascii: "@")) {
            start = at + 1
            guard let next = address(around: at, in: bytes, from: found.last?.range.upperBound ?? 0) else { continue }
            found.append(next)
            start = next.range.upperBound
        }
        return found
    }

    private static func address(around at: Int, in bytes: [UInt8], from floor: Int) -> Found? {
        var low = localStart(before: at, in: bytes, from: floor)
        var high = at + 1
        while high < bytes.count, high - at < 256, isDomain(bytes[high]) { high += 1 }
        while high > at + 1, bytes[high - 1] == UInt8(ascii: ".") || bytes[high - 1] == UInt8(ascii: "-") { high -= 1 }
        // A word in front, glued by a colon or an equals sign: `mailto:a@b.example`, `to=a@b.example`.
        if bytes[low] != UInt8(ascii: "\"") {
            for index in (low..<at).reversed() where bytes[index] == UInt8(ascii: ":") {
                low = index + 1
                break
            }
        }
        guard high > at + 1, low < at, let parsed = parse(bytes[low..<high]) else { return nil }
        let isBracketed =
            low > 0 && bytes[low - 1] == UInt8(ascii: "<") && high < bytes.count && bytes[high] == UInt8(ascii: ">")
        let range = isBracketed ? (low - 1)..<(high + 1) : low..<high
        return Found(address: parsed, range: range, isBracketed: isBracketed)
    }

    private static func localStart(before at: Int, in bytes: [UInt8], from floor: Int) -> Int {
        var low = at
        if low > floor, bytes[low - 1] == UInt8(ascii: "\"") {
            var quote = low - 2
            while quote >= floor, low - quote < 128 {
                if bytes[quote] == UInt8(ascii: "\"") { return quote }
                quote -= 1
            }
        }
        while low > floor, at - low < 200, isLocal(bytes[low - 1]) { low -= 1 }
        while low < at, bytes[low] == UInt8(ascii: "'") || bytes[low] == UInt8(ascii: "*") { low += 1 }
        return low
    }

    private static func parse(_ bytes: ArraySlice<UInt8>) -> MailAddress? {
        MailAddress.parse(received: String(decoding: bytes, as: UTF8.self))
    }

    private static func isLocal(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F: false
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\""), UInt8(ascii: "\\"),
            UInt8(ascii: "@"):
            false
        default: true
        }
    }

    private static func isDomain(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte >= 0x80
    }
}
