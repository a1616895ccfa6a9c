import Testing

@testable import JSONValue

@Suite struct JSONParserTests {
    private static let accepted: [(String, JSON)] = [
        ("null", .null), ("true", true), ("false", false), (" \t\r\n1 \t\r\n", 1), ("\"\"", ""), ("[]", []),
        ("{}", [:]),
        ("0", 0), ("-0", 0), ("-1", -1), ("1.5", 1.5), ("-0.25", -0.25), ("1e2", 100.0), ("1E+2", 100.0),
        ("25e-1", 2.5),
        ("0e0", 0.0), ("0.0", 0.0), ("123456789012345678901234567890", .double(1.2345678901234568e29)),
        ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .double(9223372036854775808)), ("-9223372036854775809", .double(-9223372036854775808)),
        ("1e-400", 0.0), ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
        ("[1,[2,[3]]]", [1, [2, [3]]]), ("[ 1 , 2 ]", [1, 2]), ("[null]", [nil]),
        ("{\"a\":1}", ["a": 1]), (" { \"a\" : { \"b\" : [ ] } } ", ["a": ["b": []]]), ("{\"\":0}", ["": 0]),
        ("{\"a\":null}", ["a": nil]), ("{\"a\":1,\"A\":2}", ["a": 1, "A": 2]),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u00E9""#, "Aéé"), (#""\u0000""#, "\u{0}"),
        (#""\uD83D\uDE00""#, "😀"), (#""x\ud83d\ude00y""#, "x😀y"), (#""\uFFFF""#, "\u{FFFF}"),
        (#""\uD7FF""#, "\u{D7FF}"),
        (#""\uE000""#, "\u{E000}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
        ("\"é日本😀\u{7F}\u{2028}\"", "é日本😀\u{7F}\u{2028}"),
        (#""a\\nb""#, "a\\nb"),
    ]

    @Test(arguments: accepted)
    func acceptsJSON(text: String, expected: JSON) throws {
        let value = try JSONParser.parse(text)
        #expect(value == expected)
        #expect(try JSONParser.parse(Array(text.utf8)) == expected)
    }

    private static let refused: [(String, JSONParser.Failure.Code, Int)] = [
        ("", .unexpectedEnd, 0), ("   ", .unexpectedEnd, 3), ("nul", .unexpectedEnd, 3), ("nulx", .unexpectedByte, 3),
        ("True", .unexpectedByte, 0), ("NaN", .unexpectedByte, 0), ("Infinity", .unexpectedByte, 0),
        ("1 2", .trailingBytes, 2), ("[] ]", .trailingBytes, 3), ("null,", .trailingBytes, 4),
        ("01", .invalidNumber, 0),
        ("-01", .invalidNumber, 0), ("00", .invalidNumber, 0), ("-", .invalidNumber, 0), ("-a", .invalidNumber, 0),
        ("+1", .unexpectedByte, 0), (".5", .unexpectedByte, 0), ("1.", .invalidNumber, 0), ("1.e1", .invalidNumber, 0),
        ("1e", .invalidNumber, 0), ("1e+", .invalidNumber, 0), ("1e400", .invalidNumber, 0),
        ("-1e400", .invalidNumber, 0),
        ("0x1", .trailingBytes, 1), ("1a", .trailingBytes, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
        ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3),
        ("[", .unexpectedEnd, 1),
        ("[1}", .unexpectedByte, 2), ("]", .unexpectedByte, 0), ("{", .unexpectedEnd, 1),
        ("{\"a\"}", .unexpectedByte, 4),
        ("{\"a\":}", .unexpectedByte, 5), ("{\"a\":1,}", .unexpectedByte, 7), ("{a:1}", .unexpectedByte, 1),
        ("{'a':1}", .unexpectedByte, 1), ("{1:1}", .unexpectedByte, 1), ("{\"a\":1 \"b\":2}", .unexpectedByte, 7),
        ("{\"a\":1,\"a\":1}", .duplicateKey, 7), (#"{"a":1,"\u0061":2}"#, .duplicateKey, 7),
        ("{\"x\":{\"a\":1,\"a\":2}}", .duplicateKey, 12), ("\"", .unexpectedEnd, 1), ("\"a", .unexpectedEnd, 2),
        ("'a'", .unexpectedByte, 0), ("\"\n\"", .controlCharacter, 1), ("\"a\tb\"", .controlCharacter, 2),
        ("\"\u{0}\"", .controlCharacter, 1), (#""\x""#, .invalidEscape, 2), (#""\""#, .unexpectedEnd, 3),
        (#""\"#, .unexpectedEnd, 2), (#""\u12""#, .unexpectedEnd, 3), (#""\u12G4""#, .invalidEscape, 5),
        (#""\uD800""#, .invalidEscape, 3), (#""\uDC00""#, .invalidEscape, 3), (#""\uD800\u0041""#, .invalidEscape, 3),
        (#""\uD800\n     ""#, .invalidEscape, 3), (#""\uD800\uD800""#, .invalidEscape, 3),
        ("// x\n1", .unexpectedByte, 0),
        ("[1]/* x */", .trailingBytes, 3), ("\u{FEFF}1", .unexpectedByte, 0), ("\u{A0}1", .unexpectedByte, 0),
    ]

    @Test(arguments: refused)
    func refusesWhatIsNoJSON(text: String, code: JSONParser.Failure.Code, offset: Int) throws {
        let failure = try #require(throws: JSONParser.Failure.self) { try JSONParser.parse(text) }
        #expect(failure.code == code)
        #expect(failure.offset == offset)
    }

    private static let invalidUTF8: [[UInt8]] = [
        [0x80], [0xC3], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
        [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFF], [0xFE], [0xE2, 0x82], [0x41, 0xC3, 0x28],
    ]

    @Test(arguments: invalidUTF8)
    func refusesInvalidUTF8(bytes: [UInt8]) throws {
        let quote = [UInt8(ascii: "\"")]
        for text in [quote + bytes + quote, quote + Array("\\n".utf8) + bytes + quote] {
            let failure = try #require(throws: JSONParser.Failure.self) { try JSONParser.parse(text) }
            #expect(failure.code == .invalidUTF8)
        }
    }

    @Test func tellsLineAndColumnOfAFailure() throws {
        let failure = try #require(throws: JSONParser.Failure.self) {
            try JSONParser.parse("{\n  \"a\": 1,\n  \"b\": ?\n}")
        }
        #expect((failure.line, failure.column) == (3, 8))
        #expect(failure.description == "JSON, line 3, column 8: unexpected character")
    }

    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test func nestingIsLimited() throws {
        let limit = JSONParser.defaultDepthLimit
        #expect(throws: Never.self) { try JSONParser.parse(Self.nested(limit)) }
        let failure = try #require(throws: JSONParser.Failure.self) { try JSONParser.parse(Self.nested(limit + 1)) }
        #expect(failure.code == .tooDeep)
        #expect(throws: Never.self) { try JSONParser.parse("[{\"a\":[1]}]", depthLimit: 3) }
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse("[{\"a\":[1]}]", depthLimit: 2) }
        #expect(throws: Never.self) { try JSONParser.parse("1", depthLimit: 0) }
    }

    @Test func hostileNestingEndsWithAnErrorNotWithTheStack() throws {
        for opening in ["[", "{\"a\":", "[{\"a\":"] {
            let failure = try #require(throws: JSONParser.Failure.self) {
                try JSONParser.parse(String(repeating: opening, count: 200_000))
            }
            #expect(failure.code == .tooDeep)
        }
    }

    @Test func keepsIntegersExact() throws {
        guard case .int(9_007_199_254_740_993) = try JSONParser.parse("9007199254740993") else {
            Issue.record("beyond 53 bits an integer must stay one")
            return
        }
        guard case .double = try JSONParser.parse("1.0") else {
            Issue.record("a number with a point is a double")
            return
        }
    }
}
