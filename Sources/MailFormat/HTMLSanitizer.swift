/// A stranger's HTML made safe to show inside a page of ours.
///
/// Nothing of the input is copied as it stands: it is taken apart, and what is on the list of elements and attributes is
/// written anew, with every value escaped and every element closed. There is nothing on the list that runs, loads, sends or
/// styles. What the lists do not name is gone; the text inside it stays, except inside elements whose text is none.
package enum HTMLSanitizer {
    /// - Parameter allowsRemoteImages: whether pictures may be fetched from where the sender says, who learns of it. Those
    ///   that came with the mail (`cid:`) are always kept.
    package static func sanitize(_ html: String, allowsRemoteImages: Bool = false) -> String {
        var html = html
        return html.withUTF8 { bytes in
            var parser = Parser(UnsafeRawBufferPointer(bytes), allowsRemoteImages: allowsRemoteImages)
            return parser.run()
        }
    }

    /// Elements that are kept, with the attributes that each may have beside the common ones.
    static let elements: [String: Set<String>] = {
        var table: [String: Set<String>] = [:]
        let plain = """
            abbr address article aside b bdi bdo big blockquote br caption center cite code dd del dfn div dl dt em \
            figcaption figure footer h1 h2 h3 h4 h5 h6 header hr i ins kbd main mark nav p pre q s samp section small span \
            strike strong sub sup tt u ul var wbr
            """
        for name in plain.split(separator: " ") { table[String(name)] = ["align"] }
        table["a"] = ["href"]
        table["img"] = ["src", "alt", "width", "height", "border", "align"]
        table["font"] = ["color", "size"]
        table["ol"] = ["start"]
        table["li"] = ["value"]
        table["table"] = ["width", "height", "border", "cellpadding", "cellspacing", "align", "bgcolor"]
        for name in ["tbody", "thead", "tfoot"] { table[name] = ["align", "valign"] }
        table["tr"] = ["align", "valign", "bgcolor", "height"]
        for name in ["td", "th"] {
            table[name] = ["align", "valign", "bgcolor", "width", "height", "colspan", "rowspan"]
        }
        for name in ["col", "colgroup"] { table[name] = ["align", "valign", "width", "span"] }
        return table
    }()

    static let common: Set<String> = ["title", "dir", "lang"]
    static let empty: Set<String> = ["br", "hr", "img", "wbr", "col"]

    /// Elements that go with everything inside them.
    static let dropped: Set<String> = [
        "script", "style", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext", "template",
        "object", "applet", "embed", "svg", "math", "textarea", "select", "audio", "video", "canvas", "frameset",
        "datalist", "button",
    ]

    /// Elements whose content a browser takes as text up to their end tag, so that none begins inside.
    static let raw: Set<String> = [
        "script", "style", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "textarea",
    ]
}

extension HTMLSanitizer {
    private struct Attribute {
        var name: String
        var value: String
    }

    private struct Parser {
        private let bytes: UnsafeRawBufferPointer
        private let allowsRemoteImages: Bool
        private var position = 0
        private var output: [UInt8] = []
        private var open: [String] = []

        /// Elements inside each other beyond this lose their tags, not their text.
        private static let nesting = 200
        private static let attributes = 64

        init(_ bytes: UnsafeRawBufferPointer, allowsRemoteImages: Bool) {
            self.bytes = bytes
            self.allowsRemoteImages = allowsRemoteImages
            output.reserveCapacity(bytes.count)
        }

        mutating func run() -> String {
            while position < bytes.count {
                if bytes[position] == UInt8(ascii: "<"), isMarkup(at: position + 1) { markup() } else { text() }
            }
            while let name = open.popLast() { write("</\(name)>") }
            return String(decoding: output, as: UTF8.self)
        }

        // MARK: Text

        private mutating func text() {
            let start = position
            position += 1
            while position < bytes.count, !(bytes[position] == UInt8(ascii: "<") && isMarkup(at: position + 1)) {
                position += 1
            }
            escape(decoded(start..<position))
        }

        /// References resolved, once.
        private func decoded(_ range: Range<Int>) -> [UInt8] {
            var result: [UInt8] = []
            result.reserveCapacity(range.count)
            var index = range.lowerBound
            while index < range.upperBound {
                if bytes[index] == UInt8(ascii: "&"), let (text, length) = reference(at: index, end: range.upperBound) {
                    result.append(contentsOf: text.utf8)
                    index += length
                } else {
                    if bytes[index] != 0 { result.append(bytes[index]) }
                    index += 1
                }
            }
            return result
        }

        private func reference(at index: Int, end: Int) -> (String, Int)? {
            let limit = min(end, index + HTMLEntities.longestName + 3)
            guard index + 1 < limit else { return nil }
            // Browsers read a number without its semicolon too.
            if bytes[index + 1] == UInt8(ascii: "#") {
                var stop = index + 2
                if stop < end, bytes[stop] | 0x20 == UInt8(ascii: "x") { stop += 1 }
                let isHex = stop == index + 3
                while stop < end, stop < index + 12, isDigit(bytes[stop], isHex: isHex) { stop += 1 }
                guard let text = HTMLEntities.text(for: Array(bytes[(index + 1)..<stop])[...]) else { return nil }
                let hasSemicolon = stop < end && bytes[stop] == UInt8(ascii: ";")
                return (text == "\u{0}" ? "\u{FFFD}" : text, stop - index + (hasSemicolon ? 1 : 0))
            }
            guard let stop = bytes[(index + 1)..<limit].firstIndex(of: UInt8(ascii: ";")), stop > index + 1,
                let text = HTMLEntities.text(for: Array(bytes[(index + 1)..<stop])[...])
            else { return nil }
            return (text, stop - index + 1)
        }

        private func isDigit(_ byte: UInt8, isHex: Bool) -> Bool {
            byte &- UInt8(ascii: "0") < 10 || (isHex && (byte | 0x20) &- UInt8(ascii: "a") < 6)
        }

        private mutating func escape(_ text: [UInt8]) {
            for byte in text {
                switch byte {
                case UInt8(ascii: "&"): write("&amp;")
                case UInt8(ascii: "<"): write("&lt;")
                case UInt8(ascii: ">"): write("&gt;")
                case UInt8(ascii: "\""): write("&quot;")
                case UInt8(ascii: "'"): write("&#39;")
                case UInt8(ascii: "`"): write("&#96;")
                default: output.append(byte)
                }
            }
        }

        private mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

        // MARK: Tags

        private func isMarkup(at index: Int) -> Bool {
            guard index < bytes.count else { return false }
            let byte = bytes[index]
            if byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "/") { return true }
            return isLetter(byte)
        }

        private func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

        private mutating func markup() {
            position += 1
            if starts(with: "!--") { return comment() }
            if bytes[position] == UInt8(ascii: "!") || bytes[position] == UInt8(ascii: "?") { return bogus() }
            if bytes[position] == UInt8(ascii: "/") {
                position += 1
                guard position < bytes.count, isLetter(bytes[position]) else { return bogus() }
                let name = name()
                _ = attributes()
                return close(name)
            }
            let name = name()
            guard let attributes = attributes() else { return }
            if HTMLSanitizer.dropped.contains(name) { return drop(name) }
            begin(name, attributes)
        }

        /// A comment or declaration that ends at the next bracket.
        private mutating func bogus() {
            while position < bytes.count, bytes[position] != UInt8(ascii: ">") { position += 1 }
            position = min(position + 1, bytes.count)
        }

        private mutating func comment() {
            position += 3
            if starts(with: ">") || starts(with: "->") { return bogus() }
            while position < bytes.count, !starts(with: "-->"), !starts(with: "--!>") { position += 1 }
            if position < bytes.count { bogus() }
        }

        private mutating func begin(_ name: String, _ attributes: [Attribute]) {
            guard let allowed = HTMLSanitizer.elements[name] else { return }
            let isEmpty = HTMLSanitizer.empty.contains(name)
            if !isEmpty {
                guard open.count < Self.nesting else { return }
                open.append(name)
            }
            write("<\(name)")
            var seen: Set<String> = []
            for attribute in attributes
            where allowed.contains(attribute.name) || HTMLSanitizer.common.contains(attribute.name) {
                guard seen.insert(attribute.name).inserted, let value = safe(attribute, in: name) else { continue }
                write(" \(attribute.name)=\"")
                escape(Array(value.utf8))
                write("\"")
            }
            if name == "a" { write(" rel=\"noopener noreferrer nofollow\" target=\"_blank\"") }
            write(">")
        }

        /// Closes what is open inside as well; an end tag of nothing is nothing.
        private mutating func close(_ name: String) {
            guard let index = open.lastIndex(of: name) else { return }
            while open.count > index, let inner = open.popLast() { write("</\(inner)>") }
        }

        /// Skips an element with its content.
        private mutating func drop(_ name: String) {
            if name == "plaintext" { return position = bytes.count }
            if name == "embed" { return }
            let name = Array(name.utf8)
            let isRaw = HTMLSanitizer.raw.contains(String(decoding: name, as: UTF8.self))
            var depth = 1
            while position < bytes.count {
                guard bytes[position] == UInt8(ascii: "<") else {
                    position += 1
                    continue
                }
                let isEnd = position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "/")
                if isEnd, isName(name, at: position + 2) {
                    bogus()
                    depth -= 1
                    if depth == 0 { return }
                } else {
                    if !isRaw, isName(name, at: position + 1) { depth += 1 }
                    position += 1
                }
            }
        }

        private func isName(_ name: [UInt8], at index: Int) -> Bool {
            guard index + name.count <= bytes.count else { return false }
            for offset in name.indices where bytes[index + offset] | 0x20 != name[offset] { return false }
            return index + name.count == bytes.count || isNameEnd(bytes[index + name.count])
        }

        private mutating func name() -> String {
            let start = position
            while position < bytes.count, !isNameEnd(bytes[position]) { position += 1 }
            return String(decoding: bytes[start..<min(position, start + 32)], as: UTF8.self).lowercased()
        }

        private func isNameEnd(_ byte: UInt8) -> Bool {
            byte <= 0x20 || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ">")
        }

        /// Up to and with the `>`; nil when the text ended first.
        private mutating func attributes() -> [Attribute]? {
            var found: [Attribute] = []
            while position < bytes.count {
                let byte = bytes[position]
                if byte == UInt8(ascii: ">") {
                    position += 1
                    return found
                }
                if byte <= 0x20 || byte == UInt8(ascii: "/") {
                    position += 1
                    continue
                }
                let start = position
                position += 1
                while position < bytes.count, !isNameEnd(bytes[position]), bytes[position] != UInt8(ascii: "=") {
                    position += 1
                }
                let name = String(decoding: bytes[start..<min(position, start + 32)], as: UTF8.self).lowercased()
                let value = attributeValue()
                if found.count < Self.attributes { found.append(Attribute(name: name, value: value)) }
            }
            return nil
        }

        private mutating func attributeValue() -> String {
            skipBlanks()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else { return "" }
            position += 1
            skipBlanks()
            guard position < bytes.count else { return "" }
            let quote = bytes[position]
            var start = position
            if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
                start += 1
                position += 1
                while position < bytes.count, bytes[position] != quote { position += 1 }
                defer { position = min(position + 1, bytes.count) }
                return String(decoding: decoded(start..<position), as: UTF8.self)
            }
            while position < bytes.count, bytes[position] > 0x20, bytes[position] != UInt8(ascii: ">") { position += 1 }
            return String(decoding: decoded(start..<position), as: UTF8.self)
        }

        private mutating func skipBlanks() {
            while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
        }

        private func starts(with text: StaticString) -> Bool {
            guard position + text.utf8CodeUnitCount <= bytes.count else { return false }
            for offset in 0..<text.utf8CodeUnitCount where bytes[position + offset] != text.utf8Start[offset] {
                return false
            }
            return true
        }

        // MARK: Values

        private func safe(_ attribute: Attribute, in element: String) -> String? {
            switch attribute.name {
            case "href": link(attribute.value, schemes: ["http", "https", "mailto"])
            case "src": link(attribute.value, schemes: allowsRemoteImages ? ["cid", "http", "https"] : ["cid"])
            case "title", "alt": attribute.value.unicodeScalars.allSatisfy { $0.value >= 0x20 } ? attribute.value : nil
            case "color", "bgcolor": isColor(attribute.value) ? attribute.value : nil
            case "align", "valign", "dir", "lang": isWord(attribute.value) ? attribute.value : nil
            default: isMeasure(attribute.value) ? attribute.value : nil
            }
        }

        /// The address, when its scheme is one of these. Browsers look through blanks and control characters in front of and
        /// inside a scheme, so with any of them it is none.
        private func link(_ value: String, schemes: Set<String>) -> String? {
            let bytes = Array(value.utf8).drop { $0 == 0x20 }
            guard bytes.count <= 4000, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let scheme = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
            guard schemes.contains(scheme) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }

        private func isColor(_ value: String) -> Bool {
            value.utf8.count <= 24
                && value.utf8.enumerated().allSatisfy { offset, byte in
                    isLetter(byte) || byte &- UInt8(ascii: "0") < 10 || (offset == 0 && byte == UInt8(ascii: "#"))
                }
        }

        private func isWord(_ value: String) -> Bool {
            value.utf8.count <= 16
                && value.utf8.allSatisfy { isLetter($0) || $0 == UInt8(ascii: "-") || $0 &- UInt8(ascii: "0") < 10 }
        }

        private func isMeasure(_ value: String) -> Bool {
            !value.isEmpty && value.utf8.count <= 6
                && value.utf8.allSatisfy { byte in
                    byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "-")
                        || byte == UInt8(ascii: "+")
                }
        }
    }
}
