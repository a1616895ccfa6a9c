import JSONValue
import MailModel
import WorkflowModel

extension Opens {
    /// Who fetches a pixel or follows a link, as the HTTP side sees it.
    package struct Client: Sendable {
        package var userAgent: String
        /// The IP address as text.
        package var address: String
        /// Asked not to be tracked (`Sec-GPC: 1` or `DNT: 1`).
        package var wantsPrivacy: Bool

        package init(userAgent: String, address: String, wantsPrivacy: Bool) {
            self.userAgent = userAgent
            self.address = address
            self.wantsPrivacy = wantsPrivacy
        }
    }

    /// Takes note of a link that was followed. Returns at once: nobody waits for the database on his way.
    package func noteClick(entry: Identifier, link: String, by client: Client) {
        guard context.configuration.clicks != .off else { return }
        take(.mail(entry), link: link, by: client, upTo: context.configuration.clicks)
    }

    /// The same for a link in mail that tells nothing of its readers.
    package func noteClick(place: SharedPlace, link: String, by client: Client) {
        guard context.configuration.clicks != .off else { return }
        take(.shared(place), link: link, by: client, upTo: .anonymous)
    }

    /// Scanners of mail follow links longer after it has come than they fetch its pictures.
    private static let clickWindowFactor: Int64 = 2

    static func recordClick(
        _ noted: NotedFetch, of link: String, entry: OutboxEntry, contact: Contact?, in transaction: EngineTransaction
    ) throws {
        let configuration = transaction.context.configuration
        switch configuration.clicks(in: transaction.catalog.project(entry.projectID)) {
        case .off: return
        case .anonymous: return try countNameless(noted, of: entry, in: transaction)
        case .on: break
        }
        let window = Self.clickWindowFactor * configuration.prefetchWindow
        let isPrefetch = try Self.isPrefetch(noted, of: entry, window: window, in: transaction)
        let hit = ClickHit(
            entryID: entry.id, at: noted.at, link: link, userAgent: noted.userAgent, network: noted.network,
            machineReason: noted.machineReason ?? (isPrefetch ? "prefetch" : nil))
        guard let clicks = try transaction.store.record(hit, limit: configuration.hitLimit) else { return }
        if clicks.count == 1 { try transaction.count(.clicked, for: entry) }
        var data = entry.eventData.merging([
            "link": .string(link),
            "clickedAt": .string("\(clicks.first)"), "clicks": .int(Int64(clicks.count)),
            "isFirstClick": .bool(clicks.count == 1), "userAgent": .string(noted.userAgent),
        ])
        if try isBeforeOpen(entry, in: transaction) { data["signals"] = .array(["before_open"]) }
        try EventRecorder(transaction: transaction, projectID: entry.projectID).record(
            EventName.emailClicked, data: data, generation: 0, contact: contact)
    }

    /// Whether the mail has a pixel of its own that nobody has fetched: scanners follow links and leave images alone, but so
    /// do people whose program shows no images.
    private static func isBeforeOpen(_ entry: OutboxEntry, in transaction: EngineTransaction) throws -> Bool {
        // Machines' fetches are forgotten after that.
        guard entry.createdAt.adding(seconds: Housekeeping.hitMemory) > transaction.now else { return false }
        guard let version = try transaction.store.templateVersion(entry.request.templateVersionID) else { return false }
        let project = transaction.catalog.project(entry.projectID)
        let mode = MailBuilder.opens(of: entry, version.content, transaction.context.configuration, project)
        return try mode == .on && !transaction.store.isPixelFetched(of: entry.id)
    }
}

/// A link that was followed.
package struct ClickHit: Hashable, Sendable {
    package var entryID: Identifier
    package var at: Timestamp
    package var link: String
    package var userAgent: String
    /// Truncated to /24 (IPv4) or /48 (IPv6); empty when the client asked for privacy.
    package var network: String
    /// Why this hit is counted as a machine's; nil for a person's.
    package var machineReason: String?

    package init(
        entryID: Identifier, at: Timestamp, link: String, userAgent: String, network: String,
        machineReason: String? = nil
    ) {
        self.entryID = entryID
        self.at = at
        self.link = link
        self.userAgent = userAgent
        self.network = network
        self.machineReason = machineReason
    }
}

/// The clicks of people in one mail.
package struct ClickCount: Hashable, Sendable {
    package var first: Timestamp
    package var count: Int

    package init(first: Timestamp, count: Int) {
        self.first = first
        self.count = count
    }
}
