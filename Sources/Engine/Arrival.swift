import JSONValue
import MailModel

/// A recipient with one of its routes: one event to come, or the record of why there is none.
struct Arrival: Sendable {
    var recipient: String
    var route: InboundRoutes.Route
    /// The recipient's tag.
    var mailboxHash: String?
    /// The key by which a second copy is known.
    var key: [UInt8]

    /// What the route says of the message as a whole.
    func disposition(_ message: ReceivedMessage, _ verdicts: ScanVerdicts) -> InboundRoutes.Disposition {
        let holds = route.conditions.isEmpty || route.conditions.contains { $0.holds(for: verdicts) }
        var disposition = holds ? route.disposition : .continue
        if Self.isSpam(verdicts) {
            switch route.spamMode {
            case .none, .mark: break
            case .quarantine: if disposition != .reject { disposition = .quarantine }
            case .fail: disposition = .reject
            }
        }
        // A bounce that is refused or held is lost: nobody would send it again, and nobody hear of it.
        let isRefusal = disposition == .reject || disposition == .quarantine
        return isRefusal && !Self.mayBeRefused(message) ? .continue : disposition
    }

    /// Why there is no event; nil when there is one.
    func objection(_ message: ReceivedMessage, _ verdicts: ScanVerdicts) -> InboundOutcome.Kind? {
        guard Self.mayBeRefused(message) else { return nil }
        if Self.isSpam(verdicts), route.spamMode == .quarantine { return .held }
        return disposition(message, verdicts) == .reject ? .refused : nil
    }

    /// What the event says beside the facts of the message.
    func data(_ message: ReceivedMessage, _ verdicts: ScanVerdicts) -> JSONObject {
        var data: JSONObject = [:]
        data["mailboxHash"] = mailboxHash.map { .string(String(decoding: $0.utf8.prefix(255), as: UTF8.self)) }
        let disposition = disposition(message, verdicts)
        if disposition != .continue { data["disposition"] = .string(disposition.rawValue) }
        if route.spamMode != .none, Self.isSpam(verdicts) { data["isSpam"] = true }
        if route.isForUnknown { data["isUnknownRecipient"] = true }
        return data
    }

    static func isSpam(_ verdicts: ScanVerdicts) -> Bool { verdicts.spam == .fail || verdicts.virus == .fail }

    private static func mayBeRefused(_ message: ReceivedMessage) -> Bool {
        !message.isInternal && !message.reversePath.isEmpty
    }
}
