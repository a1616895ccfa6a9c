import FuzzKit
import MailFormat

/// A mailbox file in pieces: the same messages whatever the pieces are, none of them beyond the limit.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzMailbox(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let way = input.byte() ?? 0
    let bytes = input.bytes()
    let quoting: MailboxSplitter.Quoting = [.mboxrd, .mboxo, .message][Int(way % 3)]
    let limit = 200
    let whole = split(bytes, quoting, limit: limit, piece: bytes.count + 1)
    expect(whole == split(bytes, quoting, limit: limit, piece: Int(way / 3) + 1), "pieces change nothing")
    expect(whole.allSatisfy { $0.bytes.count <= limit }, "a message stays within the limit")
    expect(zip(whole, whole.dropFirst()).allSatisfy { $0.offset < $1.offset }, "messages come in their order")
    expect(quoting != .message || whole.count <= 1, "a file of one message has one")
    return 0
}

private func split(
    _ bytes: [UInt8], _ quoting: MailboxSplitter.Quoting, limit: Int, piece: Int
) -> [MailboxSplitter.Message] {
    var splitter = MailboxSplitter(quoting: quoting, limit: limit)
    var messages: [MailboxSplitter.Message] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + piece)
        bytes[start..<end].withUnsafeBytes { chunk in splitter.feed(chunk) { messages.append($0) } }
        start = end
    }
    if let last = splitter.finish() { messages.append(last) }
    return messages
}
