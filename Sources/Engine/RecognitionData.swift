import JSONValue
import MailModel

/// What is known of a message's kind, as its event shows it.
enum RecognitionData {
    /// Recipients of one report that are shown.
    private static let recipientLimit = 50

    /// `mailClass` always; what belongs to the class beside it.
    static func object(_ recognition: Recognition) -> JSONObject {
        var data: JSONObject = ["mailClass": .string(recognition.mailClass.name)]
        if !recognition.evidence.isEmpty {
            data["classEvidence"] = .array(recognition.evidence.map { .string($0.rawValue) })
        }
        switch recognition.mailClass {
        case .deliveryReport(let report): data["report"] = .object(object(report))
        case .complaint(let complaint): data["complaint"] = .object(object(complaint))
        case .automaticReply(let reply):
            data["automatic"] = true
            data["replyKind"] = .string(reply.kind.rawValue)
            data["returnDate"] = reply.returnDate.map { .string("\($0)") }
        default: break
        }
        return data
    }

    private static func object(_ report: DeliveryReport) -> JSONObject {
        var data: JSONObject = [
            "recipients": .array(report.recipients.prefix(recipientLimit).map { .object(object($0)) })
        ]
        data["reportingHost"] = report.reportingHost.map(text)
        data["envelopeId"] = report.envelopeID.map(text)
        data["queueId"] = report.queueID.map(text)
        data["originalMessageId"] = report.original?.messageID.map(text)
        return data
    }

    private static func object(_ recipient: ReportedRecipient) -> JSONObject {
        var data: JSONObject = [
            "address": text(recipient.address), "action": .string(recipient.action.rawValue),
            "status": .string("\(recipient.status)"), "diagnostic": text(recipient.diagnostic),
            "reason": .string(recipient.reason.rawValue), "kind": .string(recipient.reason.kind.rawValue),
            "isHard": .bool(recipient.isHard),
        ]
        data["originalAddress"] = recipient.originalAddress.map(text)
        data["replyCode"] = recipient.replyCode.map { .int(Int64($0)) }
        data["remoteHost"] = recipient.remoteHost.map(text)
        return data
    }

    private static func object(_ complaint: Complaint) -> JSONObject {
        var data: JSONObject = [
            "feedbackType": text(complaint.feedbackType),
            "recipients": .array(complaint.recipients.prefix(recipientLimit).map(text)),
            "isAgainstUs": .bool(complaint.isAgainstUs),
        ]
        data["envelopeId"] = complaint.envelopeID.map(text)
        data["sourceAddress"] = complaint.sourceAddress.map(text)
        data["originalMessageId"] = complaint.original?.messageID.map(text)
        return data
    }

    /// Bounded: all of it is a stranger's.
    private static func text(_ text: String) -> JSON {
        .string(text.utf8.count <= 512 ? text : String(decoding: text.utf8.prefix(512), as: UTF8.self))
    }
}
