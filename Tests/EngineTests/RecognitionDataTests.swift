import JSONValue
import MailFormat
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// What an event tells about the kind of mail that came.
@Suite struct RecognitionDataTests {
    private func data(_ headers: [(String, String)], _ body: String, reversePath: String = "") -> JSONObject {
        let fields = headers.map { HeaderField($0.0, $0.1) }
        let message = ReceivedMessage(
            reversePath: reversePath, recipients: ["in@example.org"], headers: fields, body: Array(body.utf8))
        return message.eventData()
    }

    @Test func aBounceNamesItsRecipients() {
        let data = data(
            [("From", "MAILER-DAEMON@mx.example.org"), ("Subject", "failure notice")],
            """
            Hi. This is the qmail-send program at mx.example.org.

            <ann@example.net>:
            Remote host said: 550 5.1.1 no such user

            --- Below this line is a copy of the message.

            Message-ID: <m1@example.org>
            """)
        #expect(data["mailClass"] == "delivery_report")
        let report = data["report"]
        #expect(report?["originalMessageId"] == "m1@example.org")
        let recipient = report?["recipients"]?.arrayValue?.first
        #expect(recipient?["address"] == "ann@example.net")
        #expect(recipient?["status"] == "5.1.1")
        #expect(recipient?["reason"] == "user_unknown")
        #expect(recipient?["isHard"] == true)
    }

    @Test func anAbsenceTellsItsEnd() {
        let data = data(
            [
                ("From", "Ann <ann@example.net>"), ("Subject", "Out of office"), ("Auto-Submitted", "auto-replied"),
                ("Date", "Mon, 05 Jan 2026 09:00:00 +0000"),
            ], "I am back on 12 January.\r\n")
        #expect(data["mailClass"] == "automatic_reply")
        #expect(data["replyKind"] == "out_of_office")
        #expect(data["returnDate"] == "2026-01-12")
    }

    @Test func aReplyComesWithoutItsQuotation() {
        let data = data(
            [("From", "Ann <ann@example.net>"), ("Subject", "Re: Hello")],
            "Yes.\r\n\r\nOn Mon, 5 Jan 2026 at 09:00, Bob <bob@example.org> wrote:\r\n> Well?\r\n",
            reversePath: "ann@example.net")
        #expect(data["mailClass"] == "ordinary")
        #expect(data["strippedText"] == "Yes.")
        #expect(data["classEvidence"] == nil && data["report"] == nil)
    }

    @Test(arguments: [
        ("a < b & c > d\r\né\r\n", "a &lt; b &amp; c &gt; d<br>\né"), ("<&>", "&lt;&amp;&gt;"), ("plain", "plain"),
        ("&", "&amp;"), ("\u{1F600}<", "\u{1F600}&lt;"),
    ])
    func plainTextIsShownAsHTML(text: String, html: String) {
        let data = data(
            [("From", "Ann <ann@example.net>"), ("Content-Type", "text/plain; charset=utf-8")], text,
            reversePath: "ann@example.net")
        #expect(data["body"]?.stringValue?.hasPrefix(html) == true, "\(data["body"] ?? .null)")
    }
}
