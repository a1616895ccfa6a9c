import JSONValue
import Testing

@testable import WorkflowFiles

@Suite struct YAMLTests {
    private let text = """
        workflow: welcome
        steps:
          start:
            type: TRIGGER
            next: check
          check:
            type: CONDITION
            config:
              filter:
                logic: AND
                groups:
                  - filters:
                      - {field: data.plan, operator: equals, value: pro}
                      - field: email
                        operator: is
          a.b:
            type: EXIT
        """

    @Test(
        arguments: [
            ("workflow", 1, 1), ("steps", 2, 1), ("steps.start.next", 5, 5),
            ("steps.check.config.filter.groups.0.filters.0.value", 13, 54),
            ("steps.check.config.filter.groups.0.filters.1.operator", 15, 17),
            ("steps.check.config.filter.groups.0.filters.1.value", 14, 17), ("steps.a.b.type", 17, 5),
            ("steps.check.config.filter.groups.7", 11, 9), ("steps.nowhere.type", 2, 1), ("nothing", 1, 1),
        ])
    func aPathHasItsPlace(_ path: String, _ line: Int, _ column: Int) throws {
        #expect(try YAMLReader.read(text).place(of: path) == TextPlace(line: line, column: column))
    }

    @Test(
        arguments: [
            ("", 1, 1, "empty"), ("a: [", 2, 1, "no valid YAML"), ("a: 1\na: 2", 1, 1, "twice: a"),
            ("a: 1\nb: &x 2", 2, 4, "anchors"), ("a:\n  - *x", 2, 5, "no valid YAML"),
            ("a: 1\n? [x]\n: 2", 1, 1, "a key must be text"),
        ])
    func aFaultHasItsPlace(_ text: String, _ line: Int, _ column: Int, _ part: String) throws {
        let failure = #expect(throws: YAMLReader.Failure.self) { try YAMLReader.read(text) }
        #expect(failure?.message.contains(part) == true, "\(String(describing: failure))")
        #expect(failure?.place == TextPlace(line: line, column: column), "\(part)")
    }

    @Test(
        arguments: [
            "plain", "", " ", "true", "null", "~", "5", "-1.5e3", "0x1F", "yes", "no", "a: b", "a #b", "#a", "- a",
            "[a]",
            "{a}", "a\nb", "a\nb\n", "\na", "a\n\n", "  a\nb", "a\n  b\n", "a\n \nb", "\t", "a\tb", "é", "e\u{301}",
            "a\u{FEFF}", "\u{85}", "\u{2028}", "\r\n", "a\r\nb", "\u{0}", "\u{1F600}", "'", "\"", "\\", "%a", "@a",
            "`a",
            "&a", "*a", "!a", "|", ">", "a:", ":a", "?", "? a", "-", "--- a", "...", "<<", "=", "a, b", "2026-01-01",
            "{{ contact.email }}", "https://example.com/?a=b#c", "a\n# b\n", "a\n\tb\n", "\u{301}a",
        ])
    func aTextIsReadBack(_ text: String) throws {
        for value in [.string(text), [.string(text)], ["k": .string(text)], [["k": .string(text), "l": 1]]] as [JSON] {
            #expect(try YAMLReader.read(YAMLWriter.write(value)).value == value, "\(YAMLWriter.write(value))")
        }
        if !text.isEmpty {
            let value = JSON.object(JSONObject([(text, JSON.int(1))]))
            #expect(try YAMLReader.read(YAMLWriter.write(value)).value == value, "\(YAMLWriter.write(value))")
        }
    }

    @Test(arguments: ["k", "\u{FFFD}", "\u{1}"]) func aLongKeyIsReadBack(_ letter: String) throws {
        let key = String(repeating: letter, count: 1100)
        for member in [1, "text", "two\nlines\n", ["a", ["b": 1]], ["c": ["d": "e"]]] as [JSON] {
            let value: JSON = ["before": 1, "outer": .object(JSONObject([(key, member), ("after", JSON.int(2))]))]
            #expect(try YAMLReader.read(YAMLWriter.write(value)).value == value)
        }
    }

    @Test(arguments: 0..<400) func whatIsWrittenIsReadBack(_ seed: Int) throws {
        var random = RandomValues(seed: seed)
        let value = random.value(depth: 4)
        let text = YAMLWriter.write(value, apart: ["b"])
        #expect(try YAMLReader.read(text).value == value, "\(text)")
        #expect(YAMLWriter.write(try YAMLReader.read(text).value, apart: ["b"]) == text, "writing is stable")
    }

    @Test func peopleCanReadIt() {
        let value: JSON = [
            "workflow": "welcome", "enabled": true,
            "steps": [
                "check": [
                    "type": "CONDITION",
                    "config": ["filter": ["logic": "AND", "groups": [["filters": [["field": "a", "value": 5]]]]]],
                    "next": ["yes": "a", "no": "b"],
                ], "wait": ["eventNames": ["a", "b c"]],
            ], "text": "Hello\n\nBye\n",
        ]
        #expect(
            YAMLWriter.write(value, apart: ["steps"]) == """
                workflow: welcome
                enabled: true

                steps:
                  check:
                    type: CONDITION
                    config:
                      filter:
                        logic: AND
                        groups:
                          - filters:
                              - field: a
                                value: 5
                    next:
                      yes: a
                      no: b
                  wait:
                    eventNames: [a, b c]
                text: |
                  Hello

                  Bye

                """)
    }
}

/// Values with everything in them that YAML gives a meaning.
struct RandomValues {
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private static let letters = Array(
        "ab 15:#-?,[]{}&*!|>'\"%@`\n\t\\.~=<ü\u{301}\u{2028}\u{85}\u{0}\u{1F600}".unicodeScalars)

    mutating func text() -> String {
        var view = String.UnicodeScalarView()
        for _ in 0..<below(12) { view.append(pick(Self.letters)) }
        return String(view)
    }

    mutating func value(depth: Int) -> JSON {
        switch below(depth > 0 ? 8 : 5) {
        case 0: return .null
        case 1: return .bool(below(2) == 0)
        case 2: return .int(Int64(below(2000)) - 1000)
        case 3: return .double(Double(below(2000)) / 16)
        case 4: return .string(text())
        case 5: return .array((0..<below(4)).map { _ in value(depth: depth - 1) })
        default:
            var object = JSONObject()
            for _ in 0..<below(4) {
                let key = below(2) == 0 ? pick(["a", "b", "yes", "null"]) : text()
                object[key] = value(depth: depth - 1)
            }
            return .object(object)
        }
    }
}
