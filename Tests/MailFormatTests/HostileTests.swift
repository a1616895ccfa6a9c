import Foundation
import MailFormat
import MailModel
import Testing

/// What a stranger may send to stop us. Every case must end quickly and say what it left out.
struct HostileTests {
    private func read(_ headers: [HeaderField], _ body: String, limits: ReadingLimits = ReadingLimits()) -> ReadMessage
    {
        MessageReader.read(ReceivedMessage(headers: headers, body: Array(body.utf8)), limits: limits)
    }

    private let multipart = HeaderField("Content-Type", "multipart/mixed; boundary=b")

    @Test func thousandNestedPartsAreOpenedOnlyToTheLimit() {
        var body = ""
        for level in 0..<1000 {
            let boundary = level == 0 ? "b" : "b\(level)"
            body += "--\(boundary)\r\nContent-Type: multipart/mixed; boundary=b\(level + 1)\r\n\r\n"
        }
        let message = read([multipart], body)
        #expect(message.defects.contains(.nestedTooDeeply))
    }

    @Test func hundredThousandPartsAreCutAtTheLimit() {
        let body = String(repeating: "--b\r\n\r\nx\r\n", count: 100_000)
        let parts = MessageReader.parts(headers: [multipart], body: Array(body.utf8))
        #expect(parts.all.count == 1000)
        #expect(parts.defects == [.tooManyParts])
    }

    @Test func dashedLinesAreNoParts() {
        let body = "--b\r\n\r\n" + String(repeating: "--- not a boundary\r\n", count: 50_000) + "--b--\r\n"
        let message = read([multipart], body)
        #expect(message.defects.isEmpty)
        #expect(message.textBody?.hasPrefix("--- not") == true)
    }

    @Test(arguments: ["text/plain; charset=utf-8", "text/plain; charset=koi8-r", "text/plain; charset=iso-8859-1"])
    func nulBytesSurviveInText(type: String) {
        #expect(read([HeaderField("Content-Type", type)], "abc\0def").textBody == "abc\0def")
    }

    @Test func tenThousandHeadersAreCut() {
        var headers = (0..<10_000).map { HeaderField("X-\($0)", "y") }
        headers.append(HeaderField("Subject", "late"))
        let message = read(headers, "text")
        #expect(message.subject.isEmpty)
        #expect(message.defects == [.headersTruncated])
        #expect(message.textBody == "text")
    }

    @Test func tenThousandPartHeadersAreCut() {
        let fields = (0..<10_000).map { "X-\($0): y\r\n" }.joined()
        let parts = MessageReader.parts(headers: [multipart], body: Array("--b\r\n\(fields)\r\nx\r\n--b--".utf8))
        #expect(parts.all.last?.headers.count == 1000)
        #expect(parts.defects == [.headersTruncated])
    }

    @Test func truncatedMultipartGivesWhatIsThere() {
        let message = read([multipart], "--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>second")
        #expect(message.textBody == "first")
        #expect(message.text == "first\nsecond")
        #expect(message.defects == [.unterminatedMultipart])
    }

    @Test func unknownCharsetIsReadAsWellAsItCanBe() {
        let type = HeaderField("Content-Type", "text/plain; charset=x-klingon")
        #expect(read([type], "grün").textBody == "grün")
        let message = MessageReader.read(ReceivedMessage(headers: [type], body: [0x67, 0x72, 0xFC, 0x6E]))
        #expect(message.textBody == "grün")
        #expect(message.defects == [.unknownCharset, .invalidCharacters])
    }

    @Test(arguments: ["../../etc/passwd", "utf-8//TRANSLIT", "", "%s%n", String(repeating: "x", count: 10_000)])
    func strangeCharsetNamesReachNoConverter(name: String) {
        #expect(read([HeaderField("Content-Type", "text/plain; charset=\"\(name)\"")], "x").textBody == "x")
    }

    @Test func invalidSequencesBecomeReplacementCharacters() {
        let headers = [HeaderField("Content-Type", "text/plain; charset=euc-jp")]
        let message = MessageReader.read(ReceivedMessage(headers: headers, body: [0x41, 0xFF, 0xA4, 0xA2, 0x42, 0xA4]))
        #expect(message.textBody == "A\u{FFFD}あB\u{FFFD}")
        #expect(message.defects == [.invalidCharacters])
    }

    @Test func bareReturnsAreLineEndsInText() {
        #expect(read([], "one\rtwo\r\nthree\r\rfive").textBody == "one\ntwo\nthree\n\nfive")
    }

    @Test func lineEndsHiddenInEncodedWordsAreGone() {
        let subject = HeaderField("Subject", "=?utf-8?q?hello=0D=0ABcc:_victim=40example.org?=")
        let from = HeaderField("From", "=?utf-8?q?A=0AB?= <a@example.org>")
        let message = read([subject, from], "")
        #expect(message.subject == "hello  Bcc: victim@example.org")
        #expect(message.from?.name == "A B")
    }

    @Test func nulInHeaderIsRemovedAndNamed() {
        let message = read([HeaderField(name: "Subject", value: [0x20, 0x61, 0, 0x62])], "")
        #expect(message.subject == "ab")
        #expect(message.defects == [.nulInHeader])
    }

    /// Long runs of what opens something. The time limit is generous; quadratic readers need minutes for the largest.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            "(", "<", "\"", "a:", "=?utf-8?q?a?= ", "a@b.example,", "@", ",", ";", "\\", "[", "<a", "=?", "xn--",
        ])
    func longRunsInHeadersEnd(run: String) {
        let value = String(repeating: run, count: 60_000 / run.utf8.count)
        let names = ["Subject", "From", "To", "Cc", "Reply-To", "Date", "Message-ID", "References", "Content-Type"]
        let message = read(names.map { HeaderField($0, value) }, "body")
        #expect(message.to.count <= 1000)
    }

    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            "<", "<!--", "<a ", "<a href=\"", "&", "&amp", "<script>", "</", "<ul>", "<li>", "<a href=x>", "<!",
            "<p><b>", "&#",
            "<pre>\n", "<table><tr><td>",
        ])
    func longRunsInHTMLEnd(run: String) {
        let html = String(repeating: run, count: 1_000_000 / run.utf8.count)
        _ = PlainText.from(html: html)
        _ = HTMLPixel.insert(into: html, url: "https://example.org/p")
    }

    /// Whether a line opens a quotation depends on the next line. Asked anew for each, sixty such lines took for ever.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            "wrote:\n", "On wrote:\n", "On Monday, Ann wrote:\n", "> wrote:\n", "schrieb am\n", "schrieb am\nwrote:\n",
            "Ann schrieb am:\n", "Ann\nwrote:\n", "wrote:\n\n", "said:\r\n",
        ])
    func longRunsOfAttributionsEnd(run: String) {
        let text = String(repeating: run, count: 300_000 / run.utf8.count)
        #expect(QuotedReply.stripped(text).utf8.count <= text.utf8.count)
    }

    /// GMime 3.2 opens groups by recursion; 30 000 of them in one field ended the process.
    @Test func groupsInsideGroupsNeedNoStack() async {
        let field = HeaderField("From", String(repeating: "a:", count: 30_000) + "x@example.org")
        let message = await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: read([field], "body")) }
            thread.stackSize = 256 << 10
            thread.start()
        }
        #expect(message.defects.contains(.invalidAddress))
        #expect(message.textBody == "body")
    }

    /// A report of many recipients, each named in the text too.
    @Test(.timeLimit(.minutes(2))) func reportsOfHundredsEnd() {
        let addresses = (0..<300).map { "user\($0)@example.net" }
        let text =
            "Your message could not be delivered.\r\n\r\n"
            + addresses.map { "<\($0)>: 550 5.1.1 unknown recipient" }.joined(separator: "\r\n")
        let fields = addresses.map {
            "Final-Recipient: rfc822; \($0)\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 no\r\n\r\n"
        }.joined()
        let body = "--b\r\n\r\n\(text)\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\(fields)\r\n--b--\r\n"
        for body in [body, "--b\r\n\r\n\(text)\r\n--b--\r\n"] {
            let headers = [HeaderField("From", "MAILER-DAEMON@example.org"), multipart]
            let found = MailRecognizer.recognize(ReceivedMessage(headers: headers, body: Array(body.utf8)))
            guard case .deliveryReport(let report) = found.mailClass else {
                Issue.record("no report")
                continue
            }
            #expect(report.recipients.count == 300)
        }
    }

    @Test func textBeyondTheLimitIsCut() {
        var limits = ReadingLimits()
        limits.textBytes = 5
        let message = read([HeaderField("Content-Type", "text/plain; charset=utf-8")], "abcdé", limits: limits)
        #expect(message.textBody == "abcd")
        #expect(message.defects == [.textTruncated])
    }

    @Test func everyPrefixOfAMessageIsRead() throws {
        let draft = Drafts.alternative()
        let bytes = try MessageComposer.compose(draft)
        for length in 0...bytes.count { _ = MessageReader.read(Corpus.message(Array(bytes.prefix(length)))) }
    }

    @Test func everySingleByteChangeIsRead() throws {
        let bytes = try MessageComposer.compose(Drafts.alternative())
        for place in bytes.indices {
            for byte: UInt8 in [0, 0x0A, 0x0D, 0x22, 0x2D, 0x3D, 0xFF] {
                var changed = bytes
                changed[place] = byte
                _ = MessageReader.read(Corpus.message(changed))
            }
        }
    }
}
