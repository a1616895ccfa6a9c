/// One header field as it travelled: the name, and the value's bytes without the line end that closes the field.
///
/// Continuation lines inside the value are kept (a bare LF or CRLF before white space); a value may be no UTF-8.
package struct HeaderField: Hashable, Sendable {
    package var name: String
    package var value: [UInt8]

    package init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) {
        self.init(name: name, value: Array(value.utf8))
    }

    /// Field names compare without regard to ASCII case (RFC 5322 section 1.2.2).
    package func isNamed(_ other: String) -> Bool {
        // Byte by byte: every rule asks for every field, and a lower-cased copy for each question is felt.
        guard name.utf8.count == other.utf8.count else { return false }
        return zip(name.utf8, other.utf8).allSatisfy { left, right in
            left == right || (left ^ right == 0x20 && (left | 0x20) &- UInt8(ascii: "a") < 26)
        }
    }

    /// The value as text: unfolded, surrounding blanks removed, bytes that are no UTF-8 replaced by U+FFFD.
    package var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.count)
        for byte in value where byte != 0x0D && byte != 0x0A { bytes.append(byte == 0x09 ? 0x20 : byte) }
        let trimmed = bytes.drop { $0 == 0x20 }
        let end = trimmed.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? trimmed.startIndex
        return String(decoding: trimmed[trimmed.startIndex..<end], as: UTF8.self)
    }
}
