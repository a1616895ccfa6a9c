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
        var text = BodyReader.withLineFeeds(text)
        (encoding, bytes) = text.withUTF8 { text in
            let encoding = EncodedBody.bestEncoding(of: text)
            switch encoding {
            case .sevenBit: return (encoding, EncodedBody.withReturns(text))
            case .quotedPrintable: return (encoding, EncodedBody.quotedPrintable(text))
            case .base64: return (encoding, EncodedBody.base64(of: EncodedBody.withReturns(text)))
            }
        }
    }

    /// As it is where it is short lines of ASCII that nothing on the way changes; otherwise what is shorter.
    private static func bestEncoding(of text: UnsafeBufferPointer<UInt8>) -> Encoding {
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
    private static func startsRiskily(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        func starts(with word: StaticString) -> Bool {
            index + word.utf8CodeUnitCount <= text.count
                && (0..<word.utf8CodeUnitCount).allSatisfy { text[index + $0] == word.utf8Start[$0] }
        }
        switch text[index] {
        case UInt8(ascii: "."): return true
        case UInt8(ascii: "F"): return starts(with: "From ")
        case UInt8(ascii: "-"): return starts(with: "--=")
        default: return false
        }
    }

    private static func withReturns(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 32 + 2)
        for line in text.split(separator: 0x0A, omittingEmptySubsequences: false) {
            result.append(contentsOf: UnsafeBufferPointer(rebasing: line))
            // What stands behind the last line end is a line, too, unless it is nothing.
            if line.endIndex < text.count || !line.isEmpty { result.append(contentsOf: [0x0D, 0x0A]) }
        }
        return result
    }

    private static func quotedPrintable(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 8 + 16)
        var column = 0
        var index = 0
        func isBlankAtEnd(_ index: Int) -> Bool {
            (text[index] == 0x20 || text[index] == 0x09) && (index + 1 == text.count || text[index + 1] == 0x0A)
        }
        while index < text.count {
            let byte = text[index]
            if byte == 0x0A {
                result.append(contentsOf: [0x0D, 0x0A])
                column = 0
                index += 1
                continue
            }
            var isLiteral = isLiteral(byte) && !isBlankAtEnd(index)
            // One place is kept for the sign that the line goes on.
            if column + (isLiteral ? 1 : 3) > lineLength - 1 {
                result.append(contentsOf: [UInt8(ascii: "="), 0x0D, 0x0A])
                column = 0
            }
            if column == 0, byte == UInt8(ascii: ".") || byte == UInt8(ascii: "F"), startsRiskily(text, at: index) {
                isLiteral = false
            }
            if isLiteral {
                // With all that follows and fits.
                let limit = min(text.count, index + lineLength - 1 - column)
                var end = index + 1
                while end < limit, EncodedBody.isLiteral(text[end]) { end += 1 }
                if end > index + 1, isBlankAtEnd(end - 1) { end -= 1 }
                result.append(contentsOf: UnsafeBufferPointer(rebasing: text[index..<end]))
                column += end - index
                index = end
            } else {
                result.append(contentsOf: [UInt8(ascii: "="), Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]])
                column += 3
                index += 1
            }
        }
        if column > 0 { result.append(contentsOf: [0x0D, 0x0A]) }
        return result
    }

    private static func isLiteral(_ byte: UInt8) -> Bool {
        (byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "=")) || byte == 0x09
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
