/// What is recorded of readers who open mail or follow links. The raw values are what the database and commands show.
package enum TrackingMode: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Nothing, and mail carries neither pixel nor rewritten links.
    case off
    /// How often, for all mail together; never who, and no event.
    case anonymous
    /// Who and when, as events of the contact.
    case on

    package static func < (left: TrackingMode, right: TrackingMode) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .off: 0
        case .anonymous: 1
        case .on: 2
        }
    }
}

/// What a project, a template or a mail allows beside the installation; whoever allows least decides. Nil leaves it to the
/// others.
package struct ProjectTracking: Hashable, Sendable {
    package var opens: TrackingMode?
    package var clicks: TrackingMode?

    package init(opens: TrackingMode? = nil, clicks: TrackingMode? = nil) {
        self.opens = opens
        self.clicks = clicks
    }
}

extension EngineConfiguration {
    /// What counts in a project.
    func opens(in project: Project?) -> TrackingMode { min(opens, project?.tracking.opens ?? .on) }
    func clicks(in project: Project?) -> TrackingMode { min(clicks, project?.tracking.clicks ?? .on) }
}
