import MailFormat
import Testing

/// Whatever goes in, only what is on the list comes out.
struct HTMLSanitizerTests {
    @Test(arguments: [
        ("<p>Hello <b>you</b></p>", "<p>Hello <b>you</b></p>"),
        ("<p>open <b>both", "<p>open <b>both</b></p>"),
        ("</div><p>a</p></p>", "<p>a</p>"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("&lt;script&gt; &amp;lt; &eacute;", "&lt;script&gt; &amp;lt; é"),
        (
            "<a href='https://example.org/?a=1&amp;b=2'>x</a>",
            "<a href=\"https://example.org/?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a>"
        ),
        (
            "<a href=\"mailto:a@b.example\">x</a>",
            "<a href=\"mailto:a@b.example\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a>"
        ),
        ("<img src=cid:1@x alt='A \"b\"' onerror=alert(1)>", "<img src=\"cid:1@x\" alt=\"A &quot;b&quot;\">"),
        ("<img src=https://t.example/p.gif width=1 height=1>", "<img width=\"1\" height=\"1\">"),
        ("<td colspan=2 bgcolor=#fff style='x'>y</td>", "<td colspan=\"2\" bgcolor=\"#fff\">y</td>"),
        ("<custom>text</custom>", "text"), ("<!-- <b> -->a<!doctype html>b", "ab"),
        ("<head><title>t</title><style>p{}</style></head>body", "body"),
    ])
    func whatIsAllowedStays(html: String, wanted: String) {
        #expect(HTMLSanitizer.sanitize(html) == wanted)
    }

    @Test func picturesFromElsewhereNeedALeave() {
        let html =
            "<img src=\"https://a.example/b.png\"><img src=\"data:image/png;base64,x\"><img src=\"//a.example/c\">"
        #expect(
            HTMLSanitizer.sanitize(html, allowsRemoteImages: true) == "<img src=\"https://a.example/b.png\"><img><img>")
    }

    static let attacks = [
        "<script>alert(1)</script>", "<SCRIPT SRC=//x.example/a.js></SCRIPT>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<img src=x onerror=alert(1)>", "<img src=\"javascript:alert(1)\">", "<IMG SRC=JaVaScRiPt:alert(1)>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\"jav&#x09;ascript:alert(1)\">x</a>", "<a href=\"jav&#x0A;ascript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript:alert(1)\">x</a>", "<a href=&#0000106avascript:alert(1)>x</a>",
        "<a href=\" &#14; javascript:alert(1)\">x</a>", "<a href=\"java\0script:alert(1)\">x</a>",
        "<a href=\"vbscript:x\">x</a>", "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
        "<a href=\"//evil.example\">x</a>", "<a href=\"/relative\">x</a>", "<a href=x onclick=alert(1)>x</a>",
        "<b onmouseover=alert(1)>x</b>", "<b/onclick=alert(1)>x</b>", "<b \"onclick=alert(1)>x</b>",
        "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<iframe src=https://x.example></iframe>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<object data=x></object>", "<embed src=x>", "<applet code=x>",
        "<form action=https://x.example><input name=a></form>",
        "<meta http-equiv=refresh content='0;url=https://x.example'>", "<base href=https://x.example>",
        "<link rel=stylesheet href=https://x.example/a.css>",
        "<style>@import 'https://x.example'</style>", "<div style=\"background:url(javascript:alert(1))\">x</div>",
        "<div style=\"behavior:url(x)\">x</div>", "<table background=\"https://x.example/a\"><tr><td>x",
        "<body onload=alert(1)>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\">",
        "<title><img src=x onerror=alert(1)></title>", "<xmp><img title=\"</xmp><img src=x onerror=alert(1)>\">",
        "<plaintext><script>alert(1)</script>", "<template><script>alert(1)</script></template>",
        "<!--<img title=\"--><img src=x onerror=alert(1)>\">-->", "<!--><img src=x onerror=alert(1)>-->",
        "<!--!><img src=x onerror=alert(1)>",
        "<![CDATA[<img src=x onerror=alert(1)>]]>", "<?xml <img src=x onerror=alert(1)>?>",
        "<p title='\"><script>alert(1)</script>'>x</p>", "<p title=\"`onmouseover=alert(1)\">x</p>",
        "<img alt=\"x` onerror=alert(1)\">", "<a title=\"a\" title=\"b\" onclick=x>",
        "<p lang=\"x\" lang='\"onclick=alert(1)'>", "<img src=\"cid:x\" srcset=\"https://x.example 1x\">",
        "<video src=x><source src=x onerror=alert(1)></video>", "<audio src=x onerror=alert(1)>",
        "<input type=image src=x onerror=alert(1)>", "<isindex type=image src=1 onerror=alert(1)>",
        "<details open ontoggle=alert(1)>", "<marquee onstart=alert(1)>", "<keygen autofocus onfocus=alert(1)>",
        "<a href=\"https://x.example\" target=_self ping=https://y.example>x</a>", "<<script>alert(1)//<</script>",
        "<script", "<img src=x onerror=alert(1)", "<a href=\"feed:javascript:alert(1)\">x</a>",
        "\u{FEFF}<scr\u{0}ipt>alert(1)</scr\u{0}ipt>", "<a href=\"https:&#10;//x\">x</a>",
        "<font color=\"red;x:expression(alert(1))\">x</font>", "<td width=\"1;x\" bgcolor=\"url(x)\">",
    ]

    @Test(arguments: attacks)
    func attacksComeOutAsNothingThatRuns(html: String) {
        let clean = HTMLSanitizer.sanitize(html, allowsRemoteImages: true)
        #expect(Self.problem(in: clean) == nil, "\(clean)")
        #expect(HTMLSanitizer.sanitize(clean, allowsRemoteImages: true) == clean, "clean HTML stays as it is")
    }

    /// Takes clean HTML apart by the strict form that we write: anything that does not fit is a problem.
    static func problem(in html: String) -> String? {
        var rest = Substring(html)
        while let open = rest.firstIndex(of: "<") {
            guard let close = rest[open...].firstIndex(of: ">") else { return "a tag does not end" }
            let tag = rest[rest.index(after: open)..<close]
            if let problem = problem(inTag: tag) { return problem }
            rest = rest[rest.index(after: close)...]
        }
        return nil
    }

    private static func problem(inTag tag: Substring) -> String? {
        let name = tag.drop { $0 == "/" }.prefix { $0.isLetter || $0.isNumber }
        let forbidden = [
            "script", "style", "iframe", "object", "embed", "form", "input", "svg", "math", "meta", "base", "link",
            "body",
        ]
        if name.isEmpty || forbidden.contains(String(name)) { return "element \(name)" }
        var rest = tag.drop { $0 == "/" }.dropFirst(name.count)
        while let blank = rest.first {
            guard blank == " ", let equals = rest.firstIndex(of: "=") else { return "attribute \(rest)" }
            let attribute = rest[rest.index(after: rest.startIndex)..<equals]
            let value = rest[rest.index(after: equals)...]
            guard value.first == "\"", let end = value.dropFirst().firstIndex(of: "\"") else { return "quotes \(rest)" }
            let text = value[value.index(after: value.startIndex)..<end]
            if attribute.hasPrefix("on") || attribute == "style" { return "attribute \(attribute)" }
            let isLink = attribute == "href" || attribute == "src"
            if isLink, !["http:", "https:", "mailto:", "cid:"].contains(where: { text.lowercased().hasPrefix($0) }) {
                return "link \(text)"
            }
            rest = value[value.index(after: end)...]
        }
        return nil
    }
}
