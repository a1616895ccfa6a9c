import FuzzKit
import MailFormat
import MailModel

/// The machine's part of a complaint (RFC 5965), and the mail that is complained about, in a message that is otherwise sound.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzComplaint(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let feedback = input.bytes(to: 0)
    let original = input.bytes()
    var body = Array("--b\r\nContent-Type: text/plain\r\n\r\nSomebody complains.\r\n--b\r\n".utf8)
    body += "Content-Type: message/feedback-report\r\n\r\n".utf8
    body += feedback
    body += "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n".utf8
    body += original
    body += "\r\n--b--\r\n".utf8
    let message = ReceivedMessage(
        headers: [
            HeaderField("From", "fbl@provider.example"), HeaderField("Subject", "FW: offer"),
            HeaderField("Content-Type", "multipart/report; report-type=feedback-report; boundary=b"),
        ], body: body)
    let recognition = MailRecognizer.recognize(message)
    guard case .complaint(let complaint) = recognition.mailClass else { return 0 }
    expect(!complaint.feedbackType.isEmpty, "a complaint has a type")
    expect(!hasControl(complaint.feedbackType), "a type is one line")
    expect(!recognition.evidence.isEmpty, "a complaint has evidence")
    if let id = complaint.original?.messageID { expect(!id.utf8.contains(0x0A), "an id is one line") }
    return 0
}
