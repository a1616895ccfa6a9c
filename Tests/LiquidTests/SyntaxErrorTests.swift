import Testing

@testable import Liquid

@Suite struct SyntaxErrorTests {
    private static let tellsWhatIsWrongAndWhereCases: [(String, Int, Int, String)] = [
        ("{{ a", 1, 1, "the output is not closed with }}"),
        ("x\n  {% if a", 2, 3, "the tag is not closed with %}"),
        ("a\n\n{{ b | nope }}", 3, 8, "there is no filter \"nope\""),
        ("{{ 'é' | append }}", 1, 10, "the filter \"append\" takes 1 arguments"),
        ("{{ a | slice: 1, 2, 3 }}", 1, 8, "the filter \"slice\" takes 1 to 2 arguments"),
        ("{{ a | upcase: x: 1 }}", 1, 16, "the filter \"upcase\" takes no argument \"x\""),
        ("{% nope %}", 1, 1, "there is no tag \"nope\""),
        ("{% %}", 1, 1, "a tag needs a name"),
        ("{% if a %}x", 1, 1, "if is not closed with endif"),
        ("a{% for i in b %}{% endif %}", 1, 18, "endif does not belong here"),
        ("{% endfor %}", 1, 1, "endfor does not belong here"),
        ("{% if a and %}", 1, 13, "expected a value"),
        ("{% if a = b %}{% endif %}", 1, 9, "unexpected \"=\""),
        ("{% if a == 'b %}{% endif %}", 1, 12, "the quote is not closed"),
        ("{{ a[1 }}", 1, 8, "expected ]"),
        ("{{ (1..2 }}", 1, 10, "expected )"),
        ("{{ (1.2) }}", 1, 8, "expected .."),
        ("{{ a. }}", 1, 7, "expected a name after the dot"),
        ("{{ a b* }}", 1, 7, "unexpected \"*\""),
        ("{{ 日本 % }}", 1, 7, "unexpected \"%\""),
        ("{% for i b %}{% endfor %}", 1, 9, "expected in"),
        ("{% for i in b nope: 1 %}{% endfor %}", 1, 15, "expected reversed, limit: or offset:"),
        ("{% assign a? = 1 %}", 1, 11, "a name that is given a value cannot end with ?"),
        ("{% render name %}", 1, 11, "render needs the name of a partial in quotes"),
        ("{% raw %}{{", 1, 1, "raw is not closed with endraw"),
        ("{% comment %}{% comment %}{% endcomment %}", 1, 1, "comment is not closed with endcomment"),
        ("{% liquid\n  echo a\n  nope\n%}", 3, 3, "there is no tag \"nope\""),
        ("{% liquid\n  echo | \n%}", 2, 8, "expected a value, not \"|\""),
    ]

    @Test(arguments: tellsWhatIsWrongAndWhereCases)
    func tellsWhatIsWrongAndWhere(source: String, line: Int, column: Int, message: String) throws {
        let error = try #require(throws: TemplateSyntaxError.self) { try Template(parsing: source, name: "t") }
        #expect(error == TemplateSyntaxError(template: "t", line: line, column: column, message: message))
    }

    @Test func describesItselfInOneLine() {
        let error = TemplateSyntaxError(template: "welcome", line: 2, column: 3, message: "expected ]")
        #expect(error.description == "welcome, line 2, column 3: expected ]")
    }
}
