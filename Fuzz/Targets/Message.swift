import FuzzKit
import JSONValue
import MailFormat
import MailModel
import WorkflowModel

@testable import Engine

/// A whole message as a stranger sends it: reading, the rules about it, its event, and a mail composed from what was
/// read, which must be legal on the wire and come back as it was meant.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzMessage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let (headers, body) = MessageReader.split(input.bytes())
    let message = ReceivedMessage(
        queueID: "Q1", clientAddress: "203.0.113.9", clientName: "mx.example.com", helo: "mx.example.com",
        reversePath: headers.first { $0.isNamed("Return-Path") }?.text ?? "ann@example.com",
        recipients: ["in@example.org"], headers: headers, body: body)
    let read = readAndJudge(message)
    compose(read, message)
    return 0
}

private func readAndJudge(_ message: ReceivedMessage) -> ReadMessage {
    let source = RspamdHeaders(trustedServices: ["mx.example.org"], virusSymbols: ["CLAM_VIRUS"])
    let verdicts = source.verdicts(of: message)
    let now = Timestamp(microseconds: 1_700_000_000_000_000)
    let limit = 16 * 1024
    let mail = IncomingMail(
        message, verdicts: verdicts, limits: ReadingLimits(), textLimit: 400, dataLimit: limit, receivedAt: now,
        now: now)
    let route = InboundRoutes.Route(match: .recipient("in@example.org"), project: "default", disposition: .continue)
    let judge = ReplyJudge(EngineConfiguration(), routes: InboundRoutes([route]))
    let refusal = judge.refusal(of: mail, to: "in@example.org", by: route, isOwnMail: false, now: now)
    let data = mail.eventData(
        for: Arrival(recipient: "in@example.org", route: route, key: []), refusal: refusal,
        replyAddress: judge.replyAddress(of: mail))
    expect(data["to"] == .string("in@example.org"), "an event names its recipient")
    expect(JSONWriter.bytes(.object(data)).count <= 4 * limit, "an event's data are bounded")
    _ = mail.contactAddress
    let read = mail.read
    expect(!hasControl(read.subject), "a subject is one line")
    for mailbox in read.to + read.cc + read.replyTo + [read.from].compactMap({ $0 }) {
        expect(!hasControl(mailbox.name ?? ""), "a name is one line")
        expect(!hasControl(mailbox.address.description), "an address is one line")
    }
    let parts = MessageReader.parts(headers: message.headers, body: message.body)
    for part in parts.all {
        expect(parts.body.indices.contains(part.range) || part.range.isEmpty, "a part lies inside the body")
        _ = parts.content(of: part)
    }
    _ = MessageFingerprint.input(for: message)
    return read
}

extension Range<Int> {
    fileprivate func contains(_ other: Range<Int>) -> Bool {
        lowerBound <= other.lowerBound && other.upperBound <= upperBound
    }
}

private func compose(_ read: ReadMessage, _ message: ReceivedMessage) {
    guard let from = read.from else { return }
    let draft = MailDraft(
        from: from, to: Array((read.to + read.replyTo).prefix(20)), replyTo: Array(read.replyTo.prefix(3)),
        subject: read.subject, date: read.date ?? 0, messageID: "m1@example.org", inReplyTo: read.messageID,
        references: read.references + [read.messageID].compactMap { $0 }, text: read.textBody, html: read.htmlBody,
        extraHeaders: message.headers.filter { $0.isNamed("X-Any") }, boundary: "b1")
    guard let (bytes, hasUTF8Header) = try? MessageComposer.composition(of: draft) else { return }
    expectLegal(bytes, hasUTF8Header: hasUTF8Header)
    let (headers, body) = MessageReader.split(bytes)
    let again = MessageReader.read(ReceivedMessage(headers: headers, body: body))
    expect(again.from?.address == draft.from.address, "the author comes back")
    expect(again.to.map(\.address) == draft.to.map(\.address), "the recipients come back")
    expect(again.messageID == draft.messageID, "the id comes back")
    expect(oneLine(again.subject) == oneLine(draft.subject), "the subject comes back")
    expect(oneLine(again.from?.name ?? "") == oneLine(draft.from.name ?? ""), "the author's name comes back")
    expect(headers.count(where: { $0.isNamed("From") }) == 1, "one From")
    expect(
        headers.count(where: { $0.isNamed("X-Any") }) == draft.extraHeaders.count, "no further field becomes several")
    expect(headers.count < 14 + draft.extraHeaders.count, "no field is smuggled in")
    expect(again.defects.isEmpty, "what we write has no defects: \(again.defects)")
}

/// As a header line holds it: blanks and invisible line ends do not repeat.
private func oneLine(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        let isBlank =
            scalar.value <= 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
            || scalar.value == 0x2029
        if !isBlank { scalars.append(scalar) } else if scalars.last != " ", !scalars.isEmpty { scalars.append(" ") }
    }
    if scalars.last == " " { scalars.removeLast() }
    return String(scalars)
}

/// 7-bit but for addresses in UTF-8 (RFC 6532), CRLF only, no line over 998 bytes (RFC 5322 section 2.1.1).
private func expectLegal(_ bytes: [UInt8], hasUTF8Header: Bool) {
    let (headers, body) = MessageReader.split(bytes)
    expect(body.allSatisfy { $0 < 0x80 }, "the body is 7-bit")
    for field in headers where !field.value.allSatisfy({ $0 < 0x80 }) {
        expect(hasUTF8Header, "a header in UTF-8 is known as one")
        expect(["From", "To", "Cc", "Reply-To"].contains { field.isNamed($0) }, "addresses alone are in UTF-8")
        expect(String(validating: field.value, as: UTF8.self) != nil, "UTF-8")
    }
    var column = 0
    var previous: UInt8 = 0
    for byte in bytes {
        expect(byte != 0, "no NUL")
        expect((byte == 0x0A) == (previous == 0x0D), "no bare CR or LF")
        column = byte == 0x0A ? 0 : column + 1
        expect(column <= 999, "no line is too long")
        previous = byte
    }
}
