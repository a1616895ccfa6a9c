/// The outputs and tags in a text, each replaced by a word of letters and digits that Markdown leaves alone wherever it
/// stands (in a link's address, too, where anything else would be percent-encoded), and put back afterwards.
struct LiquidMarkup {
    private struct Piece {
        var range: Range<Int>
        /// Stands on a line with nothing but tags.
        var isBlock: Bool
    }

    private let bytes: [UInt8]
    private var pieces: [Piece] = []
    /// Begins every placeholder, and does not occur in the text.
    private let mark: [UInt8]

    init(in bytes: [UInt8]) {
        self.bytes = bytes
        mark = Self.unusedMark(in: bytes)
        var offset = 0
        while let piece = Self.nextPiece(in: bytes, from: offset) {
            pieces.append(Piece(range: piece, isBlock: false))
            offset = piece.upperBound
        }
        markBlocks()
    }

    // MARK: Finding

    /// As in the language itself, the first `}}` or `%}` closes.
    private static func nextPiece(in bytes: [UInt8], from start: Int) -> Range<Int>? {
        var open = start
        while open + 1 < bytes.count {
            defer { open += 1 }
            guard bytes[open] == UInt8(ascii: "{") else { continue }
            let closing: UInt8
            switch bytes[open + 1] {
            case UInt8(ascii: "{"): closing = UInt8(ascii: "}")
            case UInt8(ascii: "%"): closing = UInt8(ascii: "%")
            default: continue
            }
            var end = open + 2
            while end + 1 < bytes.count {
                if bytes[end] == closing, bytes[end + 1] == UInt8(ascii: "}") { return open..<(end + 2) }
                end += 1
            }
            // Not closed: a syntax error, which the template's parser has a place for.
            return nil
        }
        return nil
    }

    /// A tag is a block of its own when its line has nothing but tags and blanks.
    private mutating func markBlocks() {
        var index = 0
        while index < pieces.count {
            let first = index
            var isPlain =
                isTag(index) && isBlank(lineStart(pieces[index].range.lowerBound)..<pieces[index].range.lowerBound)
            while index + 1 < pieces.count, !hasLineEnd(between: index, and: index + 1) {
                index += 1
                isPlain =
                    isPlain && isTag(index)
                    && isBlank(pieces[index - 1].range.upperBound..<pieces[index].range.lowerBound)
            }
            let end = pieces[index].range.upperBound
            if isPlain, isBlank(end..<lineEnd(end)) {
                for position in first...index { pieces[position].isBlock = true }
            }
            index += 1
        }
    }

    private func isTag(_ index: Int) -> Bool { bytes[pieces[index].range.lowerBound + 1] == UInt8(ascii: "%") }

    private func hasLineEnd(between left: Int, and right: Int) -> Bool {
        bytes[pieces[left].range.upperBound..<pieces[right].range.lowerBound].contains(0x0A)
    }

    private func isBlank(_ range: Range<Int>) -> Bool {
        bytes[range].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }

    private func lineStart(_ offset: Int) -> Int { (bytes[..<offset].lastIndex(of: 0x0A) ?? -1) + 1 }

    private func lineEnd(_ offset: Int) -> Int { bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count }

    /// `LIQUIDnX` with the first n that the text does not have.
    private static func unusedMark(in bytes: [UInt8]) -> [UInt8] {
        let word = Array("LIQUID".utf8)
        var taken: Set<Int> = []
        for start in bytes.indices where bytes[start] == word[0] && bytes[start...].starts(with: word) {
            let digits = bytes[(start + word.count)...].prefix(9).prefix { $0 &- 0x30 < 10 }
            if let number = Int(String(decoding: digits, as: UTF8.self)) { taken.insert(number) }
        }
        let number = (0...taken.count).first { !taken.contains($0) } ?? 0
        return word + Array("\(number)X".utf8)
    }

    // MARK: Replacing

    /// `LIQUID0X17Z`; a block is the same in an HTML comment, which Markdown takes for a block of HTML.
    func withPlaceholders() -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + pieces.count * 8)
        var start = 0
        for (index, piece) in pieces.enumerated() {
            output += bytes[start..<piece.range.lowerBound]
            let word = mark + Array("\(index)Z".utf8)
            output += piece.isBlock ? Array("<!--".utf8) + word + Array("-->".utf8) : word
            start = piece.range.upperBound
        }
        return output + bytes[start...]
    }

    func putBack(into html: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(html.count + bytes.count / 2)
        var position = 0
        while position < html.count {
            guard html[position] == mark[0], let (index, end) = placeholder(in: html, at: position) else {
                output.append(html[position])
                position += 1
                continue
            }
            let piece = pieces[index]
            position = end
            // In a block of code Markdown has escaped the comment's signs.
            for (opening, closing) in [("<!--", "-->"), ("&lt;!--", "--&gt;")] where piece.isBlock {
                guard output.ends(with: opening.utf8), html[end...].starts(with: closing.utf8) else { continue }
                output.removeLast(opening.utf8.count)
                position = end + closing.utf8.count
            }
            output += bytes[piece.range]
        }
        return output
    }

    private func placeholder(in html: [UInt8], at start: Int) -> (index: Int, end: Int)? {
        guard html[start...].starts(with: mark) else { return nil }
        var end = start + mark.count
        var index = 0
        while end < html.count, html[end] &- 0x30 < 10, index < pieces.count {
            index = index * 10 + Int(html[end] - 0x30)
            end += 1
        }
        guard end < html.count, html[end] == UInt8(ascii: "Z"), index < pieces.count else { return nil }
        return (index, end + 1)
    }
}

extension [UInt8] {
    fileprivate func ends(with suffix: String.UTF8View) -> Bool { self.suffix(suffix.count).elementsEqual(suffix) }
}
