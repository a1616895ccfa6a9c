import JSONValue
import Testing

@testable import Liquid

private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

/// Hostile templates and data end with an error, and soon.
@Suite struct LimitTests {
    private static func doubled(_ count: Int) -> String {
        repeated("{% assign a = a | append: a %}", count)
    }

    private static let hostileTemplateEndsWithItsErrorCases: [(String, RenderingError.Code)] = [
        ("{% for i in (1..100001) %}{% endfor %}", RenderingError.Code.tooManyTurns),
        ("{% for i in (1..1000) %}{% for j in (1..1000) %}{% endfor %}{% endfor %}", .tooManyTurns),
        ("{% tablerow i in (1..9223372036854775807) %}{% endtablerow %}", .tooManyTurns),
        ("{{ (1..9223372036854775807) | join }}", .tooManyTurns),
        ("{{ (-9223372036854775807..9223372036854775807) | reverse | first }}", .tooManyTurns),
        ("{{ (1..100000000000000000000000) | size }}", .invalidArgument),
        ("{% assign a = 'x' %}" + doubled(40) + "{{ a }}", .tooMuchMemory),
        (
            "{% assign a = (1..10) | concat: b %}" + repeated("{% assign a = a | concat: a %}", 40),
            .tooMuchMemory
        ),
        ("{% assign a = 'xxxxxxxx' %}" + doubled(20) + "{{ a | replace: 'x', a }}", .tooMuchMemory),
        ("{% assign a = 'xxxxxxxx' %}" + doubled(20) + "{{ a | replace: '', a }}", .tooMuchMemory),
        ("{% assign a = 'x ' %}" + doubled(20) + "{% for i in (1..9) %}{{ a }}{% endfor %}", .outputTooLarge),
        ("{% assign a = 'x ' %}" + doubled(22) + "{% assign b = a | split: '' %}", .tooMuchMemory),
        (
            "{% assign a = 'x' %}" + doubled(20)
                + "{% for i in (1..1000) %}{% if a contains 'y' %}{% endif %}{% endfor %}", .tooMuchWork
        ),
        (
            "{% assign a = 'x' %}" + doubled(20)
                + "{% for i in (1..1000) %}{% if a.size == 1 %}{% endif %}{% endfor %}",
            .tooMuchWork
        ),
        (
            "{% assign a = ' ' %}" + doubled(20) + "{% for i in (1..1000) %}{% if a == blank %}{% endif %}{% endfor %}",
            .tooMuchWork
        ),
        ("{% for i in (1..90000) %}" + repeated("{{ i }}{{ i }}", 20) + "{% endfor %}", .tooMuchWork),
        ("{% include 'self' %}", .tooDeep),
        ("{% render 'self render' %}", .tooDeep),
        ("{% render 'fork' %}", .tooDeep),
    ]

    @Test(arguments: hostileTemplateEndsWithItsErrorCases)
    func hostileTemplateEndsWithItsError(source: String, code: RenderingError.Code) throws {
        let partials = [
            "self": "{% include 'self' %}", "self render": "{% render 'self render' %}",
            "fork": "{% for i in (1..10) %}{% render 'fork' %}{% endfor %}",
        ]
        var limits = RenderLimits()
        // A tenth shows the same sooner.
        if code == .tooMuchWork { limits.work /= 10 }
        let error = try #require(throws: RenderingError.self) {
            try render(source, ["b": [1]], partials: partials, limits: limits)
        }
        #expect(error.code == code)
    }

    @Test func repeatedSearchForHostileTextStaysLinear() throws {
        let text = repeated("a", 200_000)
        let needle = repeated("a", 100_000) + "b"
        #expect(try render("{{ t | replace: n, '' | size }}", ["t": .string(text), "n": .string(needle)]) == "200000")
        let tags = repeated("<script<!--<style", 20_000)
        #expect(try render("{{ t | strip_html | size }}", ["t": .string(tags)]) == "340000")
        let references = repeated("&a", 100_000)
        #expect(try render("{{ t | escape_once | size }}", ["t": .string(references)]) == "600000")
    }

    private static let hostileSourceIsRefusedCases: [String] = [
        repeated("{{", 500_000),
        repeated("{% if a %}", 10_000),
        repeated("{% if a %}", 101) + repeated("{% endif %}", 101),
        repeated("{% for i in a %}", 5_000),
        repeated("{{", 90_000),
        repeated("{% comment", 19_000),
        repeated("{% comment %}", 15_000),
        repeated("{% raw %}", 20_000),
        "{{ " + repeated("a[", 50_000) + " }}",
        "{{ " + repeated("(", 50_000) + " }}",
        "{% if " + repeated("[", 50_000) + " %}{% endif %}",
        "{% liquid " + repeated("liquid ", 20_000) + "if a %}",
        "{% liquid\n" + repeated("if a\n", 10_000) + "%}",
        "{{ '" + repeated("a", 150_000),
        repeated(" ", 200_001),
        repeated("{%", 90_000) + "%}",
    ]

    @Test(arguments: hostileSourceIsRefusedCases)
    func hostileSourceIsRefused(source: String) {
        #expect(throws: TemplateSyntaxError.self) { try Template(parsing: source) }
    }

    private static let longButFlatSourceIsFineCases: [String] = [
        "{% liquid " + repeated("liquid ", 20_000) + "echo 1 %}",
        "{% if " + repeated("1 and ", 30_000) + "1 %}1{% endif %}",
        "{{ 1" + repeated("|plus:0", 25_000) + " }}",
        "1" + repeated("{{a[b]}}", 24_000),
        "1" + (0..<11_000).map { "{{a\($0)[b\($0)]}}" }.joined(separator: ""),
        "1" + repeated("{% if a %}", 90) + repeated("{% endif %}", 90),
    ]

    @Test(arguments: longButFlatSourceIsFineCases)
    func longButFlatSourceIsFine(source: String) throws {
        #expect(try render(source) == "1")
    }

    @Test func renderingReachesTheDeepestAllowedNesting() throws {
        let open = repeated("{% if true %}", 98)
        let close = repeated("{% endif %}", 98)
        #expect(try render(open + "x" + close) == "x")
        let error = try #require(throws: RenderingError.self) {
            try render(
                "{% render 'p' %}",
                partials: ["p": open + "{% render 'q' %}" + close, "q": "{% if true %}x{% endif %}"])
        }
        #expect(error.code == .tooDeep)
    }

    @Test func limitsCanBeTightened() throws {
        var limits = RenderLimits()
        limits.outputBytes = 10
        limits.loopTurns = 3
        #expect(try render("1234567890", limits: limits) == "1234567890")
        #expect(throws: RenderingError.self) { try render("12345678901", limits: limits) }
        #expect(throws: RenderingError.self) { try render("{% for i in (1..4) %}{% endfor %}", limits: limits) }
    }

    @Test func errorsNeverTellValues() throws {
        let error = try #require(throws: RenderingError.self) {
            try render("{% include secret %}", ["secret": "hunter2"])
        }
        #expect(!error.description.contains("hunter2"))
    }
}
