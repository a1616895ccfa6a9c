import FuzzKit
import MailFormat

/// HTML made safe: what comes out is of the strict form that we write, and is its own clean form.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzSanitizer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let html = input.text()
    let clean = HTMLSanitizer.sanitize(html, allowsRemoteImages: true)
    check(Array(clean.utf8))
    expect(HTMLSanitizer.sanitize(clean, allowsRemoteImages: true) == clean, "clean HTML stays as it is")
    return 0
}

private let forbidden: Set<String> = [
    "script", "style", "iframe", "object", "embed", "form", "input", "svg", "math", "meta", "base", "link", "body",
]

/// `<name attribute="value" …>` and `</name>`, nothing else.
private func check(_ bytes: [UInt8]) {
    var index = 0
    while let open = bytes[index...].firstIndex(of: UInt8(ascii: "<")) {
        guard let close = bytes[open...].firstIndex(of: UInt8(ascii: ">")) else { return expect(false, "a tag ends") }
        let tag = bytes[(open + 1)..<close]
        expect(!tag.contains(UInt8(ascii: "<")), "no tag inside a tag")
        let name = tag.drop { $0 == UInt8(ascii: "/") }.prefix { $0 > 0x20 }
        let text = String(decoding: name, as: UTF8.self)
        expect(!name.isEmpty && !forbidden.contains(text), "element \(text)")
        expect(tag.count { $0 == UInt8(ascii: "\"") } % 2 == 0, "quotes are paired")
        let quoted = tag.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false)
        for place in stride(from: 0, to: quoted.count - 1, by: 2) {
            let attribute = String(decoding: quoted[place], as: UTF8.self)
            expect(quoted[place].last == UInt8(ascii: "="), "a value has a name")
            expect(!attribute.contains(" on") && !attribute.contains("style"), "no handlers, no styles")
            let value = String(decoding: quoted[place + 1], as: UTF8.self).lowercased()
            if attribute.hasSuffix("href=") || attribute.hasSuffix("src=") {
                // Bytes: before a combining mark the colon is another character.
                let isAllowed = ["http:", "https:", "mailto:", "cid:"].contains { value.utf8.starts(with: $0.utf8) }
                expect(isAllowed, "link \(value)")
            }
        }
        index = close + 1
    }
}
