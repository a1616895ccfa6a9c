import WorkflowModel

/// Who asks for a change, as the audit log names them.
package enum Actor: Hashable, Sendable {
    /// The daemon itself: workflows, schedules, mail.
    case system
    /// A client of the API, by the id of its key.
    case key(Identifier)
    /// Somebody at the command line, by the name of the system's account.
    case account(String)

    /// What the database and the API call the kind.
    package var kind: String {
        switch self {
        case .system: "system"
        case .key: "key"
        case .account: "account"
        }
    }

    /// Id or name; empty for the system.
    package var name: String {
        switch self {
        case .system: ""
        case .key(let id): "\(id)"
        case .account(let name): name
        }
    }

    package init(kind: String, name: String) {
        switch kind {
        case "key": self = Identifier(name).map { .key($0) } ?? .system
        case "account": self = .account(name)
        default: self = .system
        }
    }
}
