import JSONValue
import WorkflowModel

/// What became of a mail after the relay took it.
package struct MailFate: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// The relay has it in its queue.
        case queued
        /// The last attempt of the relay failed for now.
        case deferred
        /// The next server took it.
        case delivered
        /// Refused for good.
        case bounced
        /// Given up by the relay after its lifetime.
        case expired

        /// Whether nothing more becomes of it.
        package var isFinal: Bool { self == .delivered || self == .bounced || self == .expired }
    }

    package var status: Status
    package var at: Timestamp
    /// The relay's id of it.
    package var queueID: String
    /// Who was spoken to last: host and address, or a program of the relay.
    package var relay: String?
    /// RFC 3463.
    package var enhancedCode: String?
    /// What they said last.
    package var reply: String?
    /// Whether it has become an event.
    package var isTold: Bool

    package init(
        status: Status, at: Timestamp, queueID: String, relay: String? = nil, enhancedCode: String? = nil,
        reply: String? = nil, isTold: Bool = false
    ) {
        self.status = status
        self.at = at
        self.queueID = queueID
        self.relay = relay
        self.enhancedCode = enhancedCode
        self.reply = reply
        self.isTold = isTold
    }

    /// As it is stored.
    package var json: JSONObject {
        var object: JSONObject = [
            "status": .string(status.rawValue), "at": .int(at.microseconds), "queueId": .string(queueID),
        ]
        object["relay"] = relay.map { .string($0) }
        object["code"] = enhancedCode.map { .string($0) }
        object["reply"] = reply.map { .string($0) }
        if isTold { object["told"] = true }
        return object
    }

    /// Nil for what cannot be read.
    package init?(_ object: JSONObject) {
        guard let status = object["status"]?.stringValue.flatMap(Status.init), let at = object["at"]?.intValue else {
            return nil
        }
        self.init(
            status: status, at: Timestamp(microseconds: at), queueID: object["queueId"]?.stringValue ?? "",
            relay: object["relay"]?.stringValue, enhancedCode: object["code"]?.stringValue,
            reply: object["reply"]?.stringValue, isTold: object["told"]?.boolValue ?? false)
    }
}
