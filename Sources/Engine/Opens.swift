import JSONValue
import Logging
import MailModel
import WorkflowModel

/// Turns fetches of the open pixel into `email.opened` and links that were followed into `email.clicked`: every hit is kept,
/// the first of a pixel that no machine made is the open, and each of a link is a click.
package struct Opens: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// One GET of a pixel, as the HTTP side saw it.
    package struct Fetch: Sendable {
        package var token: String
        package var userAgent: String
        /// The client's IP address as text.
        package var address: String
        /// The client asked not to be tracked (`Sec-GPC: 1` or `DNT: 1`).
        package var wantsPrivacy: Bool

        package init(token: String, userAgent: String, address: String, wantsPrivacy: Bool) {
            self.token = token
            self.userAgent = userAgent
            self.address = address
            self.wantsPrivacy = wantsPrivacy
        }
    }

    /// Takes note of a fetch. Returns at once, whatever the token: the pixel is served in any case, and its sender never
    /// waits for the database. Unknown and altered tokens are dropped.
    package func note(_ fetch: Fetch) {
        guard context.configuration.opens != .off else { return }
        let client = Client(
            userAgent: fetch.userAgent, address: fetch.address, wantsPrivacy: fetch.wantsPrivacy)
        if let entry = context.tokens.verify(fetch.token, kind: .open) {
            take(.mail(entry), link: nil, by: client, upTo: context.configuration.opens)
        } else if let shared = context.tokens.verifyShared(fetch.token), shared.link == nil {
            take(.shared(shared.place), link: nil, by: client, upTo: .anonymous)
        }
    }

    /// - Parameter mode: what may be recorded at most, by what is known before the database is asked.
    func take(_ subject: NotedFetch.Subject, link: String?, by client: Client, upTo mode: TrackingMode) {
        let network = client.wantsPrivacy ? "" : PixelClient.network(of: client.address)
        // What must not be recorded is not written down on its way either.
        let isNameless = client.wantsPrivacy || mode != .on
        let noted = NotedFetch(
            subject, at: context.clock.now(), userAgent: isNameless ? "" : String(client.userAgent.prefix(256)),
            network: isNameless ? "" : network,
            machineReason: PixelClient.machineReason(userAgent: client.userAgent), link: link)
        guard context.fetchRate.allows(noted, from: network), context.fetches.hasRoom else { return }
        submit(context.fetches.began(noted))
    }

    /// Records what an earlier daemon had answered when it died. To be called once at the start.
    package func recover() {
        submit(context.fetches.takeOver())
    }

    private func submit(_ batch: [NotedFetch]) {
        if batch.isEmpty { return }
        context.submit { transaction in
            for noted in batch {
                transaction.beginCause()
                try Self.record(noted, in: transaction)
            }
        } completion: { result in
            guard case .success = result else {
                // One of them may be the reason.
                return context.fetches.tell { submitOneByOne(batch[...]) }
            }
            context.fetches.recorded(batch.count)
            submit(context.fetches.next())
        }
    }

    private func submitOneByOne(_ batch: ArraySlice<NotedFetch>) {
        guard let noted = batch.first else { return submit(context.fetches.next()) }
        context.submit { transaction in
            try Self.record(noted, in: transaction)
        } completion: { result in
            switch result {
            case .success: context.fetches.recorded(1)
            case .failure(let error):
                let isLater = error is StoreError && !error.isRowsFault
                context.logger.error(
                    isLater ? "fetch not recorded yet" : "fetch cannot be recorded",
                    metadata: ["mail": "\(noted.subject)", "error": "\(error)"])
                // What is wrong with the mail's own rows does not get better by waiting.
                if isLater { context.fetches.failed(noted) } else { context.fetches.recorded(1) }
            }
            context.fetches.tell { submitOneByOne(batch.dropFirst()) }
        }
    }

    private static func record(_ noted: NotedFetch, in transaction: EngineTransaction) throws {
        let entryID: Identifier
        switch noted.subject {
        case .mail(let entry): entryID = entry
        case .shared(let place): return try count(noted, of: place, in: transaction)
        }
        guard let entry = try transaction.store.entry(entryID) else { return }
        let contact = try transaction.store.contact(entry.contactID)
        // Mail that left before the contact said so still carries its tokens.
        if contact?.refusesTracking == true { return }
        if let link = noted.link {
            return try recordClick(noted, of: link, entry: entry, contact: contact, in: transaction)
        }
        let configuration = transaction.context.configuration
        switch configuration.opens(in: transaction.catalog.project(entry.projectID)) {
        case .off: return
        case .anonymous: return try countNameless(noted, of: entry, in: transaction)
        case .on: break
        }
        let isPrefetch = try Self.isPrefetch(noted, of: entry, window: configuration.prefetchWindow, in: transaction)
        let hit = PixelHit(
            entryID: entryID, at: noted.at, userAgent: noted.userAgent, network: noted.network,
            machineReason: noted.machineReason ?? (isPrefetch ? "prefetch" : nil))
        guard try transaction.store.record(hit, limit: configuration.hitLimit) else { return }
        try transaction.count(.opened, for: entry)
        var data = entry.eventData.merging([
            "openedAt": .string("\(noted.at)"), "opens": 1, "isFirstOpen": true,
            "userAgent": .string(noted.userAgent),
        ])
        if let proxy = PixelClient.imageProxy(userAgent: noted.userAgent) { data["signals"] = .array([.string(proxy)]) }
        try EventRecorder(transaction: transaction, projectID: entry.projectID).record(
            EventName.emailOpened, data: data, generation: 0, contact: contact)
    }

    /// A look at mail that tells nothing of its readers: a number goes up.
    private static func count(_ noted: NotedFetch, of place: SharedPlace, in transaction: EngineTransaction) throws {
        let configuration = transaction.context.configuration
        guard let project = transaction.catalog.projects.first(where: { $0.id == place.project }) else { return }
        let mode = noted.link == nil ? configuration.opens(in: project) : configuration.clicks(in: project)
        guard mode != .off else { return }
        try transaction.store.count(
            SharedHit(place: place, link: noted.link, at: noted.at, isMachine: noted.machineReason != nil))
        try transaction.store.count(noted.link == nil ? "opens_anonymous" : "clicks_anonymous", by: 1)
    }

    /// The same for mail from before nobody was to be recorded any more, whose pixels and links still name it. Where its
    /// links lead is not kept: it may name the reader.
    static func countNameless(_ noted: NotedFetch, of entry: OutboxEntry, in transaction: EngineTransaction) throws {
        let version = try transaction.store.templateVersion(entry.request.templateVersionID)
        var nameless = noted
        if noted.link != nil { nameless.link = Self.unnamedLink }
        try count(nameless, of: SharedPlace(of: entry, version: version), in: transaction)
    }

    /// In the place of a link that is not kept.
    package static let unnamedLink = "*"

    /// Whether a look came too early for a person: before the mail was in a mailbox, or within the window behind that.
    /// What the relay took at once the next server may put off for an hour (greylisting), and its scanners look when it
    /// takes it; where the relay's log is followed, it says when that was.
    /// - Parameter window: seconds.
    static func isPrefetch(
        _ noted: NotedFetch, of entry: OutboxEntry, window: Int64, in transaction: EngineTransaction
    ) throws -> Bool {
        guard let acceptedAt = try acceptance(of: entry, in: transaction),
            noted.at >= acceptedAt.adding(seconds: window)
        else { return true }
        guard let fate = try transaction.store.fate(of: entry.id) else { return false }
        switch fate.status {
        case .delivered: return noted.at < fate.at.adding(seconds: window)
        // The attempt that succeeds is not read in the log yet.
        case .deferred: return noted.at < fate.at.adding(seconds: Self.longestDeferral)
        case .queued, .bounced, .expired: return false
        }
    }

    /// Seconds from one attempt of the relay to the next, at most: after them the line of the next one must have been
    /// lost. Postfix takes 4000 unless told otherwise (`maximal_backoff_time`), and looks every 300 seconds.
    private static let longestDeferral: Int64 = 2 * 3600

    /// When the relay took the mail. Before that only a scanner on its way can see it, unless an attempt ended unknown.
    private static func acceptance(of entry: OutboxEntry, in transaction: EngineTransaction) throws -> Timestamp? {
        try transaction.store.deliveredAt(entry.id) ?? (entry.uncertainAttempts > 0 ? entry.createdAt : nil)
    }
}
