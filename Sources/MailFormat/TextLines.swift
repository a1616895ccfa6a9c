/// A text as its lines, for rules that look at the first and last bytes of nearly every line and at the words of few: a line
/// becomes a string only when it is asked for.
struct TextLines {
    private let bytes: [UInt8]
    /// Where each line begins, and one place behind the end of the last.
    private let starts: [Int]

    /// - Parameter limit: lines, at most; what follows them is left out.
    init(_ text: String, limit: Int) {
        let bytes = Array(text.utf8)
        var starts = [0]
        bytes.withUnsafeBufferPointer { bytes in
            for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
                starts.append(index + 1)
                if starts.count > limit { return }
            }
            starts.append(bytes.count + 1)
        }
        self.bytes = bytes
        self.starts = starts
    }

    var count: Int { starts.count - 1 }

    /// The line's bytes without its end.
    func range(_ index: Int) -> Range<Int> { starts[index]..<starts[index + 1] - 1 }

    subscript(index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }

    // MARK: What the bytes of a line tell

    /// Bytes.
    func length(_ index: Int) -> Int { range(index).count }

    func isBlank(_ index: Int) -> Bool {
        guard let first = first(index) else { return true }
        // Blanks outside ASCII are rare, and what they are is known to characters only.
        return first >= 0x80 && self[index].allSatisfy(\.isWhitespace)
    }

    /// Marked as quoted by the sign of RFC 3676 section 4.5.
    func isQuoted(_ index: Int) -> Bool {
        bytes[range(index)].first { $0 != 0x20 && $0 != 0x09 && $0 != 0xC2 && $0 != 0xA0 } == UInt8(ascii: ">")
    }

    /// Behind ASCII blanks; nil when there is nothing else.
    func first(_ index: Int) -> UInt8? { bytes[range(index)].first { !Self.isBlank($0) } }

    /// Before ASCII blanks; nil when there is nothing else.
    func last(_ index: Int) -> UInt8? { bytes[range(index)].last { !Self.isBlank($0) } }

    /// Whether a colon is among the first 40 bytes, or the last byte of the wide one of East Asian text.
    func hasEarlyColon(_ index: Int) -> Bool {
        bytes[range(index)].prefix(40).contains { $0 == UInt8(ascii: ":") || $0 == 0x9A }
    }

    func equals(_ index: Int, _ text: String) -> Bool { bytes[range(index)].elementsEqual(text.utf8) }

    /// The lines, in their order, without blanks at both ends.
    func joined(_ lines: [Int]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for line in lines {
            if !result.isEmpty || line != lines.first { result.append(UInt8(ascii: "\n")) }
            result.append(contentsOf: bytes[range(line)])
        }
        var rest = result[...]
        while let first = rest.first, Self.isBlank(first) { rest.removeFirst() }
        while let last = rest.last, Self.isBlank(last) { rest.removeLast() }
        let text = String(decoding: rest, as: UTF8.self)
        guard rest.first ?? 0 >= 0x80 || rest.last ?? 0 >= 0x80 else { return text }
        var characters = text[...]
        while characters.first?.isWhitespace == true { characters.removeFirst() }
        while characters.last?.isWhitespace == true { characters.removeLast() }
        return String(characters)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 0x09 < 5 }
}
