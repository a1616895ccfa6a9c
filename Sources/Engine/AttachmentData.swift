import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// What an event says of the files that came with a mail, and of messages among them.
struct AttachmentData {
    /// Bytes of JSON that the messages among the attachments may have, all together.
    private static let embeddedLimit = 8 * 1024
    /// Longest list.
    private static let listLimit = 50
    /// Longest name of a file or a type, and longest value of a header field.
    private static let nameLimit = 255
    private static let fieldLimit = 998

    private var room = AttachmentData.embeddedLimit

    /// - Parameter opensMessages: false leaves out what is inside of messages.
    static func list(_ attachments: [ReadMessage.Attachment], opensMessages: Bool = true) -> JSON {
        var data = AttachmentData()
        var list: [JSON] = []
        for attachment in attachments.prefix(listLimit) {
            var entry = Self.entry(attachment.shownName, attachment.contentType, attachment.size)
            if opensMessages, let message = attachment.embedded { entry["embedded"] = data.embedded(message) }
            list.append(.object(entry))
        }
        return .array(list)
    }

    private static func entry(_ filename: String?, _ contentType: String, _ size: Int) -> JSONObject {
        [
            "filename": filename.map { text($0, nameLimit) } ?? .null, "contentType": text(contentType, nameLimit),
            "size": .int(Int64(size)),
        ]
    }

    private static func text(_ text: String, _ limit: Int) -> JSON {
        .string(IncomingMail.truncated(text, bytes: limit))
    }

    /// Nil when there is no room left.
    private mutating func embedded(_ message: EmbeddedMessage) -> JSON? {
        var data: JSONObject = ["subject": Self.text(message.subject, Self.fieldLimit)]
        data["from"] = message.from.map { .string($0.address.description) }
        data["fromName"] = message.from?.name.map { Self.text($0, Self.nameLimit) }
        data["date"] = message.date.map { .string("\(Timestamp(microseconds: $0))") }
        data["messageId"] = message.messageID.map { Self.text($0, Self.fieldLimit) }
        guard take(data) else { return nil }
        var files: [JSON] = []
        for file in message.files.prefix(Self.listLimit) {
            var entry = Self.entry(file.shownName, file.contentType, file.size)
            guard take(entry) else { break }
            if let inner = file.message { entry["embedded"] = embedded(inner) }
            files.append(.object(entry))
        }
        data["attachments"] = .array(files)
        return .object(data)
    }

    /// Takes what the object needs of the room, with what stands around it.
    private mutating func take(_ object: JSONObject) -> Bool {
        let count = JSONWriter.bytes(.object(object)).count + 32
        guard count <= room else { return false }
        room -= count
        return true
    }
}
