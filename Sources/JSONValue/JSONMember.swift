/// Finds one value in the text of an object without reading the rest into memory: databases ask for one member of many
/// rows.
extension JSON {
    /// The same as `parse(text)[path: path]` for the text of one object; nil when there is no such value.
    ///
    /// What stands beside the path is skipped and not checked.
    /// - Throws: `JSONParser.Failure` when what is read is no JSON.
    package static func value(
        at path: String, inText text: UnsafeBufferPointer<UInt8>, depthLimit: Int = JSONParser.defaultDepthLimit
    ) throws -> JSON? {
        // Where keys end is a question of characters, and only plain ones have no marks behind them.
        if path.utf8.allSatisfy({ $0 < 0x80 }) {
            var scanner = MemberScanner(text: text, offset: 0, depthLimit: depthLimit)
            do { return try scanner.value(at: path[...]) } catch is MemberScanner.TooHard {}
        }
        return try JSONParser.parse(text, depthLimit: depthLimit)[path: path]
    }
}

private struct MemberScanner {
    /// The text has something that only the parser understands, an error perhaps.
    struct TooHard: Error {}

    let text: UnsafeBufferPointer<UInt8>
    var offset: Int
    let depthLimit: Int

    /// - Parameter path: plain ASCII.
    mutating func value(at path: Substring) throws -> JSON? {
        let head = path.firstDot.map { path[..<$0] }
        var inner: Range<Int>?
        try expect(UInt8(ascii: "{"))
        skipBlanks()
        if peek == UInt8(ascii: "}") { return nil }
        while true {
            let key = try key()
            skipBlanks()
            try expect(UInt8(ascii: ":"))
            skipBlanks()
            let start = offset
            try skipValue()
            // A key that has the dots itself counts before the nested reading.
            if matches(key, path) { return try parse(start..<offset) }
            if let head, matches(key, head) { inner = start..<offset }
            skipBlanks()
            if peek == UInt8(ascii: "}") { break }
            try expect(UInt8(ascii: ","))
            skipBlanks()
        }
        guard let head, let inner else { return nil }
        let rest = path[path.utf8.index(after: head.endIndex)...]
        guard text[inner.lowerBound] == UInt8(ascii: "{") else { return try parse(inner)[path: rest] }
        var scanner = MemberScanner(
            text: UnsafeBufferPointer(rebasing: text[inner]), offset: 0, depthLimit: depthLimit - 1)
        return try scanner.value(at: rest)
    }

    private func parse(_ range: Range<Int>) throws -> JSON {
        try JSONParser.parse(UnsafeBufferPointer(rebasing: text[range]), depthLimit: depthLimit)
    }

    private func matches(_ key: Range<Int>, _ name: Substring) -> Bool {
        let bytes = text[key]
        if bytes.elementsEqual(name.utf8) { return true }
        // Some characters are the same as plain ones, the sign of Kelvin for example.
        guard bytes.contains(where: { $0 >= 0x80 }) else { return false }
        return String(decoding: bytes, as: UTF8.self) == name
    }

    private var peek: UInt8? { offset < text.count ? text[offset] : nil }

    private mutating func expect(_ byte: UInt8) throws {
        skipBlanks()
        guard peek == byte else { throw TooHard() }
        offset += 1
    }

    private mutating func skipBlanks() {
        while offset < text.count {
            switch text[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    /// The bytes between the quotes.
    private mutating func key() throws -> Range<Int> {
        try expect(UInt8(ascii: "\""))
        let start = offset
        while offset < text.count, text[offset] != UInt8(ascii: "\"") {
            guard text[offset] != UInt8(ascii: "\\") else { throw TooHard() }
            offset += 1
        }
        let end = offset
        try expect(UInt8(ascii: "\""))
        return start..<end
    }

    private mutating func skipValue() throws {
        guard let first = peek else { throw TooHard() }
        switch first {
        case UInt8(ascii: "\""): try skipText()
        case UInt8(ascii: "{"), UInt8(ascii: "["): try skipNest()
        default:
            while let byte = peek, byte != UInt8(ascii: ","), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "]"),
                byte > 0x20
            {
                offset += 1
            }
        }
    }

    private mutating func skipText() throws {
        offset += 1
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return
            case UInt8(ascii: "\\"): offset += 2
            default: offset += 1
            }
        }
        throw TooHard()
    }

    private mutating func skipNest() throws {
        var depth = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "\""):
                try skipText()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            offset += 1
            if depth == 0 { return }
        }
        throw TooHard()
    }
}
