import MailFormat
import MailModel
import Testing

struct ReaderTests {
    private func read(_ headers: [(String, String)], _ body: String = "") -> ReadMessage {
        let fields = headers.map { HeaderField($0.0, $0.1) }
        return MessageReader.read(ReceivedMessage(headers: fields, body: Array(body.utf8)))
    }

    @Test func headerIsUnderstood() {
        let message = read([
            ("Subject", " =?utf-8?B?R3LDvMOfZQ==?=\n =?iso-8859-1?Q?_K=F6ln?="),
            ("From", "\"Doe, John\" <John.Doe@Example.org> (comment)"),
            ("To", "a@example.org, Team: b@example.org, =?utf-8?q?J=C3=BCrgen?= <c@example.org>;, d@example.org"),
            ("Date", "Wed, 17 May 2000 19:18:39 -0400"),
            ("Message-ID", " <abc.def@example.org>"), ("In-Reply-To", "<x@y.example>"),
            ("References", "<1@y.example>\n\t<2@y.example> junk <x@y.example>"),
        ])
        #expect(message.subject == "Grüße Köln")
        #expect(message.from == Mailbox(name: "Doe, John", address: Drafts.address("john.doe@example.org")))
        #expect(message.from?.address.description == "John.Doe@Example.org")
        #expect(
            Set(message.to.map(\.address.normalized)) == [
                "a@example.org", "b@example.org", "c@example.org", "d@example.org",
            ])
        #expect(message.to.contains { $0.name == "Jürgen" })
        #expect(message.date == 958_605_519_000_000)
        #expect(message.messageID == "abc.def@example.org")
        #expect(message.references == ["1@y.example", "2@y.example", "x@y.example"])
        #expect(!message.hasContent)
        #expect(message.defects.isEmpty)
    }

    /// GMime 3.2 decodes neighbouring base64 words as one stream and stops at the first one's padding.
    @Test(arguments: [
        ("=?utf-8?B?YQ==?= =?utf-8?B?Yg==?= =?UTF-8?b?Yw==?=", "abc"),
        ("=?utf-8?B?YQ==?= =?iso-8859-1?B?5A==?= x", "aä x"),
        ("=?utf-8?B?w?= =?utf-8?B?w6Q=?=", "ä"), ("=?utf-8?B?wyM", "=?utf-8?B?wyM"),
        ("=?utf-8?B?5rw=?= =?utf-8?B?og==?=", "漢"),
        ("=?utf-8?Q?a_b?= =?utf-8?Q?=C3=A4?=", "a bä"), ("=?x?= =?", "=?x?= =?"),
    ])
    func encodedWordsAreDecoded(value: String, text: String) {
        #expect(read([("Subject", value)]).subject == text)
    }

    /// The usual forms, which are read without GMime, and their neighbours, which are not.
    @Test(
        arguments: [
            ("a@b.example", nil), ("<a@b.example>", nil), ("Ann Lee <a@b.example>", "Ann Lee"),
            (" Ann\n Lee <a@b.example> ", "Ann Lee"),
            ("Ann  Lee  <a@b.example>", "Ann  Lee"), ("Ann<a@b.example>", "Ann"),
            ("\"Ann Lee\" <a@b.example>", "Ann Lee"),
            ("Dr. Ann Lee <a@b.example>", "Dr. Ann Lee"), ("=?utf-8?q?J=C3=BCrgen?= <a@b.example>", "Jürgen"),
            ("Ann (here) <a@b.example>", "Ann"), ("a-b_c <a@b.example>", "a-b_c"),
        ] as [(String, String?)])
    func mailboxIsReadInEveryForm(value: String, name: String?) {
        let message = read([("From", value)])
        #expect(message.from?.address.description == "a@b.example")
        #expect(message.from?.name == name)
        #expect(message.defects.isEmpty)
    }

    @Test(arguments: [
        ("a\r\nb\r\n", "a\nb\n"), ("a\rb\r\rc", "a\nb\n\nc"), ("\r\n\r\n", "\n\n"), ("a\n\rb\r", "a\n\nb\n"),
        ("a\nb", "a\nb"),
        ("ä\r\nö\r", "ä\nö\n"),
    ])
    func lineEndsBecomeOneFeed(body: String, text: String) {
        #expect(read([("Content-Type", "text/plain; charset=utf-8")], body).text == text)
    }

    @Test func rawBytesInHeadersAreGuessed() {
        let latin = HeaderField(name: "Subject", value: [0x4B, 0xF6, 0x6C, 0x6E])
        #expect(MessageReader.read(ReceivedMessage(headers: [latin])).subject == "Köln")
        #expect(read([("Subject", "Köln")]).subject == "Köln")
    }

    /// One person is one address, whatever stands around it.
    @Test(arguments: [
        "bob@xn--bcher-kva.example", "Bob <bob@xn--bcher-kva.example>", "\"B, Bob\" <bob@xn--bcher-kva.example>",
        "=?utf-8?q?B=C3=B6b?= <bob@xn--bcher-kva.example>", "bob@bücher.example", "\"Bob\" <bob@bücher.example>",
    ])
    func domainInAnotherScriptIsReadInOneForm(field: String) {
        #expect(read([("From", field)]).from?.address.description == "bob@xn--bcher-kva.example")
    }

    @Test func firstFieldOfANameCounts() {
        #expect(
            read([("From", "a@example.org"), ("from", "b@example.org")]).from?.address.description == "a@example.org")
    }

    @Test(arguments: ["not a date", "", "Mon, 99 Foo 2000 99:99:99", "99999999999999999999"])
    func brokenDatesAreDefects(date: String) {
        let message = read([("Date", date)])
        #expect(message.date == nil)
        #expect(message.defects == [.invalidDate])
    }

    @Test func mailboxesThatAreNoneAreLeftOut() {
        let message = read([("From", "root"), ("To", "undisclosed-recipients:;")])
        #expect(message.from == nil)
        #expect(message.to.isEmpty)
        #expect(message.defects == [.invalidAddress])
    }

    @Test(arguments: [
        ("quoted-printable", "na=C3=AFve=\r\n text", "naïve text"), ("base64", "bmHDr3Zl\r\nIHRleHQ=", "naïve text"),
        ("8bit", "naïve text", "naïve text"), ("BASE64 ", "bmHDr3ZlIHRleHQ", "naïve text"),
        ("base64", "bmHDr3Zl== junk\r\nIHRl\r\neHQ=", "naïve text"),
        ("x-uuencode", "begin 644 x\r\n#0V%T\r\n`\r\nend\r\n", "Cat"), ("strange", "as is", "as is"),
    ])
    func transferEncodingsAreUndone(encoding: String, body: String, text: String) {
        let headers = [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Transfer-Encoding", encoding)]
        let message = read(headers, body)
        #expect(message.textBody == text)
        #expect(message.defects == (encoding == "strange" ? [.unknownEncoding] : []))
    }

    @Test func alternativeWithAttachmentIsTakenApart() {
        let body = """
            preamble
            --m
            Content-Type: multipart/alternative; boundary="a b"

            --a b
            Content-Type: text/plain

            plain
            --a b\u{20}
            Content-Type: text/html

            <p>rich
            --a b--
            --m
            Content-Type: image/png; name=x.png
            Content-Disposition: attachment; filename*=utf-8''%C3%BC.png
            Content-Transfer-Encoding: base64
            Content-ID: <img1@x>

            AAECAw==
            --m
            Content-Type: message/rfc822

            Subject: inner

            inner text
            --m--
            epilogue
            """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        let message = read([("Content-Type", "multipart/mixed; boundary=m")], body)
        #expect(message.textBody == "plain")
        #expect(message.htmlBody == "<p>rich")
        #expect(message.text == "plain")
        #expect(message.defects.isEmpty)
        #expect(message.attachments.map(\.contentType) == ["image/png", "message/rfc822"])
        #expect(message.attachments.first?.filename == "ü.png")
        #expect(message.attachments.first?.size == 4)
        #expect(message.attachments.first?.contentID == "img1@x")
    }

    @Test func htmlAloneIsReadAsText() {
        let message = read([("Content-Type", "text/html; charset=utf-8")], "<p>Hello <b>you</b></p>")
        #expect(message.textBody == nil)
        #expect(message.htmlBody == "<p>Hello <b>you</b></p>")
        #expect(message.text == "Hello you")
        #expect(message.hasContent)
    }

    @Test func multipartWithoutBoundaryIsReadAsText() {
        let message = read([("Content-Type", "multipart/mixed")], "still here")
        #expect(message.text == "still here")
        #expect(message.defects == [.missingBoundary])
    }

    @Test func reportPartsAreFound() {
        let body =
            "--r\r\n\r\nsorry\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n--r--\r\n"
        let type = HeaderField("Content-Type", "multipart/report; report-type=Delivery-Status; boundary=r")
        let parts = MessageReader.parts(headers: [type], body: Array(body.utf8))
        #expect(parts.all.first?.contentType.reportType == "delivery-status")
        let status = parts.first("message/delivery-status").map(parts.content)
        #expect(status.map { String(decoding: $0, as: UTF8.self) } == "Action: failed\r\n")
    }

    @Test func readingIsSafeFromManyTasks() async {
        let headers = [
            HeaderField("Subject", "=?koi8-r?B?8NLJ18XU?="), HeaderField("Content-Type", "text/plain; charset=koi8-r"),
        ]
        let message = ReceivedMessage(headers: headers, body: [0xF0, 0xD2, 0xC9, 0xD7, 0xC5, 0xD4])
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<500).count { _ in
                        let read = MessageReader.read(message)
                        return read.subject != "Привет" || read.textBody != "Привет"
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }
}
