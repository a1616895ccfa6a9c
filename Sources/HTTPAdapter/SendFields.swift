import Engine
import JSONValue
import WorkflowModel

/// The body of a request to send mail, checked: every problem is found before the first is reported.
struct SendFields {
    private(set) var recipients: [DirectMail.Recipient] = []
    private(set) var template: String?
    private(set) var subject: String?
    private(set) var mailBody: String?
    private(set) var from: DirectMail.Recipient?
    private(set) var senderName: String?
    private(set) var replyTo: String?
    private(set) var subscribed: Bool?
    private(set) var headers: [MailRequest.Header] = []
    private(set) var data: JSONObject = [:]
    private(set) var attachments: [MailAttachment] = []
    private(set) var tracksOpens: TrackingMode?
    private(set) var tracksClicks: TrackingMode?
    private var body: BodyReader

    private static let keys: Set<String> = [
        "to", "subject", "body", "template", "from", "name", "reply", "subscribed", "headers", "data", "attachments",
        "trackOpens", "trackClicks",
    ]
    private static let nameLimit = 255
    private static let lineLimit = 998
    private static let headerLimit = 50

    /// - Parameter dataLimit: bytes of JSON that `data` may have.
    /// - Throws: `APIError` 422.
    init(_ json: JSON, dataLimit: Int) throws {
        body = try BodyReader(json, keys: Self.keys)
        readRecipients()
        template = body.text("template", limit: 100)
        subject = line("subject", limit: Self.lineLimit)
        readBody()
        from = body.value("from").flatMap { mailbox($0, "from") }
        senderName = line("name", limit: Self.nameLimit)
        replyTo = body.value("reply").flatMap { address($0, "reply") }
        subscribed = body.flag("subscribed")
        readHeaders()
        readData(limit: dataLimit)
        readAttachments()
        tracksOpens = body.optionalMode("trackOpens") ?? nil
        tracksClicks = body.optionalMode("trackClicks") ?? nil
        try body.finish()
    }

    func request(project: Identifier) -> DirectMail.Request {
        var request = DirectMail.Request(
            projectID: project, recipients: recipients, template: template, subject: subject, body: mailBody,
            from: from, senderName: senderName, replyTo: replyTo, subscribed: subscribed, headers: headers,
            data: data, attachments: attachments)
        request.tracksOpens = tracksOpens
        request.tracksClicks = tracksClicks
        return request
    }

    // MARK: Addresses

    private mutating func readRecipients() {
        guard let value = body.value("to") else { return body.report("to", "is missing") }
        guard let list = value.arrayValue else {
            if let recipient = mailbox(value, "to") { recipients = [recipient] }
            return
        }
        guard (1...DirectMail.recipientLimit).contains(list.count) else {
            return body.report("to", "must be 1 to \(DirectMail.recipientLimit) recipients")
        }
        recipients = list.enumerated().compactMap { mailbox($0.element, "to.\($0.offset)") }
    }

    /// An address, or `{email, name?}`.
    private mutating func mailbox(_ value: JSON, _ path: String) -> DirectMail.Recipient? {
        guard let object = value.objectValue else {
            return address(value, path).map { DirectMail.Recipient(email: $0) }
        }
        for key in object.keys where key != "email" && key != "name" {
            body.report("\(path).\(key)", "is not known here; known are email, name")
        }
        var name: String?
        if let value = object["name"], !value.isNull {
            name = Self.line(value, limit: Self.nameLimit)
            if name == nil {
                body.report(
                    "\(path).name",
                    "must be a text of 1 to \(Self.nameLimit) characters without control characters")
            }
        }
        guard let email = object["email"] else {
            body.report("\(path).email", "is missing")
            return nil
        }
        return address(email, "\(path).email").map { DirectMail.Recipient(email: $0, name: name) }
    }

    private mutating func address(_ value: JSON, _ path: String) -> String? {
        guard let text = value.stringValue, let address = AddressText.accepted(text) else {
            body.report(path, "must be a mail address")
            return nil
        }
        return address
    }

    // MARK: Texts

    /// Text of one line, as it stands.
    private mutating func line(_ key: String, limit: Int) -> String? {
        guard let value = body.value(key) else { return nil }
        guard let text = Self.line(value, limit: limit) else {
            body.report(key, "must be a text of 1 to \(limit) characters without control characters")
            return nil
        }
        return text
    }

    private static func line(_ value: JSON, limit: Int) -> String? {
        guard let text = value.stringValue, !text.isEmpty, text.count <= limit,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return nil }
        return text
    }

    private mutating func readBody() {
        if let value = body.value("body") {
            guard let text = value.stringValue, !text.isEmpty else {
                return body.report("body", "must be a text that is not empty")
            }
            guard text.utf8.count <= NewTemplate.sourceLimit else {
                return body.report("body", "must not be longer than \(NewTemplate.sourceLimit) bytes")
            }
            mailBody = text
        }
        guard !body.has("template") else { return }
        for key in ["subject", "body"] where !body.has(key) {
            body.report(key, "is missing; without a template subject and body are needed")
        }
    }

    // MARK: Header fields

    /// Fields that say who a mail is from and to, how it is built, or what others did with it.
    static let protectedHeaders: Set<String> = [
        "from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version",
        "return-path", "received", "delivered-to", "dkim-signature", "authentication-results", "arc-seal",
        "arc-message-signature", "arc-authentication-results", "errors-to", "apparently-to",
    ]
    private static let protectedPrefixes = ["content-", "resent-", "x-postrider-"]

    private mutating func readHeaders() {
        guard let value = body.value("headers"), !value.isNull else { return }
        guard let object = value.objectValue else { return body.report("headers", "must be an object of texts") }
        guard object.count <= Self.headerLimit else {
            return body.report("headers", "must not be more than \(Self.headerLimit)")
        }
        var seen: Set<String> = []
        for (name, value) in object {
            let path = "headers.\(name)"
            let lower = name.lowercased()
            if !Self.isFieldName(name) {
                body.report(path, "is no name of a header field")
            } else if Self.protectedHeaders.contains(lower)
                || Self.protectedPrefixes.contains(where: { lower.hasPrefix($0) })
            {
                body.report(path, "cannot be set here")
            } else if !seen.insert(lower).inserted {
                body.report(path, "is there twice")
            } else if let text = Self.line(value, limit: Self.lineLimit - name.utf8.count - 1) {
                headers.append(.init(name: name, value: text))
            } else {
                body.report(
                    path,
                    "must be a text of at least one character without control characters, at most "
                        + "\(Self.lineLimit - 1) with its name")
            }
        }
    }

    /// RFC 5322 section 2.2.
    private static func isFieldName(_ name: String) -> Bool {
        (1...76).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    }

    // MARK: Data

    private mutating func readData(limit: Int) {
        guard let value = body.value("data"), !value.isNull else { return }
        guard let object = value.objectValue else { return body.report("data", "must be an object") }
        guard JSONWriter.bytes(value).count <= limit else {
            return body.report("data", "must not be longer than \(limit) bytes of JSON")
        }
        data = object
    }

    // MARK: Attachments

    private mutating func readAttachments() {
        guard let value = body.value("attachments"), !value.isNull else { return }
        guard let list = value.arrayValue, list.count <= DirectMail.attachmentLimit else {
            return body.report("attachments", "must be a list of at most \(DirectMail.attachmentLimit) files")
        }
        for (position, value) in list.enumerated() {
            if let attachment = attachment(value, "attachments.\(position)") { attachments.append(attachment) }
        }
        let total = attachments.reduce(0) { $0 + $1.bytes.count }
        if total > DirectMail.attachmentBytes {
            body.report("attachments", "must not have more than \(DirectMail.attachmentBytes) bytes together")
        }
        let ids = attachments.compactMap(\.contentID)
        if Set(ids).count != ids.count { body.report("attachments", "must not have the same contentId twice") }
    }

    private mutating func attachment(_ value: JSON, _ path: String) -> MailAttachment? {
        guard let object = value.objectValue else {
            body.report(path, "must be an object")
            return nil
        }
        let known = ["filename", "content", "contentType", "disposition", "contentId"]
        for key in object.keys where !known.contains(key) {
            body.report("\(path).\(key)", "is not known here; known are \(known.sorted().joined(separator: ", "))")
        }
        let filename = object["filename"].flatMap { Self.line($0, limit: 255) }.flatMap { name in
            name.contains(where: { "\"/\\".contains($0) }) ? nil : name
        }
        if filename == nil {
            body.report(
                "\(path).filename", "must be 1 to 255 characters without quotes, slashes and control characters")
        }
        let type = object["contentType"]?.stringValue.flatMap { DirectMail.isContentType($0) ? $0 : nil }
        if type == nil { body.report("\(path).contentType", "must be a media type, for example application/pdf") }
        let bytes = object["content"]?.stringValue.flatMap { Base64Text.decode($0) }
        if bytes == nil { body.report("\(path).content", "must be base64 with padding and without line ends") }
        let contentID = contentID(object, path)
        guard let filename, let type, let bytes else { return nil }
        return MailAttachment(filename: filename, contentType: type, contentID: contentID, bytes: bytes)
    }

    private mutating func contentID(_ object: JSONObject, _ path: String) -> String? {
        var id: String?
        if let value = object["contentId"], !value.isNull {
            id = value.stringValue.flatMap { DirectMail.isContentID($0) ? $0 : nil }
            if id == nil {
                body.report(
                    "\(path).contentId", "must be 1 to 255 printable ASCII characters without blanks, < and >")
            }
        }
        switch object["disposition"] ?? "attachment" {
        case "attachment": return nil
        case "inline":
            if object["contentId"]?.isNull != false { body.report("\(path).contentId", "is missing; inline needs it") }
            return id
        default:
            body.report("\(path).disposition", "must be attachment or inline")
            return nil
        }
    }
}

/// Base64 with padding, strictly (RFC 4648 sections 3.2, 3.3 and 3.5).
enum Base64Text {
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, digit) in digits.utf8.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    /// Nil for any other character, a wrong length, and bits that are lost.
    static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { bytes -> [UInt8]? in
            guard bytes.count % 4 == 0 else { return nil }
            let padding = bytes.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
            let digits = bytes.count - padding
            var result: [UInt8] = []
            result.reserveCapacity(digits / 4 * 3 + 2)
            var quantum: UInt32 = 0
            for index in 0..<digits {
                let value = values[Int(bytes[index])]
                guard value < 64 else { return nil }
                quantum = quantum << 6 | UInt32(value)
                guard index % 4 == 3 else { continue }
                result.append(UInt8(truncatingIfNeeded: quantum >> 16))
                result.append(UInt8(truncatingIfNeeded: quantum >> 8))
                result.append(UInt8(truncatingIfNeeded: quantum))
                quantum = 0
            }
            switch padding {
            case 1:
                guard quantum & 3 == 0 else { return nil }
                result.append(UInt8(truncatingIfNeeded: quantum >> 10))
                result.append(UInt8(truncatingIfNeeded: quantum >> 2))
            case 2:
                guard quantum & 15 == 0 else { return nil }
                result.append(UInt8(truncatingIfNeeded: quantum >> 4))
            default: break
            }
            return result
        }
    }
}
