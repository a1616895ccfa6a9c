import WorkflowModel

/// A part of the outgoing mail that stands still until somebody lets it go on.
package struct OutboxPause: Hashable, Sendable {
    /// What stands still.
    package enum Object: Hashable, Sendable {
        /// All mail.
        case everything
        /// What would go over the relay of that name.
        case relay(String)
        /// Mail to that domain, in ASCII and lower case.
        case domain(String)

        /// The raw values are what the database and the API show.
        package enum Kind: String, Hashable, Sendable, CaseIterable {
            case everything, relay, domain
        }

        package var kind: Kind {
            switch self {
            case .everything: .everything
            case .relay: .relay
            case .domain: .domain
            }
        }

        /// Empty for everything.
        package var name: String {
            switch self {
            case .everything: ""
            case .relay(let name), .domain(let name): name
            }
        }

        package init(_ kind: Kind, _ name: String) {
            self =
                switch kind {
                case .everything: .everything
                case .relay: .relay(name)
                case .domain: .domain(name)
                }
        }

        /// How the audit log calls it.
        var target: String { kind == .everything ? "outbox" : "\(kind.rawValue):\(name)" }
    }

    /// Whose mail; nil for everybody's.
    package var projectID: Identifier?
    package var object: Object
    package var pausedAt: Timestamp
    package var note: String?

    package init(projectID: Identifier?, object: Object, pausedAt: Timestamp, note: String? = nil) {
        self.projectID = projectID
        self.object = object
        self.pausedAt = pausedAt
        self.note = note
    }
}

/// The pauses that hold at one moment, made for questions that are asked for every mail.
struct PauseBoard: Equatable, Sendable {
    /// How many there are.
    let count: Int
    private var everybody = false
    private var projects: Set<Identifier> = []
    private var relays: [String: Set<Identifier>] = [:]
    private var relaysOfAll: Set<String> = []
    private var lanes: [Int64: Set<Identifier>] = [:]
    private var lanesOfAll: Set<Int64> = []

    init(_ pauses: [OutboxPause] = []) {
        count = pauses.count
        for pause in pauses {
            switch (pause.object, pause.projectID) {
            case (.everything, nil): everybody = true
            case (.everything, let project?): projects.insert(project)
            case (.relay(let name), nil): relaysOfAll.insert(name)
            case (.relay(let name), let project?): relays[name, default: []].insert(project)
            case (.domain(let name), nil): lanesOfAll.insert(MailLane.of(domain: name))
            case (.domain(let name), let project?):
                lanes[MailLane.of(domain: name), default: []].insert(project)
            }
        }
    }

    func stops(_ project: Identifier) -> Bool { everybody || projects.contains(project) }

    func stops(relay: String, for project: Identifier) -> Bool {
        relaysOfAll.contains(relay) || relays[relay]?.contains(project) == true
    }

    func stops(lane: Int64, for project: Identifier) -> Bool {
        lanesOfAll.contains(lane) || lanes[lane]?.contains(project) == true
    }
}
