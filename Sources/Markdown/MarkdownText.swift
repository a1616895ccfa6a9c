import CCmark

#if canImport(Glibc)
    import Glibc
#endif

/// CommonMark (commonmark.org, version 0.30) as HTML, by cmark.
///
/// What stands between `{{` and `}}` or `{%` and `%}` is not text but markup of another language: it comes out exactly as it
/// went in, and at the same place. A paragraph of nothing but `{% … %}` tags does not become a `<p>`, so that a loop may go
/// around paragraphs and list items.
package enum MarkdownText {
    /// One pass of cmark, whose time grows with the length of the text alone, whatever it says.
    package static func html(from markdown: String) -> String {
        let markup = LiquidMarkup(in: Array(markdown.utf8))
        let html = rendered(markup.withPlaceholders())
        return String(decoding: markup.putBack(into: html), as: UTF8.self)
    }

    /// Raw HTML passes: whoever writes the template may write HTML anyway.
    private static func rendered(_ markdown: [UInt8]) -> [UInt8] {
        let html = markdown.withUnsafeBytes { bytes in
            cmark_markdown_to_html(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, CMARK_OPT_UNSAFE)
        }
        guard let html else { return [] }
        defer { free(html) }
        return Array(UnsafeRawBufferPointer(start: html, count: strlen(html)))
    }
}
