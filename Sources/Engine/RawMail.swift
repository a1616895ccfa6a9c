import JSONValue
import MailModel
import WorkflowModel

/// A message as it came, with its envelope: enough to receive it again.
package struct RawMail: Sendable {
    /// Why it was kept. The raw value is stored and shown.
    package enum Reason: String, Sendable, CaseIterable {
        /// The route keeps all its mail.
        case always
        /// Its event could not be stored.
        case failure
    }

    package var id: Identifier
    package var reason: Reason
    /// What went wrong; empty when nothing did.
    package var error: String
    package var receivedAt: Timestamp
    package var message: ReceivedMessage

    package init(
        id: Identifier, reason: Reason, error: String = "", receivedAt: Timestamp, message: ReceivedMessage
    ) {
        self.id = id
        self.reason = reason
        self.error = error
        self.receivedAt = receivedAt
        self.message = message
    }
}

/// What is known of a kept message without reading all of it.
package struct RawMailNote: Hashable, Sendable {
    package var id: Identifier
    package var reason: RawMail.Reason
    package var error: String
    package var receivedAt: Timestamp
    package var reversePath: String
    package var recipients: [String]
    package var subject: String
    /// Bytes of the message.
    package var size: Int

    package init(
        id: Identifier, reason: RawMail.Reason, error: String, receivedAt: Timestamp, reversePath: String,
        recipients: [String], subject: String, size: Int
    ) {
        self.id = id
        self.reason = reason
        self.error = error
        self.receivedAt = receivedAt
        self.reversePath = reversePath
        self.recipients = recipients
        self.subject = subject
        self.size = size
    }
}

/// Which mail is kept as it came, and for how long.
package struct RawMailPolicy: Hashable, Sendable {
    package enum Keep: String, Hashable, Sendable, CaseIterable {
        case never
        /// Mail whose event could not be stored.
        case failures
        case always
    }

    /// Where a route says nothing else.
    package var keep = Keep.failures
    /// Bytes of a message; a larger one is not kept.
    package var largestSize = 25 << 20
    /// Seconds.
    package var largestAge: Int64 = 30 * 86_400
    /// Bytes of all together: the oldest go first.
    package var largestTotal = 1 << 30

    package init() {}
}

/// Where mail lies as it came. Apart from the database, so that it is there when that is not.
package protocol RawMailArchive: Sendable {
    /// Keeps a message, or does not when there is no room for it.
    /// - Returns: whether it is kept.
    /// - Throws: `StoreError`.
    func keep(_ mail: RawMail) throws -> Bool
    /// One message; nil when it is not there.
    /// - Throws: `StoreError`: `damaged` when it cannot be read.
    func mail(_ id: Identifier) throws -> RawMail?
    /// Oldest first. One that cannot be read is passed over.
    /// - Parameter body: returns false to end.
    func forEach(_ body: (RawMailNote) throws -> Bool) throws
    /// Does nothing when it is not there.
    func remove(_ id: Identifier)
    /// Numbers for `/healthz`.
    var numbers: [String: Int] { get }
    /// Removes what came before that time, and the oldest beyond so many bytes.
    /// - Returns: how many were removed.
    @discardableResult
    func prune(before time: Timestamp, largestTotal: Int) throws -> Int
}

extension RawMail {
    /// The field that holds the envelope, before the message's own.
    package static let envelopeField = "X-Postrider-Envelope"

    /// The message as bytes: the field with the envelope, then the header and body as they came.
    package var bytes: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(message.body.count + 8192)
        output += "\(Self.envelopeField): ".utf8
        output += JSONWriter.bytes(.object(envelope))
        output += [0x0D, 0x0A]
        Self.append(message.headers, to: &output)
        output += message.body
        return output
    }

    /// Header fields as they travelled, and the empty line.
    package static func append(_ fields: [HeaderField], to output: inout [UInt8]) {
        for field in fields {
            output += field.name.utf8
            output.append(UInt8(ascii: ":"))
            var previous: UInt8 = 0
            for byte in field.value {
                if byte == 0x0A, previous != 0x0D { output.append(0x0D) }
                output.append(byte)
                previous = byte
            }
            output += [0x0D, 0x0A]
        }
        output += [0x0D, 0x0A]
    }

    private var envelope: JSONObject {
        var object: JSONObject = [
            "id": .string("\(id)"), "reason": .string(reason.rawValue), "receivedAt": .string("\(receivedAt)"),
            "queueId": .string(message.queueID), "clientAddress": .string(message.clientAddress),
            "clientName": .string(message.clientName), "helo": .string(message.helo),
            "envelopeFrom": .string(message.reversePath), "recipients": .array(message.recipients.map { .string($0) }),
        ]
        if !error.isEmpty { object["error"] = .string(error) }
        object["authenticatedUser"] = message.authenticatedUser.map { .string($0) }
        if message.hasFurtherRecipients { object["furtherRecipients"] = true }
        if message.isInternal { object["internal"] = true }
        if message.isBodyTruncated { object["bodyTruncated"] = true }
        if message.areHeadersTruncated { object["headersTruncated"] = true }
        return object
    }

    /// - Parameter envelope: the value of the field.
    /// - Returns: the mail without header and body; nil when it is none of ours.
    package init?(envelope written: String) {
        guard let envelope = try? JSONParser.parse(written),
            let id = envelope["id"]?.stringValue.flatMap({ Identifier($0) }),
            let reason = envelope["reason"]?.stringValue.flatMap(Reason.init),
            let receivedAt = envelope["receivedAt"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        func text(_ name: String) -> String { envelope[name]?.stringValue ?? "" }
        let message = ReceivedMessage(
            queueID: text("queueId"), clientAddress: text("clientAddress"), clientName: text("clientName"),
            helo: text("helo"), authenticatedUser: envelope["authenticatedUser"]?.stringValue,
            reversePath: text("envelopeFrom"),
            recipients: envelope["recipients"]?.arrayValue?.compactMap { $0.stringValue } ?? [],
            hasFurtherRecipients: envelope["furtherRecipients"]?.boolValue ?? false,
            isInternal: envelope["internal"]?.boolValue ?? false,
            isBodyTruncated: envelope["bodyTruncated"]?.boolValue ?? false,
            areHeadersTruncated: envelope["headersTruncated"]?.boolValue ?? false)
        self.init(id: id, reason: reason, error: text("error"), receivedAt: receivedAt, message: message)
    }
}
