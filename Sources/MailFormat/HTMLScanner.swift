import Glibc

/// Cuts HTML into text and tags, forgiving as browsers are (WHATWG HTML section 13.2.5), in one pass.
struct HTMLScanner {
    /// A start tag with the attributes that plain text and links need.
    struct Tag: Hashable {
        var name: String
        var href: String?
        var alt: String?
        /// Where the value of `href` stands, its quotes included.
        var hrefPlace: Range<Int>?
        /// Has the attribute `data-no-track`.
        var isUntracked = false
    }

    enum Token {
        case text(Range<Int>)
        case open(Tag)
        case close(String)
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// The element whose content is no text, until its end tag.
    private var skipped: [UInt8]?

    private static let unread: Set<String> = [
        "script", "style", "head", "template", "title", "noscript", "svg", "math",
    ]

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> Token? {
        while position < bytes.count {
            if let name = skipped {
                skip(to: name)
                skipped = nil
            } else if bytes[position] != UInt8(ascii: "<") || !isMarkup(at: position + 1) {
                return text()
            } else if let token = markup() {
                return token
            }
        }
        return nil
    }

    /// Text up to the next `<` that begins something.
    private mutating func text() -> Token {
        let start = position
        position += 1
        while position < bytes.count {
            guard let base = bytes.baseAddress,
                let found = memchr(base + position, Int32(UInt8(ascii: "<")), bytes.count - position)
            else {
                position = bytes.count
                break
            }
            position = UnsafeRawPointer(found) - base
            if isMarkup(at: position + 1) { break }
            position += 1
        }
        return .text(start..<position)
    }

    private func isMarkup(at index: Int) -> Bool {
        guard index < bytes.count else { return false }
        let byte = bytes[index]
        if byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?") { return true }
        if byte == UInt8(ascii: "/") { return index + 1 < bytes.count && HTMLScanner.isLetter(bytes[index + 1]) }
        return HTMLScanner.isLetter(byte)
    }

    /// At a `<`. Nil when what it began says nothing: a comment, a declaration, a tag that never ends.
    private mutating func markup() -> Token? {
        position += 1
        if starts(with: "!--") { return skipComment() }
        if bytes[position] == UInt8(ascii: "!") || bytes[position] == UInt8(ascii: "?") {
            while position < bytes.count, bytes[position] != UInt8(ascii: ">") { position += 1 }
            position += 1
            return nil
        }
        let isEnd = bytes[position] == UInt8(ascii: "/")
        if isEnd { position += 1 }
        var tag = Tag(name: name())
        guard attributes(of: &tag) else { return nil }
        if isEnd { return .close(tag.name) }
        if HTMLScanner.unread.contains(tag.name) { skipped = Array(tag.name.utf8) }
        return .open(tag)
    }

    private mutating func skipComment() -> Token? {
        position += 3
        // `<!-->` and `<!--->` are whole comments.
        if starts(with: ">") || starts(with: "->") {
            position += starts(with: ">") ? 1 : 2
            return nil
        }
        while position < bytes.count, !starts(with: "-->") { position += 1 }
        position = min(position + 3, bytes.count)
        return nil
    }

    private mutating func name() -> String {
        let start = position
        while position < bytes.count, !isNameEnd(bytes[position]) { position += 1 }
        return String(decoding: bytes[start..<min(position, start + 32)], as: UTF8.self).lowercased()
    }

    private func isNameEnd(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ">")
    }

    /// Reads up to and with the `>`; false when the text ended first, and nothing is left to read.
    private mutating func attributes(of tag: inout Tag) -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: ">") {
                position += 1
                return true
            }
            if byte <= 0x20 || byte == UInt8(ascii: "/") {
                position += 1
                continue
            }
            attribute(of: &tag)
        }
        return false
    }

    private mutating func attribute(of tag: inout Tag) {
        let start = position
        // An equals sign in front belongs to the name, so that every turn moves on.
        position += 1
        while position < bytes.count, !isNameEnd(bytes[position]), bytes[position] != UInt8(ascii: "=") {
            position += 1
        }
        let name = String(decoding: bytes[start..<min(position, start + 14)], as: UTF8.self).lowercased()
        if name == "data-no-track" { tag.isUntracked = true }
        skipBlanks()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else { return }
        position += 1
        skipBlanks()
        let place = position
        let value = attributeValue()
        switch name {
        case "href" where tag.href == nil:
            tag.href = PlainTextWriter.decoded(bytes[value])
            tag.hrefPlace = place..<position
        case "alt" where tag.alt == nil: tag.alt = PlainTextWriter.decoded(bytes[value])
        default: break
        }
    }

    private mutating func attributeValue() -> Range<Int> {
        guard position < bytes.count else { return position..<position }
        let quote = bytes[position]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            position += 1
            let start = position
            while position < bytes.count, bytes[position] != quote { position += 1 }
            defer { position = min(position + 1, bytes.count) }
            return start..<position
        }
        let start = position
        while position < bytes.count, bytes[position] > 0x20, bytes[position] != UInt8(ascii: ">") { position += 1 }
        return start..<position
    }

    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
    }

    /// Moves behind the end tag of an element that is not read, or to the end.
    private mutating func skip(to name: [UInt8]) {
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "<"), starts(with: "/", at: position + 1), isName(name, at: position + 2)
            {
                while position < bytes.count, bytes[position] != UInt8(ascii: ">") { position += 1 }
                position = min(position + 1, bytes.count)
                return
            }
            // A body begins even where the head was never closed.
            if name == Array("head".utf8), bytes[position] == UInt8(ascii: "<"),
                isName(Array("body".utf8), at: position + 1)
            {
                return
            }
            position += 1
        }
    }

    private func isName(_ name: [UInt8], at index: Int) -> Bool {
        guard index + name.count < bytes.count else { return false }
        for offset in name.indices where bytes[index + offset] | 0x20 != name[offset] { return false }
        return isNameEnd(bytes[index + name.count])
    }

    private func starts(with text: StaticString, at index: Int? = nil) -> Bool {
        let start = index ?? position
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        for offset in 0..<text.utf8CodeUnitCount where bytes[start + offset] != text.utf8Start[offset] { return false }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
