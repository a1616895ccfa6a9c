import Markdown
import Testing

@Suite struct MarkdownTests {
    private static let cases: [(String, String)] = [
        ("# Hello {{ name }}\n\nDear *{{ name }}*,", "<h1>Hello {{ name }}</h1>\n<p>Dear <em>{{ name }}</em>,</p>\n"),
        // In a link's address and title nothing of it is encoded.
        (
            "[see {{ a | upcase }}]({{ url | append: \"?a=1&b=<2>\" }} \"{{ t }}\")",
            "<p><a href=\"{{ url | append: \"?a=1&b=<2>\" }}\" title=\"{{ t }}\">see {{ a | upcase }}</a></p>\n"
        ),
        (
            "`{{ code }}` and\n\n    {{ block }}",
            "<p><code>{{ code }}</code> and</p>\n<pre><code>{{ block }}\n</code></pre>\n"
        ),
        // Underscores, stars and angle brackets inside mean nothing to Markdown.
        (
            "{{ a_b_c }} {{ x | times: 2 | minus: 1 }} {% if a < b and c_d > e_f %}*x*{% endif %}",
            "<p>{{ a_b_c }} {{ x | times: 2 | minus: 1 }} {% if a < b and c_d > e_f %}<em>x</em>{% endif %}</p>\n"
        ),
        // Tags on lines of their own are no paragraph.
        (
            "{% for i in items %}\n- {{ i }}\n{% endfor %}\n\nEnd",
            "{% for i in items %}\n<ul>\n<li>{{ i }}</li>\n</ul>\n{% endfor %}\n<p>End</p>\n"
        ),
        (
            "Before\n{%- if x -%} {% assign y = 1 %}\nafter",
            "<p>Before</p>\n{%- if x -%} {% assign y = 1 %}\n<p>after</p>\n"
        ),
        ("{% if a %}yes{% endif %}", "<p>{% if a %}yes{% endif %}</p>\n"),
        ("{{ a }}{{ b", "<p>{{ a }}{{ b</p>\n"),
        ("LIQUID0X0Z {{ a }}", "<p>LIQUID0X0Z {{ a }}</p>\n"),
        ("<div class=\"{{ c }}\">raw</div>", "<div class=\"{{ c }}\">raw</div>\n"),
        ("{% comment %}\n\n*a*\n\n{% endcomment %}", "{% comment %}\n<p><em>a</em></p>\n{% endcomment %}\n"),
        ("```\n{% if a %}\n<b>\n```", "<pre><code>{% if a %}\n&lt;b&gt;\n</code></pre>\n"),
        ("", ""),
    ]

    @Test(arguments: cases)
    func liquidComesOutAsItWentIn(markdown: String, html: String) {
        #expect(MarkdownText.html(from: markdown) == html)
    }

    @Test func hostileTextTakesNoLongerThanOtherText() {
        let texts = ["[", "*a_", "> ", "{{", "{%a%}", "<!--", "`", "![x](", "&"].map {
            String(repeating: $0, count: 20_000)
        }
        for text in texts { #expect(MarkdownText.html(from: text).utf8.count < 2_000_000) }
    }
}
