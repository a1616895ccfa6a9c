import MailModel

/// Bounces and complaints that a sending service reports as JSON in the text of a mail: one object that names the kind of
/// notification, and for each recipient an object with an address.
struct NotificationReader {
    private var pairs: [(name: String, value: String)] = []

    /// Nil when the text is no such notification.
    init?(_ text: String) {
        guard text.utf8.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else { return nil }
        let bytes = Array(text.utf8.prefix(256 << 10))
        pairs = Self.pairs(in: bytes)
        guard kind != nil else { return nil }
    }

    /// The class; nil when the notification is about nothing that is known here.
    func recognition() -> Recognition? {
        let original = first("messageId").map { _ in OriginalMessage(headers: headers) }
        switch kind {
        case "complaint":
            let type = first("complaintFeedbackType") ?? "abuse"
            let complaint = Complaint(
                feedbackType: type, recipients: groups.map(\.address), userAgent: first("userAgent"), original: original
            )
            return Recognition(.complaint(complaint), [.complaintField])
        case "bounce", "delivery", "deliverydelay":
            let recipients = recipients
            guard !recipients.isEmpty else { return nil }
            return Recognition(
                .deliveryReport(
                    DeliveryReport(recipients: recipients, reportingHost: first("reportingMTA"), original: original)),
                [.statusFieldsInText])
        default: return nil
        }
    }

    private typealias Group = (address: String, fields: StatusFields.Block)

    private var kind: String? {
        pairs.first { $0.name == "notificationType" || $0.name == "eventType" }?.value.lowercased()
    }

    private func first(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// The fields around each address, up to the end of its object.
    private var groups: [Group] {
        var groups: [Group] = []
        for (index, pair) in pairs.enumerated() where pair.name == "emailAddress" {
            var fields: StatusFields.Block = [:]
            func take(_ pair: (name: String, value: String)) -> Bool {
                switch pair.name {
                case "action": fields["action"] = fields["action"] ?? pair.value
                case "status": fields["status"] = fields["status"] ?? pair.value
                case "diagnosticCode": fields["diagnostic-code"] = fields["diagnostic-code"] ?? pair.value
                default: return false
                }
                return true
            }
            // The order of the members is free: those in front belong to the object as well.
            for next in pairs[(index + 1)...] where next.name != "" { if !take(next) { break } }
            for previous in pairs[..<index].reversed() { if !take(previous) { break } }
            groups.append((pair.value, fields))
        }
        return groups
    }

    private var recipients: [ReportedRecipient] {
        if kind == "delivery" {
            let response = first("smtpResponse") ?? ""
            return pairs.filter { $0.name == "recipients" }.map { pair in
                let fields: StatusFields.Block = [
                    "action": "delivered", "diagnostic-code": "smtp; " + response, "status": "2.0.0",
                ]
                return OutcomeReader(wholeText: "", isDelay: false).recipient(fields, address: pair.value, said: "")
            }
        }
        let reader = OutcomeReader(
            wholeText: "",
            isDelay: kind == "deliverydelay"
                || first("bounceType") == "Transient" && first("bounceSubType") == "General")
        return groups.map { group in
            var fields = group.fields
            if fields["action"] == nil { fields["action"] = kind == "deliverydelay" ? "delayed" : "failed" }
            return reader.recipient(fields, address: group.address, said: "")
        }
    }

    /// The returned mail's id, and its header where the service sends it along.
    private var headers: [HeaderField] {
        var headers: [HeaderField] = []
        for (index, pair) in pairs.enumerated() where pair.name == "name" && index + 1 < pairs.count {
            guard pairs[index + 1].name == "value", pair.value.utf8.count <= 100 else { continue }
            headers.append(HeaderField(pair.value, pairs[index + 1].value))
        }
        return headers
    }

    /// Every string of the text with the name in front of it; the strings of an array have the array's name.
    private static func pairs(in bytes: [UInt8]) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        var name = ""
        var index = 0
        while index < bytes.count, pairs.count < 5000 {
            guard bytes[index] == UInt8(ascii: "\"") else {
                index += 1
                continue
            }
            var text: [UInt8] = []
            index += 1
            while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count {
                    index += 1
                    let isBlank = [UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t")].contains(bytes[index])
                    text.append(isBlank ? 0x20 : bytes[index])
                } else {
                    text.append(bytes[index])
                }
                index += 1
            }
            index += 1
            let string = String(decoding: text, as: UTF8.self)
            let next = bytes[min(index, bytes.count)...].first { $0 > 0x20 }
            if next == UInt8(ascii: ":") { name = string } else { pairs.append((name, string)) }
        }
        return pairs
    }
}
