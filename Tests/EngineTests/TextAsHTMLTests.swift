import Engine
import EngineTestKit
import Testing

@Suite struct TextAsHTMLTests {
    @Test func markupIsWrittenAsText() {
        #expect(TextAsHTML.html("a < b & c > d\n\u{e9}") == "a &lt; b &amp; c &gt; d<br>\n\u{e9}")
        #expect(TextAsHTML.html("") == "")
    }

    /// What it says of a text without making its HTML is what a comparison says, also of one that is almost it.
    @Test func itKnowsItsOwn() {
        var generator = SeededGenerator(seed: 7)
        let pieces = ["<", ">", "&", "\n", "a", "&lt;", "<br>\n", "\u{e9}", "e\u{301}", "\u{1F600}", "\r\n"]
        func text() -> String {
            (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
                .joined()
        }
        for _ in 0..<5000 {
            let text = text()
            let html = TextAsHTML.html(text)
            #expect(TextAsHTML.isHTML(html, of: text))
            for other in [html + "a", String(html.dropLast()), text, html + "\n", self.changed(html, &generator)] {
                let isSame = Array(other.utf8) == Array(html.utf8)
                #expect(TextAsHTML.isHTML(other, of: text) == isSame)
            }
        }
    }

    private func changed(_ html: String, _ generator: inout SeededGenerator) -> String {
        var bytes = Array(html.utf8)
        guard let index = bytes.indices.randomElement(using: &generator) else { return "b" }
        bytes[index] ^= 1
        return String(decoding: bytes, as: UTF8.self)
    }
}
