/// The readable text of HTML, as a person would type it.
package enum PlainText {
    /// Paragraphs, line breaks, list items, table rows and the targets of links become plain text; scripts, styles and the
    /// head are left out. One pass from the first byte to the last: hostile HTML takes no longer than other HTML of its size.
    package static func from(html: String) -> String {
        var html = html
        return html.withUTF8 { bytes in
            var scanner = HTMLScanner(UnsafeRawBufferPointer(bytes))
            var writer = PlainTextWriter()
            while let token = scanner.next() {
                switch token {
                case .text(let range):
                    writer.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[range]))
                case .open(let tag): writer.open(tag)
                case .close(let name): writer.close(name)
                }
            }
            return writer.finish()
        }
    }
}
