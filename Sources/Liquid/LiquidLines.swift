/// Cuts the inside of a `liquid` tag into one tag per line.
enum LiquidLines {
    static func tokens(in range: Range<Int>, of source: SourceText) throws(TemplateSyntaxError) -> [Token] {
        var tokens: [Token] = []
        var commentDepth = 0
        var start = range.lowerBound
        while start < range.upperBound {
            let end = source.bytes[start..<range.upperBound].firstIndex(of: 0x0A) ?? range.upperBound
            let line = trimmed(start..<end, of: source)
            start = end + 1
            guard !line.isEmpty else { continue }
            guard let token = tag(line, of: source) else {
                throw source.error("a line of a liquid tag begins with the name of a tag", at: line.lowerBound)
            }
            switch token.name {
            case "comment": commentDepth += 1
            case "endcomment" where commentDepth > 0: commentDepth -= 1
            case _ where commentDepth > 0: break
            case "#", "": break
            case "raw", "doc": throw source.error("\(token.name) cannot stand in a liquid tag", at: token.start)
            default: tokens.append(token)
            }
        }
        guard commentDepth == 0 else {
            throw source.error("comment is not closed with endcomment", at: range.lowerBound)
        }
        return tokens
    }

    private static func trimmed(_ range: Range<Int>, of source: SourceText) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, source.bytes[start].isBlank { start += 1 }
        while end > start, source.bytes[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    /// `liquid liquid echo x` on one line is `echo x`, and a bare `liquid` is nothing, here an empty name.
    private static func tag(_ line: Range<Int>, of source: SourceText) -> Token? {
        var line = line
        while let token = Tokenizer.tag(line, in: source, start: line.lowerBound) {
            guard token.name == "liquid" else { return token }
            line = trimmed(token.range, of: source)
            if line.isEmpty { return Token(kind: .tag, range: line, start: line.lowerBound) }
        }
        return nil
    }
}
