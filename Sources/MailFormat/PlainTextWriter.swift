/// Lays text out as the tags say: lines, paragraphs, list signs, link targets.
struct PlainTextWriter {
    private var output: [UInt8] = []
    /// Line ends to write before the next text: 1 begins a line, 2 a paragraph.
    private var lineEnds = 0
    private var needsBlank = false
    private var preformatted = 0
    private var lists: [List] = []
    private var links: [(href: String, start: Int)] = []

    private struct List {
        var isNumbered: Bool
        var number = 0
    }

    /// Lists and links inside each other beyond this are written without their signs.
    private static let nesting = 64

    private static let paragraphs: Set<String> = [
        "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "dl", "table", "pre", "hr", "section",
        "article",
        "figure", "form",
    ]

    private static let lines: Set<String> = [
        "div", "tr", "li", "dt", "dd", "address", "header", "footer", "center", "body", "main", "nav", "aside",
        "caption",
        "figcaption", "fieldset", "option", "thead", "tbody", "tfoot",
    ]

    /// Text between two tags: runs of blanks are one blank, references are resolved.
    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "&"), let (text, length) = PlainTextWriter.reference(in: bytes, at: index) {
                for byte in text.utf8 { put(byte) }
                index += length
            } else if byte <= 0x20, byte != 0 {
                blank(byte)
                index += 1
            } else {
                put(byte)
                index += 1
            }
        }
    }

    mutating func open(_ tag: HTMLScanner.Tag) {
        breakLine(around: tag.name)
        switch tag.name {
        case "br": lineEnds == 0 && !output.isEmpty ? endLine() : addLineEnd()
        case "hr":
            for _ in 0..<3 { put(UInt8(ascii: "-")) }
            breakLine(around: "hr")
        case "ul", "ol": if lists.count < PlainTextWriter.nesting { lists.append(List(isNumbered: tag.name == "ol")) }
        case "li": listSign()
        case "td", "th": if lineEnds == 0, !output.isEmpty, output.last != 0x0A { needsBlank = true }
        case "pre", "textarea": preformatted += 1
        case "img": if let alt = tag.alt { writePlain(alt) }
        case "a": openLink(tag.href)
        default: break
        }
    }

    mutating func close(_ name: String) {
        switch name {
        case "ul", "ol": _ = lists.popLast()
        case "pre", "textarea": preformatted = max(0, preformatted - 1)
        case "a": closeLink()
        default: break
        }
        breakLine(around: name)
    }

    mutating func finish() -> String {
        while output.last == 0x20 || output.last == 0x0A { output.removeLast() }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Layout

    private mutating func breakLine(around name: String) {
        needsBlank = needsBlank && !(PlainTextWriter.lines.contains(name) || PlainTextWriter.paragraphs.contains(name))
        // A list inside a list is no paragraph of its own.
        let isInner = (name == "ul" || name == "ol") && lists.count > 0
        if PlainTextWriter.paragraphs.contains(name) {
            lineEnds = max(lineEnds, isInner ? 1 : 2)
        } else if PlainTextWriter.lines.contains(name) {
            lineEnds = max(lineEnds, 1)
        }
    }

    private mutating func endLine() {
        needsBlank = false
        lineEnds = 1
    }

    /// A second break in a row leaves an empty line; more than one empty line is never left.
    private mutating func addLineEnd() { lineEnds = min(lineEnds + 1, 2) }

    private mutating func blank(_ byte: UInt8) {
        guard preformatted > 0 else { return needsBlank = true }
        if byte == 0x0A {
            output.isEmpty ? () : putLineEnd()
        } else if byte != 0x0D {
            put(byte)
        }
    }

    private mutating func putLineEnd() {
        flushLineEnds()
        output.append(0x0A)
    }

    private mutating func flushLineEnds() {
        if lineEnds > 0, !output.isEmpty {
            while output.last == 0x20 { output.removeLast() }
            var present = 0
            for byte in output.suffix(2).reversed() where byte == 0x0A { present += 1 }
            while present < lineEnds {
                output.append(0x0A)
                present += 1
            }
        }
        lineEnds = 0
    }

    private mutating func put(_ byte: UInt8) {
        if lineEnds > 0 {
            flushLineEnds()
            needsBlank = false
        }
        if needsBlank {
            needsBlank = false
            if let last = output.last, last != 0x20, last != 0x0A { output.append(0x20) }
        }
        output.append(byte)
    }

    private mutating func writePlain(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            for byte in bytes { byte <= 0x20 ? (needsBlank = true) : put(byte) }
        }
    }

    private mutating func listSign() {
        lineEnds = max(lineEnds, 1)
        for _ in 1..<max(2, lists.count) where lists.count > 1 {
            for _ in 0..<2 { putIndent() }
        }
        guard let level = lists.indices.last, lists[level].isNumbered else { return writeSign("-") }
        lists[level].number += 1
        writeSign("\(lists[level].number).")
    }

    private mutating func putIndent() {
        if lineEnds > 0 { flushLineEnds() }
        output.append(0x20)
    }

    private mutating func writeSign(_ sign: String) {
        for byte in sign.utf8 { put(byte) }
        output.append(0x20)
    }

    // MARK: Links

    private mutating func openLink(_ href: String?) {
        guard links.count < PlainTextWriter.nesting else { return }
        links.append((href ?? "", output.count))
    }

    /// The target behind the words, unless the words are the target already or it leads nowhere outside this page.
    private mutating func closeLink() {
        guard let link = links.popLast(), !link.href.isEmpty else { return }
        guard !link.href.hasPrefix("#"), !link.href.lowercased().hasPrefix("javascript:"), link.href.utf8.count <= 2000
        else { return }
        let shown =
            link.start <= output.count ? String(decoding: output[link.start...].suffix(2100), as: UTF8.self) : ""
        let words = shown.filter { !$0.isWhitespace }
        let target = link.href.filter { !$0.isWhitespace }
        let bare = target.hasPrefix("mailto:") ? String(target.dropFirst(7)) : target
        guard !words.isEmpty, words != target, words != bare, !target.hasSuffix("//" + words) else { return }
        writePlain(" (" + bare + ")")
    }

    // MARK: References

    /// The text of an attribute's value.
    static func decoded(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "&"), let (text, length) = reference(in: bytes, at: index) {
                result.append(contentsOf: text.utf8)
                index += length
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A reference that begins at the `&`, and its length. A no-break space becomes a blank, a soft hyphen nothing: neither
    /// means anything in text without layout.
    private static func reference(in bytes: UnsafeRawBufferPointer, at index: Int) -> (text: String, length: Int)? {
        let limit = min(bytes.count, index + HTMLEntities.longestName + 3)
        guard let end = bytes[(index + 1)..<limit].firstIndex(of: UInt8(ascii: ";")), end > index + 1 else {
            return nil
        }
        guard let text = HTMLEntities.text(for: Array(bytes[(index + 1)..<end])[...]) else { return nil }
        switch text {
        case "\u{A0}": return (" ", end - index + 1)
        case "\u{AD}", "\u{200B}", "\u{200C}", "\u{FEFF}": return ("", end - index + 1)
        default: return (text, end - index + 1)
        }
    }
}
