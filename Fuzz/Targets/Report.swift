import FuzzKit
import MailFormat
import MailModel

/// Recognition of whole messages: delivery reports and complaints in every form, automatic replies, and what was said in them.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzReport(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let (headers, body) = MessageReader.split(input.bytes())
    var message = ReceivedMessage(headers: headers, body: body)
    message.reversePath = headers.first { $0.isNamed("Return-Path") }?.text.filter { $0 != "<" && $0 != ">" } ?? ""
    let recognition = MailRecognizer.recognize(message)
    expect(
        recognition.evidence.isEmpty == (recognition.mailClass == .ordinary),
        "every class but the ordinary has evidence")
    switch recognition.mailClass {
    case .deliveryReport(let report): check(report)
    case .complaint(let complaint): expect(!complaint.feedbackType.isEmpty, "a complaint has a type")
    case .automaticReply(let reply):
        _ = reply.returnDate?.description
    default: break
    }
    return 0
}

private func check(_ report: DeliveryReport) {
    expect(!report.recipients.isEmpty, "a report is about somebody")
    expect(report.recipients.count <= 1000, "recipients are bounded")
    for recipient in report.recipients {
        expect(!recipient.address.isEmpty, "a recipient has a name")
        expect(!recipient.isHard || recipient.isFailure, "only a failure is hard")
        expect(!recipient.isHard || recipient.reason.kind == .address, "only a bad address is hard")
        expect(recipient.diagnostic.utf8.count <= 8192, "a diagnostic is bounded")
        expect([2, 4, 5].contains(recipient.status.category), "a status has a class")
        expect(recipient.replyCode.map { (400...599).contains($0) } ?? true, "a reply is a refusal")
    }
    _ = report.original?.messageID
}
