import JSONValue
import MailModel
import WorkflowModel

/// A message that was accepted and whose event waits for the word of scanners. It is kept whole, because they want to see
/// it, and because the process may end meanwhile.
package struct PendingMail: Sendable {
    /// Where one waits.
    package struct Place: Hashable, Sendable {
        package var id: Identifier
        package var deadline: Timestamp

        package init(id: Identifier, deadline: Timestamp) {
            self.id = id
            self.deadline = deadline
        }
    }

    /// One event to come.
    package struct Arrival: Hashable, Sendable {
        package var recipient: String
        /// The project's slug.
        package var project: String
        /// Of its `Reception`, which is stored already.
        package var key: [UInt8]

        package init(recipient: String, project: String, key: [UInt8]) {
            self.recipient = recipient
            self.project = project
            self.key = key
        }
    }

    package var id: Identifier
    package var receivedAt: Timestamp
    /// When the event is recorded with what is there.
    package var deadline: Timestamp
    package var message: ReceivedMessage
    package var arrivals: [Arrival]

    package init(
        id: Identifier, receivedAt: Timestamp, deadline: Timestamp, message: ReceivedMessage, arrivals: [Arrival]
    ) {
        self.id = id
        self.receivedAt = receivedAt
        self.deadline = deadline
        self.message = message
        self.arrivals = arrivals
    }
}

/// How the parts of a pending mail are stored.
extension PendingMail {
    /// Everything but the message's header and body.
    package var envelope: JSON {
        var object: JSONObject = [
            "queueId": .string(message.queueID), "clientAddress": .string(message.clientAddress),
            "clientName": .string(message.clientName), "helo": .string(message.helo),
            "from": .string(message.reversePath), "to": .array(message.recipients.map { .string($0) }),
            "hasFurtherRecipients": .bool(message.hasFurtherRecipients), "isInternal": .bool(message.isInternal),
            "isBodyTruncated": .bool(message.isBodyTruncated),
            "areHeadersTruncated": .bool(message.areHeadersTruncated),
            "arrivals": .array(
                arrivals.map {
                    [.string($0.recipient), .string($0.project), .string(Base64URL.encode($0.key))]
                }),
        ]
        object["user"] = message.authenticatedUser.map { .string($0) }
        return .object(object)
    }

    /// The header fields, each piece preceded by its length: values are bytes, and may hold line ends.
    package var header: [UInt8] {
        var bytes: [UInt8] = []
        for field in message.headers {
            for piece in [Array(field.name.utf8), field.value] {
                withUnsafeBytes(of: UInt32(piece.count).bigEndian) { bytes += $0 }
                bytes += piece
            }
        }
        return bytes
    }

    /// Nil for anything that was not stored by us.
    package init?(
        id: Identifier, receivedAt: Timestamp, deadline: Timestamp, envelope: JSON, header: [UInt8], body: [UInt8]
    ) {
        func text(_ key: String) -> String { envelope[key]?.stringValue ?? "" }
        func flag(_ key: String) -> Bool { envelope[key]?.boolValue ?? false }
        guard let headers = Self.fields(header), let arrivals = envelope["arrivals"]?.arrayValue else { return nil }
        let message = ReceivedMessage(
            queueID: text("queueId"), clientAddress: text("clientAddress"), clientName: text("clientName"),
            helo: text("helo"), authenticatedUser: envelope["user"]?.stringValue, reversePath: text("from"),
            recipients: envelope["to"]?.arrayValue?.compactMap(\.stringValue) ?? [],
            hasFurtherRecipients: flag("hasFurtherRecipients"), isInternal: flag("isInternal"), headers: headers,
            body: body, isBodyTruncated: flag("isBodyTruncated"), areHeadersTruncated: flag("areHeadersTruncated"))
        self.init(
            id: id, receivedAt: receivedAt, deadline: deadline, message: message,
            arrivals: arrivals.compactMap { item in
                guard let parts = item.arrayValue?.compactMap(\.stringValue), parts.count == 3,
                    let key = Base64URL.decode(parts[2])
                else { return nil }
                return Arrival(recipient: parts[0], project: parts[1], key: key)
            })
    }

    private static func fields(_ bytes: [UInt8]) -> [HeaderField]? {
        var rest = bytes[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard rest.count >= count else { return nil }
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        guard pieces.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: pieces.count, by: 2).map { index in
            HeaderField(name: String(decoding: pieces[index], as: UTF8.self), value: Array(pieces[index + 1]))
        }
    }
}
