import MailFormat
import MailModel
import Testing

/// Reports whose bytes were damaged on the way: what is read of them is one line, fit to be stored and shown.
@Suite struct DamagedReportTests {
    private func recognize(_ type: String, _ part: String, _ fields: [UInt8]) -> MailClass {
        let body =
            Array("--b\r\nContent-Type: text/plain\r\n\r\nText\r\n--b\r\nContent-Type: \(part)\r\n\r\n".utf8) + fields
            + Array("\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@example.com\r\n\r\nHi\r\n--b--\r\n".utf8)
        let message = ReceivedMessage(
            headers: [
                HeaderField("From", "MAILER-DAEMON@mx.example.org"), HeaderField("Subject", "Report"),
                HeaderField("Content-Type", "multipart/report; report-type=\(type); boundary=b"),
            ], body: body)
        return MailRecognizer.recognize(message).mailClass
    }

    @Test func recipientHasNoControlCharacters() {
        let fields = Array(
            "Final-Recipient: rfc822; gone\u{1A}\u{85}\u{2028}\u{7F}user\r\nAction: failed\r\nStatus: 5.1.1\r\n".utf8)
        guard case .deliveryReport(let report) = recognize("delivery-status", "message/delivery-status", fields) else {
            Issue.record("it is no report")
            return
        }
        #expect(report.recipients.map(\.address) == ["gone user"] || report.recipients.map(\.address) == ["gone  user"])
    }

    @Test func typeOfAComplaintIsAWord() {
        let fields =
            Array("Feedback-Type: ab".utf8) + [0x8A, 0x00, 0x7F, 0x1C] + Array("use\r\nUser-Agent: x\r\n".utf8)
        guard case .complaint(let complaint) = recognize("feedback-report", "message/feedback-report", fields) else {
            Issue.record("it is no complaint")
            return
        }
        #expect(complaint.feedbackType.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        let empty = recognize("feedback-report", "message/feedback-report", Array("Feedback-Type: \u{1}\r\n".utf8))
        guard case .complaint(let other) = empty else {
            Issue.record("it is no complaint")
            return
        }
        #expect(other.feedbackType == "abuse")
    }
}
