import MailFormat
import Testing

struct HTMLTests {
    @Test(arguments: [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<br><br>One<br><br><br>Two", "One\n\nTwo"),
        ("  a \n b\t<b> c</b>d ", "a b cd"),
        ("a&nbsp;b &amp; &lt;c&gt; &#8364; &#x20AC; &euro; &bogus; &", "a b & <c> € € € &bogus; &"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n  - c"),
        ("<ol><li>a<li>b</ol>x", "1. a\n2. b\n\nx"),
        ("<a href=\"https://e.org/?a=1&amp;b=2\">here</a>.", "here (https://e.org/?a=1&b=2)."),
        ("<a href=\"https://e.org\">https://e.org</a> <a href=\"#top\">up</a>", "https://e.org up"),
        ("<a href=\"mailto:a@e.org\">a@e.org</a>", "a@e.org"),
        ("<head><title>T</title><style>p{}</style></head><body>B<script>if (a<b) {}</script>C</body>", "BC"),
        ("<head><title>T</title><body>B", "B"),
        ("<!-- <p>x</p> -->y<!-->z", "yz"),
        ("1 < 2 and a<3", "1 < 2 and a<3"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("<img src=x alt='A cat'> sleeps", "A cat sleeps"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<P CLASS=x>Big</P>", "Big"),
        ("text <unfinished", "text"),
        ("", ""), ("<>", "<>"), ("&#0;&#xD800;&#x110000;", "&#0;\u{FFFD}\u{FFFD}"),
    ])
    func htmlBecomesText(html: String, text: String) { #expect(PlainText.from(html: html) == text) }

    @Test(arguments: [
        ("<body>x</body>", "<body>xPIXEL</body>"),
        ("<BODY>x</BODY ></html>", "<BODY>xPIXEL</BODY ></html>"),
        ("<body>a</body><body>b</body>", "<body>a</body><body>bPIXEL</body>"),
        ("no body", "no bodyPIXEL"), ("</bodyguard>", "</bodyguard>PIXEL"), ("", "PIXEL"), ("</body", "</bodyPIXEL"),
    ])
    func pixelGoesBeforeTheEndOfTheBody(html: String, expected: String) {
        let image =
            "<img src=\"https://t.example/p?a=1&amp;b=%22\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">"
        let result = HTMLPixel.insert(into: html, url: "https://t.example/p?a=1&b=%22")
        #expect(result == expected.replacing("PIXEL", with: image))
    }

    @Test(arguments: [
        ("<a href=\"http://x\">x</a>", "<a href=\"NEW\">x</a>"), ("<a href='http://x' b>", "<a href=\"NEW\" b>"),
        ("<a href=http://x>", "<a href=\"NEW\">"), ("<A HREF = \"http://x\" >", "<A HREF = \"NEW\" >"),
        ("<area href=\"http://x\"/>", "<area href=\"NEW\"/>"), ("<a href=\" http://x\n\">", "<a href=\"NEW\">"),
        ("<a href=\"http&#58;//x\">", "<a href=\"NEW\">"), ("<a href=\"http://y\">", "<a href=\"http://y\">"),
        ("<a data-no-track href=\"http://x\">", "<a data-no-track href=\"http://x\">"),
        ("<a href=\"http://x\" DATA-NO-TRACK=1>", "<a href=\"http://x\" DATA-NO-TRACK=1>"),
        ("<a href=\"http://x\" data-no-tracking>", "<a href=\"NEW\" data-no-tracking>"),
        ("<a href=\"http://x\" href=\"http://x\">", "<a href=\"NEW\" href=\"http://x\">"),
        ("<link href=\"http://x\"><img src=\"http://x\">", "<link href=\"http://x\"><img src=\"http://x\">"),
        (
            "<!-- <a href=\"http://x\"> --><style>a[href=\"http://x\"]{}</style>",
            "<!-- <a href=\"http://x\"> --><style>a[href=\"http://x\"]{}</style>"
        ),
        ("<a href=\"http://x", "<a href=\"http://x"), ("<a href>x</a>", "<a href>x</a>"), ("", ""),
        ("é<a href=\"http://x\">ü</a>é", "é<a href=\"NEW\">ü</a>é"),
    ])
    func linksAreRewrittenWhereTheyStand(html: String, expected: String) {
        let result = HTMLLinks.rewrite(html) { $0 == "http://x" ? "https://t.example/?a&\"" : nil }
        #expect(result == expected.replacing("NEW", with: "https://t.example/?a&amp;&quot;"))
    }

    /// The address that a browser would go to.
    @Test(arguments: [
        ("https://x/?a=1&amp;b=2", "https://x/?a=1&b=2"), ("https://x/?a=1&b=2", "https://x/?a=1&b=2"),
        ("https://x/?a=1&copy=2&reg=3&lt2=4", "https://x/?a=1&copy=2&reg=3&lt2=4"),
        ("https://x/?a=&#38;b&#x26;c&AMP;d", "https://x/?a=&b&c&d"), ("https://x/a&nbsp;b", "https://x/a\u{A0}b"),
        ("https://x/a&shy;b&zwnj;c", "https://x/a\u{AD}b\u{200C}c"), ("https://x/?a&&b&", "https://x/?a&&b&"),
        ("https://x/?a&#;b&#x;c", "https://x/?a&#;b&#x;c"), ("https://x/?q=&euro;", "https://x/?q=€"),
        ("https://x/?a=&amp;amp;b", "https://x/?a=&amp;b"), ("https://x/?a&b/c", "https://x/?a&b/c"),
    ])
    func addressesOfLinksAreReadAsBrowsersReadThem(written: String, address: String) {
        for html in ["<a href=\"\(written)\">", "<a href='\(written)'>", "<a href=\(written)>"] {
            var found: [String] = []
            _ = HTMLLinks.rewrite(html) {
                found.append($0)
                return nil
            }
            #expect(found == [address], "\(html)")
        }
    }

    /// What a browser makes of these is not known here, so that nothing else must be made of them.
    @Test(arguments: [
        "https://x/?a&sol;b", "https://x/?a&bogus;", "https://x/?a&copy", "https://x/?a&lt#b", "https://x/?a&#38b",
        "https://x/?a&#x26", "https://x/?a&#0;", "https://x/?a&REG/",
    ])
    func linksWithOtherReferencesStayAsTheyAre(written: String) {
        let html = "<a href=\"\(written)\">"
        #expect(HTMLLinks.rewrite(html) { _ in "https://y" } == html)
    }

    @Test func aQuoteInTheAddressCannotLeaveTheAttribute() {
        #expect(!HTMLPixel.insert(into: "", url: "\"><script>").contains("<script>"))
    }
}
