import JSONValue
import Testing

@testable import Liquid

/// Whatever a template says, it renders or ends with one of the two errors: it never traps.
@Suite struct DamagedTemplateTests {
    private static let fragments = [
        "{{ ", " }}", "{%", "%}", "{%- ", " -%}", "if ", "else", "elsif ", "endif", "unless ", "endunless", "for i in ",
        "endfor",
        "case ", "when ", "endcase", "tablerow i in ", "endtablerow", "cycle ", "capture x", "endcapture",
        "assign x = ",
        "raw", "endraw", "comment", "endcomment", "liquid\n", "echo ", "render 'p'", "include 'p'", "increment x",
        "break",
        "continue", " | ", ": ", ", ", " ?? ", "x", "a", "o.k", "a[0]", "[", "]", "(", "..", ")", "1",
        "-9223372036854775808",
        "9223372036854775807", "0.5", "1e9", "'s'", "\"", "é", "\u{0}", "\r\n", " and ", " or ", " == ", " < ",
        " contains ",
        "limit: ", "offset: continue", "offset: ", "reversed", "cols: ", "empty", "blank", "nil", "forloop", ".size",
        ".first",
        ".last", "-1", "#", "ifchanged", "endifchanged", " with ", " as ", "100", "allow_false: true",
    ]

    private static let values: [String] = [
        "nil", "true", "''", "'é<&'", "' a b '", "0", "-1", "1.5", "9223372036854775807", "-9223372036854775808", "0.0",
        "'1.5'",
        "'99999999999999999999'", "1e300", "a", "o", "deep", "big", "(1..3)", "(3..1)", "(-9223372036854775807..0)",
        "empty",
        "blank", "forloop", "'%Y %-d %^10B %N %s'", "'now'", "'2016-02-29T10:00:00+05:30'", "-5", "2", "1000000000000",
    ]

    private static let variables: JSONObject = [
        "a": [3, "x", nil, 1.5, ["n", ["m"]], ["k": 1], ["k": "v"], true], "o": ["k": "v", "n": nil, "l": [1, 2]],
        "deep": [[[[["x"]]]]], "big": .double(1e300), "i": "outer", "1e300": .double(-1e300),
    ]

    private func attempt(_ source: String) {
        var limits = RenderLimits()
        limits.work = 20_000
        limits.outputBytes = 100_000
        limits.loopTurns = 500
        do {
            for escaping in OutputEscaping.allCases {
                _ = try render(
                    source, Self.variables, escaping, partials: ["p": "{{ x }}{% assign x = 1 %}{% break %}"],
                    limits: limits,
                    now: 1_700_000_000_000_000)
            }
        } catch {
            #expect(error is TemplateSyntaxError || error is RenderingError, "\(source)")
        }
    }

    @Test(arguments: UInt64(1)...20)
    func randomFragmentsNeverTrap(seed: UInt64) {
        var random = Shuffle(state: seed)
        for _ in 0..<150 {
            var source = ""
            for _ in 0..<random.below(24) { source += Self.fragments[random.below(Self.fragments.count)] }
            attempt(source)
        }
    }

    @Test(arguments: Filter.allCases)
    func filtersNeverTrapOnAnyArguments(filter: Filter) {
        var random = Shuffle(state: 7)
        for input in Self.values {
            for _ in 0..<12 {
                let count = filter.argumentCounts.lowerBound + random.below(filter.argumentCounts.count)
                let arguments = (0..<count).map { _ in Self.values[random.below(Self.values.count)] }
                let call = count == 0 ? "" : ": " + arguments.joined(separator: ", ")
                attempt("{{ \(input) | \(filter.rawValue)\(call) }}")
            }
        }
    }

    @Test func everyOperatorTakesAnyValues() {
        for left in Self.values {
            for right in Self.values {
                attempt("{% if \(left) == \(right) and \(left) contains \(right) %}{% endif %}")
                attempt("{% if \(left) < \(right) or \(left) >= \(right) %}{% endif %}")
                attempt("{% for i in \(left) limit: \(right) offset: \(left) %}{{ i }}{% endfor %}")
                attempt("{% tablerow i in \(left) cols: \(right) %}{{ tablerowloop.col }}{% endtablerow %}")
                attempt("{% cycle \(left): \(right), 1 %}{% for i in (\(left)..\(right)) %}{{ i }}{% endfor %}")
            }
        }
    }
}

/// Xorshift (Marsaglia 2003): the same numbers everywhere.
private struct Shuffle {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int((state &* 0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
