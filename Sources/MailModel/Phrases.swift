/// Texts in lower case that are looked for inside others, byte by byte: a search by characters costs a hundred times as much,
/// and every mail that comes is asked for hundreds of them.
package struct Phrases: Sendable, ExpressibleByArrayLiteral {
    private let phrases: [[UInt8]]
    /// Bytes.
    private let longest: Int

    package init(_ texts: [String]) {
        phrases = texts.map { Array($0.utf8) }
        longest = phrases.map(\.count).max() ?? 0
    }

    package init(arrayLiteral texts: String...) { self.init(texts) }

    /// Whether one of them is inside the text, which is in lower case.
    package func isFound(in text: some StringProtocol) -> Bool {
        isFound(in: Array(text.utf8))
    }

    /// The same for the bytes of a text.
    package func isFound(in bytes: [UInt8]) -> Bool {
        phrases.contains { Phrases.find($0, in: bytes, from: 0, limit: bytes.count) != nil }
    }

    /// Whether the text begins with one of them.
    package func isPrefix(of text: some StringProtocol) -> Bool {
        isPrefix(of: Array(text.utf8.prefix(longest)))
    }

    /// Whether the bytes of a text begin with one of them.
    package func isPrefix(of bytes: some RandomAccessCollection<UInt8>) -> Bool {
        guard let first = bytes.first else { return false }
        return phrases.contains { phrase in
            phrase.first == first && phrase.count <= bytes.count && bytes.starts(with: phrase)
        }
    }

    /// Whether the bytes of a text end with one of them.
    package func isSuffix(of bytes: some RandomAccessCollection<UInt8>) -> Bool {
        guard let last = bytes.last else { return false }
        return phrases.contains { phrase in
            phrase.last == last && phrase.count <= bytes.count && bytes.suffix(phrase.count).elementsEqual(phrase)
        }
    }

    /// Where the piece begins; it must end at or before `limit`.
    static func find(_ piece: [UInt8], in bytes: [UInt8], from start: Int, limit: Int) -> Int? {
        guard let first = piece.first else { return nil }
        let last = min(bytes.count, limit) - piece.count
        guard start <= last else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            piece.withUnsafeBufferPointer { piece in
                for index in start...last where bytes[index] == first {
                    var offset = 1
                    while offset < piece.count, bytes[index + offset] == piece[offset] { offset += 1 }
                    if offset == piece.count { return index }
                }
                return nil
            }
        }
    }
}
