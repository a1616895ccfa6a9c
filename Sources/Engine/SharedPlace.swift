import WorkflowModel

/// What the hits of an anonymous mail are counted for: the same for everybody who gets mails of one template version from one
/// step. It is all that their pixels and links carry.
package struct SharedPlace: Hashable, Sendable {
    package var project: Identifier
    /// Nil for content that no template holds (a body that came with a request to send): it may be one person's alone, so all
    /// such mail of a project is one place.
    package var version: Identifier?
    /// Key of the workflow's step, or `broadcast:` and its id; empty for other mail, and for content without a template.
    package var step: String

    package init(project: Identifier, version: Identifier?, step: String) {
        self.project = project
        self.version = version
        self.step = step
    }

    /// No key of a step has a colon.
    private static let broadcastPrefix = "broadcast:"

    /// - Parameter version: what the mail was made from.
    init(of entry: OutboxEntry, version: TemplateVersion?) {
        let broadcast = entry.request.broadcast
        // The version of a request's own content is its own template. That of a broadcast goes to many.
        let isForMany = version.map { $0.templateID != $0.id || broadcast != nil } ?? false
        let source =
            broadcast.map { Self.broadcastPrefix + "\($0.id)" } ?? (entry.executionID == nil ? "" : entry.request.step)
        self.init(
            project: entry.projectID, version: isForMany ? version?.id : nil, step: isForMany ? source : "")
    }
}

/// One look at an anonymous mail, of which nothing else is known.
package struct SharedHit: Hashable, Sendable {
    package var place: SharedPlace
    /// Where the link led that was followed; nil for a pixel.
    package var link: String?
    package var at: Timestamp
    package var isMachine: Bool

    package init(place: SharedPlace, link: String?, at: Timestamp, isMachine: Bool) {
        self.place = place
        self.link = link
        self.at = at
        self.isMachine = isMachine
    }

    /// The day it counts for, in UTC: its first microsecond. A finer time would tell one reader from another.
    package var day: Timestamp { Self.day(of: at) }

    /// The first microsecond of a time's day, in UTC.
    package static func day(of time: Timestamp) -> Timestamp {
        let length: Int64 = 86_400_000_000
        let time = time.microseconds
        return Timestamp(microseconds: time - (time % length + length) % length)
    }
}

/// How often a place was looked at.
package struct SharedHitCount: Hashable, Sendable {
    package var version: Identifier?
    /// Whose version it is; nil for content without a template, and for a version that is gone.
    package var template: Identifier?
    package var step: String
    /// Nil for pixels.
    package var link: String?
    package var people: Int
    package var machines: Int

    package init(
        version: Identifier?, template: Identifier?, step: String, link: String?, people: Int, machines: Int
    ) {
        self.version = version
        self.template = template
        self.step = step
        self.link = link
        self.people = people
        self.machines = machines
    }
}

extension SharedHitCount {
    /// The broadcast that the mail was a part of.
    package var broadcast: String? {
        step.hasPrefix("broadcast:") ? String(step.dropFirst("broadcast:".utf8.count)) : nil
    }
}

/// The store's operations on the hits of anonymous mail, inside one write transaction.
package protocol TrackingTransaction: AnyObject {
    func count(_ hit: SharedHit) throws
    /// Whether the pixel of this mail has been fetched, by whomever.
    func isPixelFetched(of entry: Identifier) throws -> Bool
    /// Forgets those of days that began before.
    /// - Returns: how many rows were forgotten, at most `limit`.
    func pruneSharedHits(before day: Timestamp, limit: Int) throws -> Int
}

/// The reads beside it.
package protocol TrackingReader: AnyObject {
    /// By version, step and link, the newest version first; those of days from `start` on, at most `limit`.
    func sharedHits(in project: Identifier, since start: Timestamp, limit: Int) throws -> [SharedHitCount]
}

extension Opens {
    /// What is recorded of a project's readers, and how often its anonymous mail was looked at.
    package struct Overview: Sendable {
        package var opens: TrackingMode
        package var clicks: TrackingMode
        package var counts: [SharedHitCount]
    }

    /// Rows that are shown at most.
    package static let overviewLimit = 10_000
    /// Days that are shown at most; what is older is forgotten.
    package static let longestOverview = 400

    /// - Parameter days: today among them, in UTC.
    /// - Throws: `StoreError`.
    package func overview(of project: Identifier, days: Int) async throws -> Overview {
        let now = context.clock.now()
        let configuration = context.configuration
        return try await context.store.read { reader in
            let known = try reader.loadCatalog().projects.first { $0.id == project }
            let day = SharedHit.day(of: now.adding(seconds: -86_400 * Int64(max(1, days) - 1)))
            return Overview(
                opens: configuration.opens(in: known), clicks: configuration.clicks(in: known),
                counts: try reader.sharedHits(in: project, since: day, limit: Self.overviewLimit))
        }
    }
}
