import FuzzKit
import Markdown

/// Markdown to HTML, with outputs and tags in it that come out as they went in.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzMarkdown(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let markdown = input.text()
    _ = MarkdownText.html(from: markdown)
    // In a paragraph of its own behind whatever else there is, and with an end to every fence and comment before it.
    let piece = "{{ a | b: \"<x>&_*\" }}"
    guard !markdown.contains("{"), !markdown.contains("<"), !markdown.contains("`"), !markdown.contains("~") else {
        return 0
    }
    expect(MarkdownText.html(from: markdown + "\n\n" + piece).contains(piece), "an output is left alone")
    return 0
}
