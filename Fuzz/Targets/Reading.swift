import FuzzKit
import MailFormat
import MailModel

/// The MIME reader: every part inside the body, every content decodable, and the same twice.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzReading(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let (headers, body) = MessageReader.split(input.bytes())
    let limits = ReadingLimits(parts: 100, nesting: 8)
    let (read, parts) = MessageReader.readWithParts(ReceivedMessage(headers: headers, body: body), limits: limits)
    expect(parts.all.count <= 100, "parts are bounded")
    for (index, part) in parts.all.enumerated() {
        expect(part.range.lowerBound >= 0 && part.range.upperBound <= parts.body.count, "a part lies inside the body")
        expect(part.depth <= 8, "nesting is bounded")
        expect(part.children.allSatisfy { $0 > index && $0 < parts.all.count }, "parents come before children")
        _ = parts.content(of: part)
    }
    for attachment in read.attachments {
        expect(!hasControl(attachment.filename ?? ""), "a file name is one line")
        expect(attachment.size >= 0, "a size is a size")
    }
    expect(read.strippedText.utf8.count <= read.text.utf8.count, "stripping adds nothing")
    return 0
}
