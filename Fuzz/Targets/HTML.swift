import FuzzKit
import MailFormat

/// HTML to text, and the pixel's place in it.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzHTML(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let html = input.text()
    _ = PlainText.from(html: html)
    let url = "https://example.org/o/x?a=1&b=\""
    let marked = HTMLPixel.insert(into: html, url: url)
    expect(marked.utf8.count > html.utf8.count, "the pixel is there")
    // Bytes: after some letters of the HTML the first bracket is another character.
    let image = Array("<img src=\"https://example.org/o/x?a=1&amp;b=&quot;\"".utf8)
    expect(Array(marked.utf8).contains(image), "its address stays between its quotes")
    return 0
}
