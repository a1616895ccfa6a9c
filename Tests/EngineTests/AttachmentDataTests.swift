import JSONValue
import MailModel
import Testing

@testable import Engine

/// What an event says of attached messages.
@Suite struct AttachmentDataTests {
    private func data(_ parts: [String]) -> JSONObject {
        let body = parts.map { "--b\r\n\($0)\r\n" }.joined() + "--b--\r\n"
        return ReceivedMessage(
            reversePath: "ann@example.net", recipients: ["in@example.org"],
            headers: [
                HeaderField("From", "ann@example.net"), HeaderField("Content-Type", "multipart/mixed; boundary=b"),
            ], body: Array(body.utf8)
        ).eventData()
    }

    private func message(_ subject: String, _ header: String = "", _ text: String = "inner") -> String {
        "Content-Type: message/rfc822\r\n\r\nSubject: \(subject)\r\n\(header)\r\n\(text)"
    }

    @Test func anAttachedMessageSaysWhatItIs() {
        let header = """
            From: Ben <ben@example.net>\r
            Date: Mon, 05 Jan 2026 09:00:00 +0000\r
            Message-ID: <m1@example.net>\r
            Content-Type: text/calendar; name=a.ics\r

            """
        let data = data(["\r\nouter", message("Invoice", header)])
        #expect(data["text"] == "outer" && data["subject"] == "" && data["messageId"] == nil)
        let list = data["attachments"]?.arrayValue ?? []
        #expect(list.count == 1 && list.first?["filename"] == "Invoice.eml")
        #expect(list.first?["contentType"] == "message/rfc822")
        let embedded = list.first?["embedded"]
        #expect(embedded?["subject"] == "Invoice" && embedded?["date"] == "2026-01-05T09:00:00.000Z")
        #expect(embedded?["from"] == "ben@example.net" && embedded?["fromName"] == "Ben")
        #expect(embedded?["messageId"] == "m1@example.net")
    }

    @Test func anAttachedFileHasNoMessage() {
        let data = data(["Content-Type: image/png; name=x.png\r\n\r\nPNG"])
        let first = data["attachments"]?.arrayValue?.first
        #expect(first?["filename"] == "x.png" && first?["embedded"] == nil)
    }

    @Test func attachedMessagesTakeNoMoreThanTheirRoom() {
        let subject = String(repeating: "s", count: 900)
        let data = data((0..<40).map { message("\($0)\(subject)") })
        let list = data["attachments"]?.arrayValue ?? []
        #expect(list.count == 40 && list.first?["embedded"]?["attachments"] == .array([]))
        let embedded = list.compactMap { $0["embedded"] }
        #expect((5...9).contains(embedded.count))
        #expect(embedded.reduce(0) { $0 + JSONWriter.bytes($1).count } <= 8 * 1024)
    }

    @Test func anEventThatIsTooLargeLosesThemFirst() {
        let text = String(repeating: "\u{1}", count: 12_000)
        let data = data(["\r\n\(text)", message("Invoice")])
        let list = data["attachments"]?.arrayValue ?? []
        #expect(list.count == 1 && list.first?["filename"] == "Invoice.eml" && list.first?["embedded"] == nil)
    }
}
