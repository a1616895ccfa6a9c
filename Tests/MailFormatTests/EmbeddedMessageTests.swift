import MailModel
import Testing

@testable import MailFormat

/// Messages that are attached to messages.
struct EmbeddedMessageTests {
    private func read(_ body: String, limits: ReadingLimits = ReadingLimits()) -> ReadMessage {
        let type = HeaderField("Content-Type", "multipart/mixed; boundary=outer")
        return MessageReader.read(ReceivedMessage(headers: [type], body: Array(body.utf8)), limits: limits)
    }

    /// A part of the outer message.
    private func part(_ header: String, _ content: String) -> String {
        "--outer\r\n\(header)\r\n\r\n\(content)\r\n"
    }

    private static let inner = """
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
        From: Ben <ben@example.net>
        Date: Wed, 17 May 2000 19:18:39 -0400
        Message-ID: <inner@example.net>
        Content-Type: multipart/mixed; boundary=i

        --i

        inner text
        --i
        Content-Type: image/png; name=x.png
        Content-Transfer-Encoding: base64

        AAECAw==
        --i
        Content-Type: message/global

        Subject: innermost
        Content-Type: application/pdf; name=y.pdf

        PDF
        --i--
        """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")

    @Test func itsFieldsAndFilesAreReadAndItsTextIsNot() throws {
        let (text, type) = ("Content-Type: text/plain", "Content-Type: message/rfc822")
        let message = read(part(text, "outer text") + part(type, Self.inner) + part(text, "more") + "--outer--\r\n")
        #expect(message.text == "outer text\nmore" && message.subject.isEmpty && message.defects.isEmpty)
        #expect(message.attachments.count == 1)
        let attachment = try #require(message.attachments.first)
        #expect(attachment.filename == nil && attachment.size == Self.inner.utf8.count)
        #expect(attachment.shownName == "Grüße.eml")
        let embedded = try #require(attachment.embedded)
        #expect(embedded.subject == "Grüße" && embedded.from?.address.description == "ben@example.net")
        #expect(embedded.date == 958_605_519_000_000 && embedded.messageID == "inner@example.net")
        #expect(embedded.files.map(\.contentType) == ["image/png", "message/global"])
        #expect(embedded.files.map(\.shownName) == ["x.png", "innermost.eml"] && embedded.files.first?.size == 4)
        let innermost = try #require(embedded.files.last?.message)
        #expect(innermost.subject == "innermost" && innermost.from == nil && innermost.messageID == nil)
        #expect(innermost.files.map(\.filename) == ["y.pdf"] && innermost.files.map(\.size) == [3])
        #expect(innermost.files.map(\.contentType) == ["application/pdf"] && innermost.files.first?.message == nil)
    }

    @Test func anEncodedMessageIsDecodedFirst() throws {
        let header = "Content-Type: message/rfc822; name=\"a.eml\"\r\nContent-Transfer-Encoding: base64"
        // "Subject: Hi\r\n\r\nHello"
        let message = read(part(header, "U3ViamVjdDogSGkNCg0KSGVsbG8=") + "--outer--\r\n")
        let attachment = try #require(message.attachments.first)
        #expect(attachment.embedded?.subject == "Hi" && attachment.embedded?.files == [])
        #expect(attachment.shownName == "a.eml" && attachment.size == 20)
    }

    @Test(arguments: ["", "\r\n\r\n", "no header at all", "=\u{0}"])
    func whatHasNoHeaderIsAFile(content: String) {
        let message = read(part("Content-Type: message/rfc822", content) + "--outer--\r\n")
        #expect(message.attachments.map(\.contentType) == ["message/rfc822"])
        #expect(message.attachments.first?.embedded == nil && message.attachments.first?.shownName == nil)
    }

    @Test func aSubjectThatIsAPathIsANameAllTheSame() {
        var message = EmbeddedMessage()
        #expect(message.fileName == nil)
        message.subject = "../a\\b"
        #expect(message.fileName == "..-a-b.eml")
        message.subject = String(repeating: "\u{1F600}", count: 500)
        #expect(message.fileName?.utf8.count == 244)
    }

    @Test func partsInsideCountWithThoseOutside() {
        let one = part("Content-Type: message/rfc822", Self.inner)
        var limits = ReadingLimits()
        // The multipart, the attached message, its multipart and three parts, the message in it.
        limits.parts = 7
        #expect(read(one + "--outer--\r\n", limits: limits).defects.isEmpty)
        limits.parts = 6
        let cut = read(one + "--outer--\r\n", limits: limits)
        #expect(cut.defects == [.tooManyParts])
        #expect(cut.attachments.first?.embedded?.files.last?.message == nil)
        limits.parts = 4
        #expect(read(one + "--outer--\r\n", limits: limits).attachments.first?.embedded?.files.count == 0)
    }

    @Test func levelsInsideCountWithThoseOutside() {
        let one = part("Content-Type: message/rfc822", Self.inner) + "--outer--\r\n"
        var limits = ReadingLimits()
        // A multipart, a message, a multipart, a message.
        limits.nesting = 4
        #expect(read(one, limits: limits).defects.isEmpty)
        limits.nesting = 3
        let cut = read(one, limits: limits)
        #expect(cut.defects == [.nestedTooDeeply] && cut.attachments.first?.embedded?.files.count == 2)
        #expect(cut.attachments.first?.embedded?.files.last?.message == nil)
    }

    /// A mail of nothing but messages, each with as long a header as may be.
    @Test(.timeLimit(.minutes(1))) func manyWithLongHeadersAreReadInPart() {
        let from = "From: first@example.com" + String(repeating: ",\r\n other@example.com", count: 3000)
        let one = part("Content-Type: message/rfc822", from + "\r\nSubject: x\r\n y\r\n\r\nHello")
        let message = read(String(repeating: one, count: 60) + "--outer--\r\n")
        #expect(message.attachments.count == 60 && message.defects.isEmpty)
        let opened = message.attachments.compactMap(\.embedded)
        #expect(opened.count == 50)
        #expect(opened.allSatisfy { $0.from?.address.description == "first@example.com" && $0.subject == "x y" })
    }

    /// What goes on with a field beyond the limit goes on with none of those before it.
    @Test func fieldsBeyondTheLimitAreLeftOutWhole() {
        var limits = ReadingLimits()
        limits.headerFields = 1
        let split = HeaderSplitter.split(Array("Subject: a\r\n b\r\nX: c\r\n d\r\n\r\ne".utf8), limits: limits)
        #expect(split.headers.map(\.text) == ["a b"] && split.body == Array("e".utf8))
    }

    /// Every message inside another is gone through again: without an end that would take for ever.
    @Test(.timeLimit(.minutes(1))) func thousandsInsideEachOtherEnd() {
        let line = "Content-Type: message/rfc822\r\n\r\n"
        let body = String(repeating: line, count: 200_000)
        let header = HeaderField("Content-Type", "message/rfc822")
        let message = MessageReader.read(ReceivedMessage(headers: [header], body: Array(body.utf8)))
        #expect(message.defects == [.nestedTooDeeply] && message.attachments.count == 1)
        var depth = 0
        var next = message.attachments.first?.embedded
        while let current = next {
            depth += 1
            next = current.files.first?.message
        }
        #expect((2...8).contains(depth))
    }
}
