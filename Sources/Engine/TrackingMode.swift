import JSONValue

/// What is recorded of readers who open mail or follow links. The raw values are what the database and commands show.
package enum TrackingMode: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Nothing, and mail carries neither pixel nor rewritten links.
    case off
    /// How often, for all mails of a template version and step together; never who, and no event.
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

extension TrackingMode {
    /// As templates and requests say it: true, false or `anonymous`. Nil for anything else.
    package init?(_ json: JSON) {
        switch json {
        case .bool(let flag): self = flag ? .on : .off
        case .string("anonymous"): self = .anonymous
        default: return nil
        }
    }

    package var json: JSON {
        switch self {
        case .off: false
        case .on: true
        case .anonymous: "anonymous"
        }
    }

    /// Whoever allows less decides; nil leaves it to the other.
    static func least(_ left: TrackingMode?, _ right: TrackingMode?) -> TrackingMode? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }

    /// For whoever wrote something else.
    package static let rule = "must be true, false or anonymous"
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
