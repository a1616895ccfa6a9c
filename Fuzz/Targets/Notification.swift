import FuzzKit
import MailFormat
import MailModel

/// The machine's part of a delivery report (RFC 3464), and the header of the mail that came back, in a message that is
/// otherwise sound: so that every change of the input reaches their reader.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzNotification(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let status = input.bytes(to: 0)
    let returned = input.bytes(to: 0)
    let text = input.bytes()
    var body = Array("--b\r\nContent-Type: text/plain\r\n\r\n".utf8) + text
    body += "\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n".utf8
    body += status
    body += "\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n".utf8
    body += returned
    body += "\r\n--b--\r\n".utf8
    let message = ReceivedMessage(
        headers: [
            HeaderField("From", "MAILER-DAEMON@mx.example.org"), HeaderField("Subject", "Undelivered"),
            HeaderField("Content-Type", "multipart/report; report-type=delivery-status; boundary=b"),
        ], body: body)
    guard case .deliveryReport(let report) = MailRecognizer.recognize(message).mailClass else { return 0 }
    expect(
        !report.recipients.isEmpty && report.recipients.count <= 1000, "a report is about somebody, and not about all")
    for recipient in report.recipients {
        expect(!recipient.address.isEmpty, "a recipient has a name")
        expect(!hasControl(recipient.address), "a recipient's name is one line")
        expect(!recipient.isHard || recipient.isFailure, "only a failure is hard")
        expect(!recipient.isHard || recipient.reason.kind == .address, "only a bad address is hard")
        expect(recipient.diagnostic.utf8.count <= 8192, "a diagnostic is bounded")
        expect([2, 4, 5].contains(recipient.status.category), "a status has a class")
    }
    if let id = report.original?.messageID { expect(!id.utf8.contains(0x0A), "an id is one line") }
    return 0
}
