/// A text body ready for the wire: in ASCII, CRLF line ends, short lines.
struct EncodedBody {
    enum Encoding: String {
        case sevenBit = "7bit"
        case quotedPrintable = "quoted-printable"
        case base64
    }

    let subtype: String
    let encoding: Encoding
    /// Ends with CRLF unless empty.
    let bytes: [UInt8]

    /// A line of either encoding (RFC 2045 sections 6.7 and 6.8).
    private static let lineLength = 76

    init(_ text: String, subtype: String) {
        self.subtype = subtype
        let text = Array(BodyReader.withLineFeeds(text).utf8)
        encoding = EncodedBody.bestEncoding(of: text)
        switch encoding {
        case .sevenBit: bytes = EncodedBody.withReturns(text)
        case .quotedPrintable: bytes = EncodedBody.quotedPrintable(text)
        case .base64: bytes = EncodedBody.base64(of: EncodedBody.withReturns(text))
        }
    }

    /// As it is where it is short lines of ASCII that nothing on the way changes; otherwise what is shorter.
    private static func bestEncoding(of text: [UInt8]) -> Encoding {
        var encoded = 0
        var column = 0
        var isPlain = true
        var previous: UInt8 = 0x0A
        for (index, byte) in text.enumerated() {
            if byte == 0x0A {
                if previous == 0x20 || previous == 0x09 { isPlain = false }
                column = 0
            } else {
                if column == 0, startsRiskily(text, at: index) { isPlain = false }
                column += 1
                if column > lineLength { isPlain = false }
                if byte == 0 || byte > 0x7E || (byte < 0x20 && byte != 0x09) { encoded += 1 }
            }
            previous = byte
        }
        if encoded == 0, isPlain, previous != 0x20, previous != 0x09 { return .sevenBit }
        return encoded * 6 > text.count ? .base64 : .quotedPrintable
    }

    /// `From ` is changed by mailbox files, a dot by careless relays, and `--` might be a boundary.
    private static func startsRiskily(_ text: [UInt8], at index: Int) -> Bool {
        switch text[index] {
        case UInt8(ascii: "."): true
        case UInt8(ascii: "F"): text[index...].starts(with: Array("From ".utf8))
        case UInt8(ascii: "-"): text[index...].starts(with: Array("--=".utf8))
        default: false
        }
    }

    private static func withReturns(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 32 + 2)
        for byte in text {
            if byte == 0x0A { result.append(0x0D) }
            result.append(byte)
        }
        if let last = result.last, last != 0x0A { result.append(contentsOf: [0x0D, 0x0A]) }
        return result
    }

    private static func quotedPrintable(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 8 + 16)
        var column = 0
        for (index, byte) in text.enumerated() {
            if byte == 0x0A {
                result.append(contentsOf: [0x0D, 0x0A])
                column = 0
                continue
            }
            let next = index + 1 < text.count ? text[index + 1] : 0x0A
            let isBlankAtEnd = (byte == 0x20 || byte == 0x09) && next == 0x0A
            var isLiteral = (byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "=")) || byte == 0x09
            if isBlankAtEnd { isLiteral = false }
            // One place is kept for the sign that the line goes on.
            if column + (isLiteral ? 1 : 3) > lineLength - 1 {
                result.append(contentsOf: [UInt8(ascii: "="), 0x0D, 0x0A])
                column = 0
            }
            if column == 0, byte == UInt8(ascii: "."), isLiteral { isLiteral = false }
            if column == 0, byte == UInt8(ascii: "F"), startsRiskily(text, at: index) { isLiteral = false }
            if isLiteral {
                result.append(byte)
                column += 1
            } else {
                result.append(contentsOf: [UInt8(ascii: "="), Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]])
                column += 3
            }
        }
        if column > 0 { result.append(contentsOf: [0x0D, 0x0A]) }
        return result
    }

    /// In lines; what is encoded may be anything.
    static func base64(of content: [UInt8]) -> [UInt8] {
        let encoded = Array(Base64.encode(content).utf8)
        var result: [UInt8] = []
        result.reserveCapacity(encoded.count + encoded.count / 38 + 2)
        var start = 0
        while start < encoded.count {
            let end = min(start + lineLength, encoded.count)
            result.append(contentsOf: encoded[start..<end])
            result.append(contentsOf: [0x0D, 0x0A])
            start = end
        }
        return result
    }
}
