/// Reads the text of an `AddressPattern`.
struct PatternParser {
    typealias Failure = AddressPattern.Failure

    private let text: [UInt8]
    private var position = 0
    private var depth = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func parse() throws(Failure) -> PatternNode {
        guard !text.isEmpty else { throw Failure("it is empty") }
        // It stands for the whole address anyway.
        if peek == UInt8(ascii: "^") { position += 1 }
        let node = try choice()
        if peek == UInt8(ascii: "$"), position == text.count - 1 { position += 1 }
        if position < text.count { throw unexpected() }
        return node
    }

    private var peek: UInt8? { position < text.count ? text[position] : nil }

    private mutating func take() -> UInt8? {
        guard let byte = peek else { return nil }
        position += 1
        return byte
    }

    private func unexpected() -> Failure {
        guard let byte = peek else { return Failure("it ends too early") }
        return Failure("`\(Character(UnicodeScalar(byte)))` at position \(position + 1) has no meaning there")
    }

    private mutating func choice() throws(Failure) -> PatternNode {
        var branches = [try sequence()]
        while peek == UInt8(ascii: "|") {
            position += 1
            branches.append(try sequence())
        }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(Failure) -> PatternNode {
        var nodes: [PatternNode] = []
        while let byte = peek, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            if byte == UInt8(ascii: "$"), position == text.count - 1 { break }
            nodes.append(try repeated(try atom()))
        }
        return .sequence(nodes)
    }

    private mutating func repeated(_ node: PatternNode) throws(Failure) -> PatternNode {
        let result: PatternNode
        switch peek {
        case UInt8(ascii: "*"): result = .repeated(node, least: 0, most: nil)
        case UInt8(ascii: "+"): result = .repeated(node, least: 1, most: nil)
        case UInt8(ascii: "?"): result = .repeated(node, least: 0, most: 1)
        case UInt8(ascii: "{"):
            let (least, most) = try bounds()
            result = .repeated(node, least: least, most: most)
            position -= 1
        default: return node
        }
        position += 1
        // Whether it takes much or little makes no difference to whether the whole address fits; a repetition of a repetition
        // is a mistake.
        if let byte = peek, "*+?{".utf8.contains(byte) { throw unexpected() }
        return result
    }

    /// `{m}`, `{m,}` or `{m,n}`; afterwards the position is behind the bracket.
    private mutating func bounds() throws(Failure) -> (Int, Int?) {
        guard let end = text[position...].firstIndex(of: UInt8(ascii: "}")) else {
            throw Failure("a `{` is not closed")
        }
        let inside = String(decoding: text[(position + 1)..<end], as: UTF8.self)
        position = end + 1
        let parts = inside.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let least = Int(parts[0]), (0...AddressPattern.stateLimit).contains(least)
        else { throw Failure("`{\(inside)}` is no number of repetitions") }
        guard parts.count == 2 else { return (least, least) }
        if parts[1].isEmpty { return (least, nil) }
        guard let most = Int(parts[1]), most >= least, most <= AddressPattern.stateLimit else {
            throw Failure("`{\(inside)}` is no number of repetitions")
        }
        return (least, most)
    }

    private mutating func atom() throws(Failure) -> PatternNode {
        let start = position
        guard let byte = take() else { throw Failure("it ends too early") }
        switch byte {
        case UInt8(ascii: "("): return try group()
        case UInt8(ascii: "["): return .bytes(try set())
        case UInt8(ascii: "."): return .bytes(.all)
        case UInt8(ascii: "\\"): return .bytes(try escape())
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"), UInt8(ascii: "}"),
            UInt8(ascii: "]"), UInt8(ascii: "^"), UInt8(ascii: "$"):
            position = start
            throw unexpected()
        default: return .bytes(ByteSet([byte]).folded)
        }
    }

    private mutating func group() throws(Failure) -> PatternNode {
        if peek == UInt8(ascii: "?") {
            guard position + 1 < text.count, text[position + 1] == UInt8(ascii: ":") else {
                throw Failure("looking around and named groups are not supported")
            }
            position += 2
        }
        depth += 1
        defer { depth -= 1 }
        guard depth <= AddressPattern.depthLimit else {
            throw Failure("its groups are more than \(AddressPattern.depthLimit) deep")
        }
        let node = try choice()
        guard take() == UInt8(ascii: ")") else { throw Failure("a `(` is not closed") }
        return node
    }

    private mutating func escape() throws(Failure) -> ByteSet {
        guard let byte = take() else { throw Failure("it ends with a backslash") }
        let digits = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
        let words = digits.union(ByteSet(UInt8(ascii: "a")...UInt8(ascii: "z"))).union(ByteSet([UInt8(ascii: "_")]))
        switch byte {
        case UInt8(ascii: "d"): return digits
        case UInt8(ascii: "w"): return words
        case UInt8(ascii: "s"): return ByteSet([0x20, 0x09])
        case UInt8(ascii: "D"): return ByteSet.all.subtracting(digits)
        case UInt8(ascii: "W"): return ByteSet.all.subtracting(words)
        case UInt8(ascii: "S"): return ByteSet.all.subtracting(ByteSet([0x20, 0x09]))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): throw Failure("back references are not supported")
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
            throw Failure("`\\\(Character(UnicodeScalar(byte)))` is not supported")
        default: return ByteSet([byte])
        }
    }

    /// What follows a `[`.
    private mutating func set() throws(Failure) -> ByteSet {
        let isNegated = peek == UInt8(ascii: "^")
        if isNegated { position += 1 }
        var set = ByteSet([])
        var isFirst = true
        while let byte = take() {
            if byte == UInt8(ascii: "]"), !isFirst { return isNegated ? ByteSet.all.subtracting(set) : set }
            isFirst = false
            if byte == UInt8(ascii: "\\") {
                set = set.union(try escape())
            } else if position + 1 < text.count, text[position] == UInt8(ascii: "-"),
                text[position + 1] != UInt8(ascii: "]")
            {
                let last = text[position + 1]
                guard last >= byte else { throw Failure("a range in a `[` runs backwards") }
                set = set.union(ByteSet(byte...last).folded)
                position += 2
            } else {
                set = set.union(ByteSet([byte]).folded)
            }
        }
        throw Failure("a `[` is not closed")
    }
}
