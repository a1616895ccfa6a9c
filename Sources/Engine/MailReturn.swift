import JSONValue
import WorkflowModel

/// What has come back of one mail. Each kind is there once for each mail.
package struct MailReturn: Hashable, Sendable {
    /// The raw values are stored.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case bounced, complained, replied
    }

    package var entryID: Identifier
    package var kind: Kind
    /// The first time.
    package var at: Timestamp
    package var details: JSONObject

    /// What a mail is shown as: the relay took it, and then it came back or was complained about.
    package static func state(of status: OutboxEntry.Status, _ kinds: [Kind]) -> String {
        if kinds.contains(.complained) { return Kind.complained.rawValue }
        return kinds.contains(.bounced) ? Kind.bounced.rawValue : status.rawValue
    }

    package init(entryID: Identifier, kind: Kind, at: Timestamp, details: JSONObject) {
        self.entryID = entryID
        self.kind = kind
        self.at = at
        self.details = details
    }
}
