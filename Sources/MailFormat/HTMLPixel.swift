/// The invisible image by which an open is noticed.
package enum HTMLPixel {
    /// The HTML with the image just before the last `</body>`, whatever its case, or at the end where there is none.
    ///
    /// `alt` is empty and both sides are 1, so that no reader shows or reads out anything.
    package static func insert(into html: String, url: String) -> String {
        let image = "<img src=\"\(HTMLEscape.attribute(url))\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">"
        let bytes = Array(html.utf8)
        let position = lastBodyEnd(in: bytes) ?? bytes.count
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + image.utf8.count)
        result.append(contentsOf: bytes[..<position])
        result.append(contentsOf: image.utf8)
        result.append(contentsOf: bytes[position...])
        return String(decoding: result, as: UTF8.self)
    }

    private static func lastBodyEnd(in bytes: [UInt8]) -> Int? {
        let tag = Array("</body".utf8)
        guard bytes.count > tag.count else { return nil }
        var position = bytes.count - tag.count - 1
        while position >= 0 {
            if bytes[position] == tag[0], matches(tag, in: bytes, at: position) {
                let next = bytes[position + tag.count]
                if next == UInt8(ascii: ">") || next <= 0x20 { return position }
            }
            position -= 1
        }
        return nil
    }

    /// The tag is in lower case; 0x20 is the bit that tells the cases of a letter apart.
    private static func matches(_ tag: [UInt8], in bytes: [UInt8], at position: Int) -> Bool {
        for offset in tag.indices {
            let byte = bytes[position + offset]
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(tag[offset])
            if (isLetter ? byte | 0x20 : byte) != tag[offset] { return false }
        }
        return true
    }
}

/// What has to be written differently inside HTML.
enum HTMLEscape {
    /// For a value between double quotes.
    static func attribute(_ text: String) -> String {
        guard text.utf8.contains(where: isEscaped) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count + 32)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): result.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "\""): result.append(contentsOf: "&quot;".utf8)
            case UInt8(ascii: "<"): result.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): result.append(contentsOf: "&gt;".utf8)
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "&") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "<")
            || byte == UInt8(ascii: ">")
    }
}
