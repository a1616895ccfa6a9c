import FuzzKit
import MailModel

@testable import MilterAdapter
@testable import SMTPAdapter

/// What a relay says, line by line; and how such a reply is handed on to Postfix.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzReply(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var reader = ReplyReader()
    while !input.rest.isEmpty {
        let line = input.bytes(to: 0x0A)
        switch reader.take(line) {
        case .needsMore: continue
        case .tooLong: return 0
        case .complete(let reply, let lines):
            expect((0...999).contains(reply.code), "a code has three digits")
            expect(!hasControl(reply.text.filter { $0 != "\u{2028}" && $0 != "\u{2029}" }), "a reply is one line")
            expect(!lines.isEmpty, "a reply has a line")
            _ = reply.queueID
            handOn(ReplyLine.temporary(reply), digit: "4")
            handOn(ReplyLine.permanent(reply), digit: "5")
        }
    }
    return 0
}

private func handOn(_ line: ReplyLine, digit: Character) {
    expect(line.code.first == digit && line.code.utf8.count == 3, "a code of its class")
    expect(line.enhancedCode?.first ?? digit == digit, "an enhanced code of its class")
    expect(!line.text.isEmpty && line.text.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "printable ASCII")
    expect(line.text.replacing("%%", with: "").utf8.contains(0x25) == false, "each percent sign twice")
    expect(line.text.utf8.count <= 800, "it fits into a reply")
}
