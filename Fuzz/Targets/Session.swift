import FuzzKit
import MailModel

@testable import MilterAdapter

/// A milter session: each line is one command of the MTA, in any order. The limits hold, and a message comes out only when somebody
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
    private var isDraining = false
    private var mayBeRefused = false
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
        case UInt8(ascii: "r"), UInt8(ascii: "R"): recipient(text, isAnswered: callback == UInt8(ascii: "r"))
        case UInt8(ascii: "d"): data()
        case UInt8(ascii: "f"): bytes.withUnsafeBytes { session.header(name: String(text.prefix(5)), value: $0) }
        case UInt8(ascii: "o"): bytes.withUnsafeBytes { session.header(name: OwnSubmission.markerField, value: $0) }
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
        mayBeRefused = false
        self.isDraining = isDraining
        isFromSMTP = text.utf8.first == UInt8(ascii: "<")
        expect(session.phase == .envelope, "the envelope is open")
    }

    private mutating func recipient(_ text: String, isAnswered: Bool) {
        let isOpen = session.phase == .envelope
        var isWanted = false
        let answer = session.recipient(text, isAnswered: isAnswered) { address in
            isWanted = address.utf8.contains(UInt8(ascii: "w"))
            return isWanted
        }
        expect(isAnswered || answer == .continue, "who is not asked does not answer")
        guard isOpen, isWanted else { return }
        if !isAnswered { mayBeRefused = true }
        if answer == .continue, !isDraining { wasWanted = true }
    }

    private mutating func data() { check(session.data(), "DATA") }

    private mutating func body(_ bytes: [UInt8]) {
        let isOwn = session.phase == .own
        let answer = bytes.withUnsafeBytes { session.body($0) }
        expect(!isOwn || (answer == .skip && !wasWanted), "of our own mail no body is wanted")
        if answer != .skip { check(answer, "a body") }
    }

    /// What is let go was not wanted, and what is refused had a recipient that could not be refused alone.
    private mutating func check(_ answer: MilterSession.Answer, _ command: String) {
        switch answer {
        case .accept: expect(!wasWanted, "only unwanted mail is let go")
        case .tempfail:
            expect(mayBeRefused, "\(command) is refused for a recipient alone")
            wasWanted = false
        case .continue: break
        case .skip: expect(false, "\(command) is skipped")
        }
    }

    private mutating func endOfMessage(_ text: String) {
        switch session.endOfMessage(queueID: text) {
        case .answer(let answer): check(answer, "an end")
        case .submission(let submission):
            expect(!wasWanted && isFromSMTP, "nobody here wanted it, and a client sent it")
            expect(submission.marker.utf8.count <= 600, "the mark's limit holds")
        case .message(let message):
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
