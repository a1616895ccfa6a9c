/// Base64 with padding (RFC 4648 section 4).
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let first = bytes[index]
            let second = index + 1 < bytes.count ? bytes[index + 1] : 0
            let third = index + 2 < bytes.count ? bytes[index + 2] : 0
            result.append(digits[Int(first >> 2)])
            result.append(digits[Int((first & 3) << 4 | second >> 4)])
            result.append(index + 1 < bytes.count ? digits[Int((second & 15) << 2 | third >> 6)] : UInt8(ascii: "="))
            result.append(index + 2 < bytes.count ? digits[Int(third & 63)] : UInt8(ascii: "="))
            index += 3
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The value of each digit; 64 for the padding, 65 for what is no digit.
    static let values: [UInt8] = (0...255).map { byte in
        if byte == Int(UInt8(ascii: "=")) { return 64 }
        return digits.firstIndex(of: UInt8(byte)).map { UInt8($0) } ?? 65
    }

    /// Forgiving, as RFC 2045 section 6.8 asks: what is no digit is skipped, and padding may be missing. After padding the rest of
    /// the line says nothing; on the next line another piece may begin, as where programs glued two of them.
    static func decode(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 3 / 4 + 3)
        var quantum: UInt32 = 0
        var count = 0
        var isEnded = false
        for byte in bytes {
            if byte == 0x0A { isEnded = false }
            if isEnded { continue }
            let value = values[Int(byte)]
            if value < 64 {
                quantum = quantum << 6 | UInt32(value)
                count += 1
                guard count == 4 else { continue }
                result.append(UInt8(truncatingIfNeeded: quantum >> 16))
                result.append(UInt8(truncatingIfNeeded: quantum >> 8))
                result.append(UInt8(truncatingIfNeeded: quantum))
                count = 0
            } else if value == 64 {
                append(quantum, count: count, to: &result)
                count = 0
                isEnded = true
            }
        }
        append(quantum, count: count, to: &result)
        return result
    }

    /// The last two or three digits of a piece; a single one is half a byte and nothing.
    private static func append(_ quantum: UInt32, count: Int, to result: inout [UInt8]) {
        if count == 2 { result.append(UInt8(truncatingIfNeeded: quantum >> 4)) }
        guard count == 3 else { return }
        result.append(UInt8(truncatingIfNeeded: quantum >> 10))
        result.append(UInt8(truncatingIfNeeded: quantum >> 2))
    }
}
