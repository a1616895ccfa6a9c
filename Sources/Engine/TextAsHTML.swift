/// Plain text as a page may show it: what HTML would take for markup is written as text, and every line ends where it ended.
package enum TextAsHTML {
    /// - Returns: UTF-8, a little longer than the text.
    package static func html(_ text: String) -> String {
        var html: [UInt8] = []
        html.reserveCapacity(text.utf8.count + text.utf8.count / 16 + 64)
        var text = text
        text.withUTF8 { bytes in
            // What needs nothing is copied as a whole.
            var start = 0
            for (index, byte) in bytes.enumerated() {
                guard let replacement = replacement(for: byte) else { continue }
                html += bytes[start..<index]
                html += replacement.utf8
                start = index + 1
            }
            html += bytes[start...]
        }
        return String(decoding: html, as: UTF8.self)
    }

    /// Whether `html(text)` is that, byte for byte, without making it.
    package static func isHTML(_ html: String, of text: String) -> Bool {
        var (html, text) = (html, text)
        return html.withUTF8 { html in
            text.withUTF8 { text in
                guard html.count >= text.count else { return false }
                var position = 0
                for byte in text {
                    if let replacement = replacement(for: byte) {
                        guard html[position...].starts(with: replacement.utf8) else { return false }
                        position += replacement.utf8.count
                    } else {
                        guard position < html.count, html[position] == byte else { return false }
                        position += 1
                    }
                }
                return position == html.count
            }
        }
    }

    private static func replacement(for byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case 0x0A: "<br>\n"
        default: nil
        }
    }
}
