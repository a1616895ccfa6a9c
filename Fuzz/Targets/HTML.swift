import FuzzKit
import MailFormat
import MailModel

/// HTML to text, the pixel's place in it, and its links.
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
    fuzzLinks(html)
    return 0
}

/// Rewriting touches addresses alone: what it wrote is read back as it was meant, and once more changes nothing else.
private func fuzzLinks(_ html: String) {
    var found: [String] = []
    let same = HTMLLinks.rewrite(html) {
        found.append($0)
        return nil
    }
    expect(same == html, "what is not replaced stays")
    let address = "https://example.org/c/\"<&>'"
    let rewritten = HTMLLinks.rewrite(html) { _ in address }
    var again: [String] = []
    let twice = HTMLLinks.rewrite(rewritten) {
        again.append($0)
        return address
    }
    expect(again == Array(repeating: address, count: found.count), "as many links, each with the new address")
    expect(twice == rewritten, "rewriting the same way changes nothing")
    for url in found {
        guard let destination = LinkDestination.accepted(url, limit: 2000) else { continue }
        expect(destination.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "it fits into a header field")
        expect(LinkDestination.accepted(destination, limit: 2000) == destination, "it is accepted as it is written")
    }
}
