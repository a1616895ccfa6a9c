/// The bytes of a template and the way from an offset to a line and column.
struct SourceText: Sendable {
    let name: String
    let bytes: [UInt8]
    private let lineStarts: [Int]

    init(_ text: String, name: String) {
        self.name = name
        bytes = Array(text.utf8)
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == 0x0A { starts.append(offset + 1) }
        lineStarts = starts
    }

    func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    func line(at offset: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    /// Counted in Unicode scalars: continuation bytes do not count.
    func column(at offset: Int) -> Int {
        let start = lineStarts[line(at: offset) - 1]
        return 1 + scalars(in: start..<min(offset, bytes.count))
    }

    func scalars(in range: Range<Int>) -> Int {
        bytes[range].reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    }

    func error(_ message: String, at offset: Int) -> TemplateSyntaxError {
        TemplateSyntaxError(
            template: name, line: line(at: offset), column: column(at: offset), message: message)
    }
}

extension UInt8 {
    /// What the reference implementation's `\s` matches.
    var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
    var isDigit: Bool { self &- 0x30 < 10 }
    /// A letter, an underscore, or part of a character outside ASCII.
    var isNameStart: Bool { (self | 0x20) &- 0x61 < 26 || self == UInt8(ascii: "_") || self >= 0x80 }
    var isNamePart: Bool { isNameStart || isDigit || self == UInt8(ascii: "-") }
}

extension String {
    /// Unicode scalars: bytes that do not continue one.
    var scalarCount: Int {
        utf8.withContiguousStorageIfAvailable { bytes in
            bytes.reduce(0) { $0 &+ ($1 & 0xC0 == 0x80 ? 0 : 1) }
        } ?? unicodeScalars.count
    }

    /// The first so many Unicode scalars.
    func prefix(scalars count: Int) -> String {
        let text = utf8.withContiguousStorageIfAvailable { bytes -> String in
            var left = count
            var end = 0
            while end < bytes.count {
                if bytes[end] & 0xC0 != 0x80 {
                    if left == 0 { break }
                    left -= 1
                }
                end += 1
            }
            return String(decoding: UnsafeBufferPointer(rebasing: bytes[..<end]), as: UTF8.self)
        }
        return text ?? String(unicodeScalars.prefix(count))
    }
}
