/// Writes `JSON` as text (RFC 8259), members in their order, control characters escaped, nothing else.
package enum JSONWriter {
    /// Compact UTF-8 text.
    package static func write(_ value: JSON) -> String {
        String(decoding: bytes(value), as: UTF8.self)
    }

    /// Compact UTF-8 bytes.
    package static func bytes(_ value: JSON) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(128)
        append(value, to: &output)
        return output
    }

    /// At least as many bytes as the text has: every character as if it had to be escaped. Nothing is written for it.
    package static func largestCount(_ value: JSON) -> Int {
        switch value {
        case .null, .bool: 5
        case .int, .double: 32
        case .string(let text): text.utf8.count * 6 + 2
        case .array(let values): values.reduce(2) { $0 + largestCount($1) + 1 }
        case .object(let object):
            object.withMembers { members in
                members.reduce(2) { $0 + $1.key.utf8.count * 6 + 4 + largestCount($1.value) }
            }
        }
    }

    private static func append(_ value: JSON, to output: inout [UInt8]) {
        switch value {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: value ? "true".utf8 : "false".utf8)
        case .int(let value): output.append(contentsOf: String(value).utf8)
        case .double(let value):
            // JSON has no NaN and no infinity; null says "no number here".
            output.append(contentsOf: value.isFinite ? number(value).utf8 : "null".utf8)
        case .string(let value): append(value, to: &output)
        case .array(let values):
            output.append(UInt8(ascii: "["))
            for (position, value) in values.enumerated() {
                if position > 0 { output.append(UInt8(ascii: ",")) }
                append(value, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            object.withMembers { members in
                for position in members.indices {
                    if position > 0 { output.append(UInt8(ascii: ",")) }
                    append(members[position].key, to: &output)
                    output.append(UInt8(ascii: ":"))
                    append(members[position].value, to: &output)
                }
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func number(_ value: Double) -> String {
        if let integer = Int64(exactly: value) { return "\(integer).0" }
        return "\(value)"
    }

    private static func append(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            var position = 0
            while true {
                position = nextEscaped(in: bytes, from: position)
                if start < position {
                    output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<position]))
                }
                guard position < bytes.count else { break }
                escape(bytes[position], to: &output)
                position += 1
                start = position
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// The position of the next byte that must be escaped, or the end. Looks at eight bytes at once: most text has few of
    /// them.
    private static func nextEscaped(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let raw = UnsafeRawBufferPointer(bytes)
        var position = start
        while position + 8 <= raw.count {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ 0x2222_2222_2222_2222
            let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
            // A byte's top bit is set where it is below the subtrahend; borrows only reach bytes behind a hit.
            let hits =
                (word &- 0x2020_2020_2020_2020) & ~word | (quote &- 0x0101_0101_0101_0101) & ~quote
                | (backslash &- 0x0101_0101_0101_0101) & ~backslash
            let marks = hits & 0x8080_8080_8080_8080
            if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < raw.count, !isEscaped(raw[position]) { position += 1 }
        return position
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func escape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(byte)
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        case 0x09: output.append(UInt8(ascii: "t"))
        default:
            let digits = Array("0123456789abcdef".utf8)
            output.append(contentsOf: "u00".utf8)
            output.append(digits[Int(byte >> 4)])
            output.append(digits[Int(byte & 15)])
        }
    }
}
