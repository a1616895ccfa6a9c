import Testing

@testable import JSONValue

@Suite struct JSONWriterTests {
    private static let written: [(JSON, String)] = [
        (.null, "null"), (true, "true"), (false, "false"), (0, "0"), (.int(.min), "-9223372036854775808"),
        (.int(.max), "9223372036854775807"), (1.5, "1.5"), (1.0, "1.0"), (1e300, "1e+300"), (-0.001, "-0.001"),
        (.double(.nan), "null"), (.double(.infinity), "null"), ("", "\"\""), ("é\"\\/\n\r\t", #""é\"\\/\n\r\t""#),
        ("\u{0}\u{8}\u{C}\u{1F}\u{7F}", "\"\\u0000\\u0008\\u000c\\u001f\u{7F}\""), ([], "[]"),
        ([1, "a", nil], "[1,\"a\",null]"),
        ([:], "{}"), (["b": 1, "a": [true]], "{\"b\":1,\"a\":[true]}"), (["\n": 1], #"{"\n":1}"#),
    ]

    @Test(arguments: written)
    func writesCompactText(value: JSON, expected: String) {
        #expect(JSONWriter.write(value) == expected)
        #expect(JSONWriter.bytes(value) == Array(expected.utf8))
    }

    /// Eight bytes are looked at together: each place in such a word, with every neighbour.
    @Test(arguments: ["\"", "\\", "\n", "\u{1}", "\u{1F}"], ["a", " ", "!", "#", "[", "]", "é", "\u{7F}", "\""])
    func escapesAreFoundInEveryPlace(escaped: String, neighbour: String) throws {
        for place in 0...17 {
            let text =
                String(repeating: neighbour, count: place) + escaped + String(repeating: neighbour, count: 17 - place)
            let written = JSONWriter.write(.string(text))
            #expect(try JSONParser.parse(written) == .string(text))
            #expect(!written.unicodeScalars.contains { $0.value < 0x20 })
        }
    }

    /// A seed reproduces its value: a failure names it.
    @Test(arguments: UInt64(1)...200)
    func whatIsWrittenReadsBackTheSame(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let value = random.json(depth: 5)
        let text = JSONWriter.write(value)
        let read = try JSONParser.parse(text)
        #expect(read == value, "seed \(seed)")
        #expect(JSONWriter.write(read) == text, "seed \(seed)")
        #expect(JSONWriter.largestCount(value) >= text.utf8.count, "seed \(seed)")
        #expect(read.hashValue == value.hashValue, "seed \(seed)")
    }

    /// Damaged text must be refused or read, never trap.
    @Test(arguments: UInt64(1)...200)
    func damagedTextNeverTraps(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        var bytes = JSONWriter.bytes(random.json(depth: 4))
        for _ in 0..<50 {
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            guard let value = try? JSONParser.parse(bytes) else { continue }
            #expect((try? JSONParser.parse(JSONWriter.bytes(value))) == value)
        }
    }
}

/// Xorshift (Marsaglia 2003): the same numbers everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func json(depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &self) {
        case 0: return .null
        case 1: return .bool(.random(using: &self))
        case 2: return .int(Int64(bitPattern: next()))
        case 3: return .int(.random(in: -1000...1000, using: &self))
        case 4:
            let value = Double(bitPattern: next())
            return .double(value.isFinite ? value : 0.5)
        case 5: return .string(text())
        case 6, 7: return .array((0..<Int.random(in: 0...4, using: &self)).map { _ in json(depth: depth - 1) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...20, using: &self) { object[text()] = json(depth: depth - 1) }
            return .object(object)
        }
    }

    private mutating func text() -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...8, using: &self) {
            let limits: [UInt32] = [0x20, 0x80, 0x800, 0x10000, 0x110000]
            let limit = limits[Int.random(in: 0..<limits.count, using: &self)]
            if let scalar = Unicode.Scalar(.random(in: 0..<limit, using: &self)) { scalars.append(scalar) }
        }
        return String(scalars)
    }
}
