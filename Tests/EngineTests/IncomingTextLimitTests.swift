import JSONValue
import MailFormat
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// What of a stranger's text goes into an event or a report, where one character has a hundred thousand marks.
@Suite(.timeLimit(.minutes(2))) struct IncomingTextLimitTests {
    private func data(from: String = "Ann <ann@example.net>", text: String = "Hi") -> JSONObject {
        let message = ReceivedMessage(
            reversePath: "ann@example.net", recipients: ["in@example.org"],
            headers: [HeaderField("From", " \(from)"), HeaderField("Content-Type", "text/plain; charset=utf-8")],
            body: Array(text.utf8))
        return message.eventData()
    }

    @Test func aLetterWithAMillionBytesOfMarksIsCutAmongThem() {
        let data = data(text: "a" + String(repeating: "\u{301}", count: 500_000))
        let text = data["text"]?.stringValue ?? ""
        #expect((16_382...16_384).contains(text.utf8.count))
        #expect(data["isTextTruncated"] == true)
    }

    @Test(arguments: [("aé", 2, "a"), ("aé", 3, "aé"), ("a\u{1F600}", 4, "a"), ("\u{1F600}", 3, ""), ("abc", 0, "")])
    func noCodePointIsCut(text: String, bytes: Int, wanted: String) {
        #expect(IncomingMail.truncated(text, bytes: bytes) == wanted)
    }

    @Test func aReportKeepsThreeHundredBytesOfEachText() async throws {
        let stage = try await ReturnStage()
        var mail = IncomingText.report(
            to: ReturnStage.inbox, recipients: [IncomingText.failed()],
            header: ["X-Postrider-Delivery: \(stage.marker)", "Message-ID: \(stage.messageID)"])
        mail.headers.removeAll { $0.isNamed("Subject") }
        mail.headers.append(HeaderField("Subject", "a" + String(repeating: "\u{301}", count: 20_000)))
        await stage.receive(mail)
        let report = try #require(try await stage.reports().first)
        let subject = report.details["subject"]?.stringValue ?? ""
        #expect(!subject.isEmpty && subject.utf8.count <= 300)
    }

    // MARK: From

    @Test(arguments: [
        ("=?utf-8?q?J=C3=BCrgen?= <juergen@example.net>", "Jürgen <juergen@example.net>"),
        ("=?utf-8?b?SsO8cmdlbg==?=\r\n <juergen@example.net>", "Jürgen <juergen@example.net>"),
        ("Ann\r\n\tExample <ann@example.net>", "Ann Example <ann@example.net>"),
        ("\"Example, Ann\" <ann@example.net>", "\"Example, Ann\" <ann@example.net>"),
    ])
    func theFromFieldIsDecoded(field: String, wanted: String) {
        #expect(data(from: field)["fromHeader"] == .string(wanted))
    }

    @Test func noLineEndComesOutOfTheFromField() {
        let data = data(from: "=?utf-8?q?A=0D=0ABcc:_b=40example.org?= <ann@example.net>")
        let text = data["fromHeader"]?.stringValue ?? "\n"
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}
