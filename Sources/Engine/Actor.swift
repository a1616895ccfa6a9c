import JSONValue
import WorkflowModel

/// Who asks for a change, as the audit log names them.
package enum Actor: Hashable, Sendable {
    /// The daemon itself: workflows, schedules, mail.
    case system
    /// A client of the API, by the id of its key.
    case key(Identifier)
    /// Somebody at the command line, by the name of the system's account.
    case account(String)
}

extension EngineTransaction {
    /// Notes a change that somebody made on purpose, in the transaction of the change.
    /// - Parameters:
    ///   - action: what was done, `<noun>.<verb in the past>`: `template.updated`, `key.revoked`.
    ///   - target: id or name of what was changed.
    ///   - details: what one would ask next; never a secret and never the content of mail.
    func audit(_ action: String, _ target: String, in project: Identifier?, details: JSONObject = [:]) throws {}
}
