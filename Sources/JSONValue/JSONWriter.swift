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
            for position in object.keys.indices {
                if position > 0 { output.append(UInt8(ascii: ",")) }
                append(object.keys[position], to: &output)
                output.append(UInt8(ascii: ":"))
                append(object.values[position], to: &output)
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
            for (position, byte) in bytes.enumerated()
            where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                output.append(contentsOf: bytes[start..<position])
                escape(byte, to: &output)
                start = position + 1
            }
            output.append(contentsOf: bytes[start...])
        }
        output.append(UInt8(ascii: "\""))
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
