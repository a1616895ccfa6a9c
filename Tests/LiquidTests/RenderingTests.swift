import JSONValue
import Testing

@testable import Liquid

/// Renders with the project's limits.
func render(
    _ source: String, _ variables: JSONObject = [:], _ escaping: OutputEscaping = .text,
    partials: [String: String] = [:], limits: RenderLimits = RenderLimits(), now: Int64 = 0
) throws -> String {
    let parsed = try partials.reduce(into: [:]) { $0[$1.key] = try Template(parsing: $1.value, name: $1.key) }
    let options = RenderOptions(escaping: escaping, now: now, partials: parsed, limits: limits)
    return try Template(parsing: source).render(variables, options: options)
}

@Suite struct FallbackTests {
    private static let variables: JSONObject = [
        "name": "Ada", "empty": "", "none": .null, "zero": 0, "no": false, "contact": ["first name": "Grace"],
        "first name": "Edsger", "list": ["a", "b"],
    ]

    private static let fallbackReplacesWhatIsMissingCases: [(String, String)] = [
        ("{{ name ?? there }}", "Ada"),
        ("{{ missing ?? there }}", "there"),
        ("{{ missing??there }}", "there"),
        ("{{ none ?? \"good friend\" }}", "good friend"),
        ("{{ missing ?? good friend }}", "good friend"),
        ("{{ missing ?? there's more }}", "there's more"),
        ("{{ missing ?? first ?? second }}", "first"),
        ("{{ missing ?? 'a | b' }}", "a | b"),
        ("{{ missing ?? there | upcase }}", "THERE"),
        ("{{ name ?? there | upcase }}", "ADA"),
        ("{{ missing | upcase ?? there }}", "there"),
        ("{{ name | upcase ?? there }}", "ADA"),
        ("{{ missing ?? }}", ""),
        ("{{ contact.missing.deeper ?? x }}", "x"),
        // Only what is missing is replaced.
        ("[{{ zero ?? x }}]", "[0]"),
        ("[{{ no ?? x }}]", "[false]"),
        ("{% assign who = missing ?? 'you' %}{{ who }}", "you"),
    ]

    @Test(arguments: fallbackReplacesWhatIsMissingCases)
    func fallbackReplacesWhatIsMissing(source: String, expected: String) throws {
        #expect(try render(source, Self.variables) == expected)
    }

    private static let namesMayHoldSpacesInOutputsCases: [(String, String?)] = [
        ("{{ contact.first name }}", "Grace"),
        ("{{ contact[\"first name\"] }}", "Grace"),
        ("{{ contact['first name'] | upcase }}", "GRACE"),
        ("{{ first name }}", "Edsger"),
        ("{{ first name ?? you }}", "Edsger"),
        ("{{ last name ?? you }}", "you"),
        ("{{ contact.first name | append: first name, }}", nil),
        ("{{ contact.first name | append: first name }}", "GraceEdsger"),
        ("{% assign x = contact.first name %}{{ x }}", "Grace"),
        ("{% if contact.first name %}{% endif %}", nil),
        ("{{ list.1 }}{{ list.0 }}", "ba"),
    ]

    @Test(arguments: namesMayHoldSpacesInOutputsCases)
    func namesMayHoldSpacesInOutputs(source: String, expected: String?) throws {
        if let expected {
            #expect(try render(source, Self.variables) == expected)
        } else {
            #expect(throws: TemplateSyntaxError.self) { try Template(parsing: source) }
        }
    }
}

@Suite struct EscapingTests {
    private static let variables: JSONObject = [
        "x": "<b> & \"'", "crlf": "a\r\nBcc: x\u{0}\t\u{7F}\u{85}é", "items": ["<", ">"], "lines": "<a>\r\n<b>",
        "object": ["k": "<"],
    ]

    private static let htmlEscapesEveryOutputOnceCases: [(String, String)] = [
        ("<p>{{ x }}</p>", "<p>&lt;b&gt; &amp; &quot;&#39;</p>"),
        ("{{ x | raw }}", "<b> & \"'"),
        ("{{ x | escape }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{{ x | escape | escape }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{{ x | escape | raw }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{{ '&lt;<' | escape_once }}", "&lt;&lt;"),
        ("{{ x | h | append: '<i>' }}", "&lt;b&gt; &amp; &quot;&#39;&lt;i&gt;"),
        ("{{ '<i>' | raw | append: x }}", "<i>&lt;b&gt; &amp; &quot;&#39;"),
        ("{{ '-' | raw | replace: '-', x }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{{ '<' | append: '>' | raw }}", "<>"),
        ("{{ items }}", "&lt;&gt;"),
        ("{{ items | join: '<br>' }}", "&lt;&lt;br&gt;&gt;"),
        ("{{ object }}", "{&quot;k&quot;:&quot;&lt;&quot;}"),
        ("{{ missing ?? <i> }}", "&lt;i&gt;"),
        ("{{ lines | newline_to_br }}", "&lt;a&gt;<br />\n&lt;b&gt;"),
        ("{{ lines | raw | newline_to_br }}", "<a><br />\n<b>"),
        // What was printed into a capture is not escaped again, and the markup around it is the template's own.
        ("{% capture c %}<i>{{ '<' }}</i>{% endcapture %}{{ c }}{{ c | upcase }}", "<i>&lt;</i><I>&LT;</I>"),
        ("{% assign y = x | escape %}{{ y }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{% assign y = x %}{{ y }}", "&lt;b&gt; &amp; &quot;&#39;"),
        ("{% echo x | slice: 0 %}{% cycle x %}", "&lt;&lt;b&gt; &amp; &quot;&#39;"),
        ("{% for i in items %}{{ i }}{% endfor %}", "&lt;&gt;"),
        ("{{ x | escape | split: 'b' | first }}", "&amp;lt;"),
        ("{{ x | url_encode | raw }}", "%3Cb%3E+%26+%22%27"),
        ("{{ x | escape | url_encode | url_decode }}", "&amp;lt;b&amp;gt; &amp;amp; &amp;quot;&amp;#39;"),
    ]

    @Test(arguments: htmlEscapesEveryOutputOnceCases)
    func htmlEscapesEveryOutputOnce(source: String, expected: String) throws {
        #expect(try render(source, Self.variables, .html) == expected)
    }

    @Test func partialsEscapeLikeTheirCaller() throws {
        let partials = ["p": "<b>{{ v }}</b>"]
        #expect(try render("{% render 'p', v: '<' %}", [:], .html, partials: partials) == "<b>&lt;</b>")
        #expect(try render("{% render 'p', v: '<' %}", [:], .text, partials: partials) == "<b><</b>")
    }

    @Test func textIsWrittenAsItIs() throws {
        #expect(
            try render("{{ x }}|{{ x | raw }}|{{ crlf }}", Self.variables)
                == "<b> & \"'|<b> & \"'|a\r\nBcc: x\u{0}\t\u{7F}\u{85}é")
    }

    @Test(arguments: [
        "{{ crlf }}", "{{ crlf | raw }}", "{% capture c %}{{ crlf }}{% endcapture %}{{ c }}", "{% cycle crlf %}",
    ])
    func headersLoseControlCharacters(source: String) throws {
        #expect(try render(source, Self.variables, .header) == "aBcc: xé")
    }

    @Test func headersLoseControlCharactersOfTheTemplateToo() throws {
        #expect(try render("a\r\n{{ x }}\u{9F}Â", Self.variables, .header) == "a<b> & \"'Â")
    }
}

@Suite struct PartialTests {
    @Test func renderSeesOnlyItsArguments() throws {
        let text = try render("{% assign b = 2 %}{% render 'p', c: 3 %}", ["a": 1], partials: ["p": "{{a}}{{b}}{{c}}"])
        #expect(text == "3")
    }

    @Test func includeSharesVariablesBothWays() throws {
        let text = try render("{% include 'p' %}{{ b }}", ["a": 1], partials: ["p": "{{a}}{% assign b = 2 %}"])
        #expect(text == "12")
    }

    @Test func includeInsideRenderIsRefused() throws {
        let error = try #require(throws: RenderingError.self) {
            try render("{% render 'a' %}", partials: ["a": "\n{% include 'b' %}", "b": ""])
        }
        #expect(error.code == .includeNotAllowed)
        #expect(error.template == "a")
        #expect(error.line == 2)
    }

    @Test(arguments: ["{% render 'x' %}", "{% include 'x' %}", "{% include name %}"])
    func unknownPartialIsAnError(source: String) throws {
        let error = try #require(throws: RenderingError.self) { try render(source, ["name": "x"]) }
        #expect(error.code == .unknownPartial)
    }

    @Test func includeRendersOncePerElementOfABoundArray() throws {
        #expect(try render("{% include 'p' for list %}", ["list": [1, 2]], partials: ["p": "<{{ p }}>"]) == "<1><2>")
    }
}

@Suite struct LanguageTests {
    private static let rendersAsTheReferenceImplementationCases: [(String, String?)] = [
        ("{{ a[-1] }}{{ a[\"x\"] }}", "3"),
        ("{{ (1..4).size }}", nil),
        ("{{ o.size }}{{ a.size }}{{ (1..4) | size }}", "234"),
        ("{% for p in o %}{{ p[0] }}={{ p[1] }};{% endfor %}", "k=v;l=w;"),
        ("{% for i in (1..3) reversed limit: 2 %}{{ i }}{% endfor %}", "21"),
        ("{% for i in a offset: 9 %}x{% else %}none{% endfor %}", "none"),
        ("{% for i in a limit: -1 %}x{% else %}none{% endfor %}", "none"),
        ("{% for i in a offset: -5 limit: 7 %}{{ i }}{% endfor %}", "12"),
        ("{% for i in (1..9223372036854775807) limit: 2 %}{{ i }}{% endfor %}", "12"),
        (
            "{% for i in (-9223372036854775807..9223372036854775807) %}{{ i }}{% break %}{% endfor %}",
            "-9223372036854775807"
        ),
        ("{{ 9223372036854775807 | plus: 1 }}", "9.223372036854776e+18"),
        ("{{ -9223372036854775808 | divided_by: -1 }}", "9.223372036854776e+18"),
        ("{{ -7 | divided_by: 2 }} {{ -7 | modulo: 2 }} {{ 7 | modulo: -2 }}", "-4 1 -1"),
        ("{{ 0.1 | plus: 0.2 }} {{ 0.3 | divided_by: 0.1 }} {{ 1.005 | round: 2 }}", "0.3 3.0 1.01"),
        ("{{ 1234 | round: -2 }} {{ -2.5 | round }}", "1200 -3"),
        ("{{ 20 | times: 1000000000000000000000 }}", "2.0e+22"),
        ("{% if 1 < 2.5 and 'a' < 'b' and a contains 2 %}y{% endif %}", "y"),
        ("{% if missing < 1 or missing > 1 %}y{% else %}n{% endif %}", "n"),
        ("{% if true or '2' > 1 %}short{% endif %}", "short"),
        ("{% unless false %}a{% elsif true %}b{% endunless %}", "a"),
        ("{{ 'éa' | upcase }}{{ 'ÉA' | downcase }}{{ 'éA b' | capitalize }}", "ÉAéaÉa b"),
        ("{{ 'añb' | slice: 1, 2 }}{{ 'añb' | size }}{{ 'añb' | split: '' | join: '-' }}", "ñb3a-ñ-b"),
        ("{{ 'aaa' | replace: 'aa', 'b' }}{{ 'ab' | replace: '', '-' }}", "ba-a-b-"),
        ("{{ a | sum }} {{ a | reverse | first }} {{ a | sort | last }}", "6 3 3"),
        ("{% assign v = 'a' %}{% case v %}{% when 'b' or 'a' %}hit{% endcase %}", "hit"),
        ("{%- capture \"q\" -%} x {%- endcapture -%} [{{ q }}] ", "[x] "),
        ("{% liquid\nassign z = 1\nif z == 1\n  echo 'one'\nendif %}", "one"),
        ("{{ \"}\" }}{% raw %}{{ x }}{% endraw %}{%- comment -%} {{ {%- endcomment -%} .", "}{{ x }}."),
        (
            "{% tablerow i in a cols: 2 %}{{ i }}{% endtablerow %}",
            "<tr class=\"row1\">\n<td class=\"col1\">1</td><td class=\"col2\">2</td></tr>\n"
                + "<tr class=\"row2\"><td class=\"col1\">3</td></tr>\n"
        ),
        (
            "{% tablerow i in a cols: 0 %}{{ i }}{% break %}{% endtablerow %}",
            "<tr class=\"row1\">\n<td class=\"col1\">1</td></tr>\n"
        ),
        ("{% break %}never", ""),
        ("{% increment n %}{% increment n %}{{ n }}", "012"),
        // What stands behind the last value of `when` is passed over, and so is a last comma of `cycle`.
        ("{% case 'b' %}{% when 'a', 'b' and 'c', 'd' %}hit{% endcase %}", "hit"),
        ("{% case 'd' %}{% when 'a', 'b' and 'c', 'd' %}hit{% endcase %}", ""),
        ("{% for i in (1..3) %}{% cycle 'x', 'y', %}{% endfor %}", "xyx"),
        // The loop is one thing, wherever it is kept.
        ("{% for i in (1..2) %}{% assign f = forloop %}{{ f.index }}{{ f.last }}{% endfor %}", "1false2true"),
        ("{% for i in (1..2) %}{% for j in (1..2) %}{{ forloop.parentloop.index }}{% endfor %}{% endfor %}", "1122"),
        // Fractions are computed in decimal, few digits or many.
        ("{{ 10.1 | minus: 2.2 }} {{ 19.99 | times: 3 }} {{ 123456.789 | plus: 0.001 }}", "7.9 59.97 123456.79"),
        (
            "{{ -0.05 | plus: 0.02 }} {{ 999999999.99 | plus: 0.01 }} {{ 1.00001 | times: 2 }}",
            "-0.03 1000000000.0 2.00002"
        ),
        ("{{ 0.000001 | plus: 0.000002 }} {{ 1234567890.125 | minus: 0.005 }}", "3.0e-06 1234567890.12"),
        ("{{ 10.0 | divided_by: 4 }} {{ 1 | divided_by: 3.0 }} {{ 5.5 | modulo: -2 }}", "2.5 0.3333333333333333 -0.5"),
        ("{{ 'añb' | truncate: 3, '' }}{{ 'añbc' | truncate: 3, 'ñ' }}{{ 'añb' | truncate: 2, '...' }}", "añbaññ..."),
    ]

    @Test(arguments: rendersAsTheReferenceImplementationCases)
    func rendersAsTheReferenceImplementation(source: String, expected: String?) throws {
        let variables: JSONObject = ["a": [1, 2, 3], "o": ["k": "v", "l": "w"]]
        guard let expected else {
            #expect(throws: TemplateSyntaxError.self) { try Template(parsing: source) }
            return
        }
        #expect(try render(source, variables) == expected)
    }

    private static let misuseIsAnErrorWithItsCodeCases: [(String, RenderingError.Code)] = [
        ("{{ 1 | divided_by: 0 }}", RenderingError.Code.divisionByZero),
        ("{{ 1.5 | modulo: 0.0 }}", .divisionByZero),
        ("{% if 'a' < 1 %}{% endif %}", .incomparable),
        ("{{ 'a' | slice: 'b' }}", .invalidArgument),
        ("{{ a | sort }}", .incomparable),
        ("{{ '%FF' | url_decode }}", .invalidArgument),
        ("{{ 'A' | base64_decode }}", .invalidArgument),
        ("{{ 'now' | date: '%999999999d' }}", .invalidArgument),
    ]

    @Test(arguments: misuseIsAnErrorWithItsCodeCases)
    func misuseIsAnErrorWithItsCode(source: String, code: RenderingError.Code) throws {
        let error = try #require(throws: RenderingError.self) { try render("\n" + source, ["a": [1, "b"]]) }
        #expect(error.code == code)
        #expect(error.line == 2)
    }

    @Test func listsTheVariablesItDoesNotSetItself() throws {
        let template = try Template(
            parsing: """
                {{ contact.first name ?? you }} {{ contact["last name"].x[i].y }}
                {% for item in event.items %}{{ item.name }}{{ forloop.index }}{% endfor %}
                é{{ é | append: other }}{% assign own = url %}{{ own }}{{ contact.first name }}
                {% render 'footer', v: plan %}{% include 'header' %}{% include dynamic %}
                """)
        #expect(
            template.variables == [
                VariableMention(path: ["contact", "first name"], line: 1, column: 4),
                VariableMention(path: ["contact", "last name", "x"], line: 1, column: 36),
                VariableMention(path: ["i"], line: 1, column: 59),
                VariableMention(path: ["event", "items"], line: 2, column: 16),
                VariableMention(path: ["é"], line: 3, column: 5),
                VariableMention(path: ["other"], line: 3, column: 17),
                VariableMention(path: ["url"], line: 3, column: 41),
                VariableMention(path: ["plan"], line: 4, column: 24),
                VariableMention(path: ["dynamic"], line: 4, column: 64),
            ])
        #expect(template.variables.first?.name == "contact.first name")
        #expect(template.partialNames == ["footer", "header"])
    }
}
