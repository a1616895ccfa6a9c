import FuzzKit
import MailModel

@testable import MilterAdapter

/// A milter session: each line is one callback, in any order. The limits hold, and a message comes out only when somebody
/// wanted it.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzSession(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var limits = MilterConfiguration(unixSocketPath: "unused")
    limits.bodyLimit = 40
    limits.headerCountLimit = 4
    limits.headerBytesLimit = 60
    limits.recipientLimit = 3
    var run = SessionRun(session: MilterSession(limits: limits), limits: limits)
    while let callback = input.byte() { run.call(callback, input.bytes(to: 0x0A)) }
    return 0
}

private struct SessionRun {
    var session: MilterSession
    let limits: MilterConfiguration
    private var wasWanted = false
    private var isFromSMTP = false

    init(session: MilterSession, limits: MilterConfiguration) {
        self.session = session
        self.limits = limits
    }

    mutating func call(_ callback: UInt8, _ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        switch callback {
        case UInt8(ascii: "c"): connect(text)
        case UInt8(ascii: "h"): session.greet(text)
        case UInt8(ascii: "m"), UInt8(ascii: "M"): mail(text, isDraining: callback == UInt8(ascii: "M"))
        case UInt8(ascii: "r"): recipient(text)
        case UInt8(ascii: "d"): data()
        case UInt8(ascii: "f"): bytes.withUnsafeBytes { session.header(name: String(text.prefix(5)), value: $0) }
        case UInt8(ascii: "b"): body(bytes)
        case UInt8(ascii: "e"): endOfMessage(text)
        case UInt8(ascii: "a"):
            session.abort()
            wasWanted = false
            expect(session.phase == .idle, "an abort ends everything")
        default: break
        }
    }

    private mutating func connect(_ text: String) {
        session.connect(clientName: text, clientAddress: text)
        wasWanted = false
    }

    private mutating func mail(_ text: String, isDraining: Bool) {
        session.mail(text, authenticatedUser: nil, isDraining: isDraining)
        wasWanted = false
        isFromSMTP = text.utf8.first == UInt8(ascii: "<")
        expect(session.phase == .envelope, "the envelope is open")
    }

    private mutating func recipient(_ text: String) {
        let isOpen = session.phase == .envelope
        var isWanted = false
        let answer = session.recipient(text) { address in
            isWanted = address.utf8.contains(UInt8(ascii: "w"))
            return isWanted
        }
        if isOpen, isWanted, answer == .continue { wasWanted = true }
    }

    private mutating func data() {
        let answer = session.data()
        expect(answer == .continue || answer == .accept, "DATA is never refused")
        if answer == .accept { expect(!wasWanted, "only unwanted mail is let go") }
    }

    private mutating func body(_ bytes: [UInt8]) {
        let answer = bytes.withUnsafeBytes { session.body($0) }
        expect(answer == .continue || answer == .skip, "a body is never refused")
    }

    private mutating func endOfMessage(_ text: String) {
        if let message = session.endOfMessage(queueID: text) {
            expect(wasWanted, "somebody wanted it")
            expect(message.body.count <= limits.bodyLimit, "the body's limit holds")
            expect(message.headers.count <= limits.headerCountLimit, "the header's limit holds")
            let size = message.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
            expect(size <= limits.headerBytesLimit, "the header's size holds")
            expect(!isFromSMTP || message.recipients.count <= limits.recipientLimit, "the recipients' limit holds")
            expect(message.recipients.contains { $0.utf8.contains(UInt8(ascii: "w")) }, "a wanted one is among them")
        }
        wasWanted = false
        expect(session.phase == .idle, "ready for the next")
    }
}
