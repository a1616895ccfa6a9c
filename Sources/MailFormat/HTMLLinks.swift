/// The links of HTML, rewritten where they stand: every other byte stays as it is.
package enum HTMLLinks {
    /// The HTML with the addresses of its links replaced.
    ///
    /// Links are `href` of `a` and `area`, of tags that are closed and outside of scripts, styles and comments. One whose
    /// tag has `data-no-track` stays as it is, and one whose address has a character reference that is not known here.
    /// - Parameter replacement: gets the address as a browser reads it; nil leaves the link as it is.
    package static func rewrite(_ html: String, _ replacement: (String) -> String?) -> String {
        var html = html
        return html.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            var scanner = HTMLScanner(bytes)
            var result: [UInt8] = []
            var copied = 0
            while let token = scanner.next() {
                guard case .open(let tag) = token, tag.name == "a" || tag.name == "area", !tag.isUntracked,
                    let place = tag.hrefPlace, let href = address(of: tag, written: bytes[place]),
                    let url = replacement(trimmed(href))
                else { continue }
                if result.isEmpty { result.reserveCapacity(bytes.count * 2) }
                result.append(contentsOf: bytes[copied..<place.lowerBound])
                result.append(contentsOf: "\"\(HTMLEscape.attribute(url))\"".utf8)
                copied = place.upperBound
            }
            guard copied > 0 else { return String(decoding: bytes, as: UTF8.self) }
            result.append(contentsOf: bytes[copied...])
            return String(decoding: result, as: UTF8.self)
        }
    }

    /// As a browser reads it; nil where that cannot be told.
    /// - Parameter written: its quotes included.
    private static func address(of tag: HTMLScanner.Tag, written: Slice<UnsafeRawBufferPointer>) -> String? {
        guard written.contains(UInt8(ascii: "&")) else { return tag.href }
        let isQuoted = written.first == UInt8(ascii: "\"") || written.first == UInt8(ascii: "'")
        return HTMLReferences.resolved(Array(isQuoted ? written.dropFirst().dropLast() : written))
    }

    /// Without blanks at its ends, as browsers take it (WHATWG URL section 4.4).
    private static func trimmed(_ text: String) -> String {
        if let first = text.utf8.first, first > 0x20, let last = text.utf8.last, last > 0x20 { return text }
        let scalars = text.unicodeScalars.drop { $0.value <= 0x20 }
        return String(scalars.prefix(scalars.count - scalars.reversed().prefix { $0.value <= 0x20 }.count))
    }
}
