/// Encoded words (RFC 2047): letters outside ASCII in a header, in UTF-8.
enum EncodedWord {
    /// An encoded word may have 75 bytes (section 2); `=?utf-8?B?` and `?=` are twelve of them.
    private static let room = 63

    /// True for ASCII that no reader would take for an encoded word.
    static func isPlain(_ text: String) -> Bool {
        var previous: UInt8 = 0
        for byte in text.utf8 {
            guard byte >= 0x20, byte < 0x7F, previous != UInt8(ascii: "=") || byte != UInt8(ascii: "?") else {
                return false
            }
            previous = byte
        }
        return true
    }

    /// The text as encoded words, to be written with a blank between them, which readers leave out. No character is split
    /// (section 5). `firstColumn` is where the first one begins, so that it may be shorter and fit into its line.
    static func encode(_ text: String, firstColumn: Int) -> [String] {
        let isMostlyASCII = text.utf8.count(where: { $0 < 0x80 }) * 4 >= text.utf8.count * 3
        let encoding = isMostlyASCII ? "Q" : "B"
        var words: [String] = []
        var piece: [UInt8] = []
        var cost = 0
        var limit = max(12, min(room, 78 - 12 - firstColumn))
        func capacityUsed() -> Int { isMostlyASCII ? cost : (piece.count + 2) / 3 * 4 }
        func end() {
            words.append("=?utf-8?\(encoding)?" + (isMostlyASCII ? quoted(piece) : Base64.encode(piece)) + "?=")
            piece.removeAll(keepingCapacity: true)
            cost = 0
            limit = room
        }
        for scalar in text.unicodeScalars {
            let bytes = Array(String(Character(scalar)).utf8)
            let more = isMostlyASCII ? bytes.reduce(0) { $0 + (isLiteral($1) || $1 == 0x20 ? 1 : 3) } : 0
            let after = isMostlyASCII ? capacityUsed() + more : (piece.count + bytes.count + 2) / 3 * 4
            if !piece.isEmpty, after > limit { end() }
            piece.append(contentsOf: bytes)
            cost += more
        }
        if !piece.isEmpty { end() }
        return words
    }

    /// The "Q" encoding with the letters that are safe everywhere, names included (section 5, rule 3).
    private static func quoted(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        for byte in bytes {
            if byte == 0x20 {
                result.append(UInt8(ascii: "_"))
            } else if isLiteral(byte) {
                result.append(byte)
            } else {
                result.append(contentsOf: [UInt8(ascii: "="), Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isLiteral(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: "+"): true
        case UInt8(ascii: "-"), UInt8(ascii: "/"): true
        default: false
        }
    }
}

/// Digits in upper case, as quoted-printable wants them (RFC 2045 section 6.7).
enum Hex {
    static let digits = Array("0123456789ABCDEF".utf8)
}
