/// A piece of a template: text between the tags, the inside of an output, or a tag's name and the rest of its inside.
struct Token: Sendable {
    enum Kind: Sendable { case text, output, tag }

    var kind: Kind
    /// Empty unless a tag.
    var name = ""
    /// The text, or the markup to parse.
    var range: Range<Int>
    /// Where the thing begins, for errors.
    var start: Int
}

/// Cuts a template into tokens. White space control is applied here, and `raw`, `comment`, `doc` and inline comments
/// end here: nothing in them is looked at.
///
/// As in the reference implementation the first `}}` or `%}` closes, even inside quotes.
struct Tokenizer {
    private let source: SourceText
    private var offset = 0
    private var trimsNext = false
    private var tokens: [Token] = []

    private init(_ source: SourceText) { self.source = source }

    static func tokens(of source: SourceText) throws(TemplateSyntaxError) -> [Token] {
        var tokenizer = Tokenizer(source)
        while tokenizer.offset < source.bytes.count { try tokenizer.step() }
        return tokenizer.tokens
    }

    private mutating func step() throws(TemplateSyntaxError) {
        let bytes = source.bytes
        var open = offset
        while open < bytes.count {
            if bytes[open] == UInt8(ascii: "{"), open + 1 < bytes.count,
                bytes[open + 1] == UInt8(ascii: "{") || bytes[open + 1] == UInt8(ascii: "%")
            {
                break
            }
            open += 1
        }
        guard open < bytes.count else {
            appendText(offset..<bytes.count, trimEnd: false)
            offset = bytes.count
            return
        }
        let isTag = bytes[open + 1] == UInt8(ascii: "%")
        let dash = open + 2 < bytes.count && bytes[open + 2] == UInt8(ascii: "-")
        appendText(offset..<open, trimEnd: dash)
        let inside = try inside(from: open + (dash ? 3 : 2), isTag: isTag, open: open)
        if isTag {
            try tag(inside, open: open)
        } else {
            tokens.append(Token(kind: .output, range: inside, start: open))
        }
    }

    /// The markup up to the closing delimiter, which is passed.
    private mutating func inside(
        from start: Int, isTag: Bool, open: Int
    ) throws(TemplateSyntaxError) -> Range<Int> {
        let first = isTag ? UInt8(ascii: "%") : UInt8(ascii: "}")
        var end = start
        while end + 1 < source.bytes.count {
            if source.bytes[end] == first, source.bytes[end + 1] == UInt8(ascii: "}") {
                offset = end + 2
                trimsNext = end > start && source.bytes[end - 1] == UInt8(ascii: "-")
                return start..<(trimsNext ? end - 1 : end)
            }
            end += 1
        }
        throw source.error(isTag ? "the tag is not closed with %}" : "the output is not closed with }}", at: open)
    }

    private mutating func appendText(_ range: Range<Int>, trimEnd: Bool) {
        var (start, end) = (range.lowerBound, range.upperBound)
        if trimsNext { while start < end, source.bytes[start].isBlank { start += 1 } }
        if trimEnd { while end > start, source.bytes[end - 1].isBlank { end -= 1 } }
        trimsNext = false
        if start < end { tokens.append(Token(kind: .text, range: start..<end, start: start)) }
    }

    private mutating func tag(_ inside: Range<Int>, open: Int) throws(TemplateSyntaxError) {
        guard let token = Self.tag(inside, in: source, start: open) else {
            throw source.error("a tag needs a name", at: open)
        }
        switch token.name {
        case "#": try checkInlineComment(token)
        case "raw": try raw(open: open)
        case "comment": try comment(open: open)
        case "doc": try doc(open: open)
        default: tokens.append(token)
        }
    }

    /// Splits `name rest`; nil without a name.
    static func tag(_ range: Range<Int>, in source: SourceText, start: Int) -> Token? {
        var begin = range.lowerBound
        while begin < range.upperBound, source.bytes[begin].isBlank { begin += 1 }
        var end = begin
        if end < range.upperBound, source.bytes[end] == UInt8(ascii: "#") {
            end += 1
        } else {
            while end < range.upperBound, source.bytes[end].isNamePart, source.bytes[end] != UInt8(ascii: "-") {
                end += 1
            }
        }
        guard end > begin else { return nil }
        return Token(kind: .tag, name: source.string(begin..<end), range: end..<range.upperBound, start: start)
    }

    /// Every further line of an inline comment begins with `#` too.
    private func checkInlineComment(_ token: Token) throws(TemplateSyntaxError) {
        var atLineStart = false
        for offset in token.range {
            let byte = source.bytes[offset]
            if byte == 0x0A {
                atLineStart = true
            } else if atLineStart, !byte.isBlank {
                guard byte == UInt8(ascii: "#") else {
                    throw source.error("every line of an inline comment must begin with #", at: offset)
                }
                atLineStart = false
            }
        }
    }

    // MARK: Blocks whose content is not parsed

    private mutating func raw(open: Int) throws(TemplateSyntaxError) {
        let start = offset
        let trims = trimsNext
        while let (next, name) = try nextTag() {
            guard name == "endraw" else { continue }
            let closesNext = trimsNext
            trimsNext = trims
            appendText(start..<next, trimEnd: source.bytes[next + 2] == UInt8(ascii: "-"))
            trimsNext = closesNext
            return
        }
        throw source.error("raw is not closed with endraw", at: open)
    }

    private mutating func comment(open: Int) throws(TemplateSyntaxError) {
        var depth = 1
        var inRaw = false
        while let (_, name) = try nextTag() {
            switch name {
            case "endraw": inRaw = false
            case _ where inRaw: break
            case "raw": inRaw = true
            case "comment": depth += 1
            case "endcomment":
                depth -= 1
                if depth == 0 { return }
            default: break
            }
        }
        throw source.error("comment is not closed with endcomment", at: open)
    }

    private mutating func doc(open: Int) throws(TemplateSyntaxError) {
        while let (next, name) = try nextTag() {
            if name == "doc" { throw source.error("doc cannot stand inside doc", at: next) }
            if name == "enddoc" { return }
        }
        throw source.error("doc is not closed with enddoc", at: open)
    }

    /// Goes behind the next closed tag and answers where it begins and its name. Unclosed tags are passed over.
    private mutating func nextTag() throws(TemplateSyntaxError) -> (Int, String)? {
        let bytes = source.bytes
        while offset + 1 < bytes.count {
            guard bytes[offset] == UInt8(ascii: "{"), bytes[offset + 1] == UInt8(ascii: "%") else {
                offset += 1
                continue
            }
            let open = offset
            let dash = open + 2 < bytes.count && bytes[open + 2] == UInt8(ascii: "-")
            // Other tags are passed only as far as their name: `{% } {% endraw %}` must not hide the second one.
            guard let token = Self.tag((open + (dash ? 3 : 2))..<bytes.count, in: source, start: open),
                Self.opaque.contains(token.name)
            else {
                offset += 2
                continue
            }
            guard let end = closing(from: token.range.lowerBound) else { return nil }
            trimsNext = bytes[end - 1] == UInt8(ascii: "-")
            offset = end + 2
            return (open, token.name)
        }
        return nil
    }

    private static let opaque: Set<String> = ["raw", "endraw", "comment", "endcomment", "doc", "enddoc"]

    /// Where `%}` stands; nil when no tag is closed any more.
    private func closing(from start: Int) -> Int? {
        let bytes = source.bytes
        var end = start
        while end + 1 < bytes.count {
            if bytes[end] == UInt8(ascii: "%"), bytes[end + 1] == UInt8(ascii: "}") { return end }
            end += 1
        }
        return nil
    }
}
