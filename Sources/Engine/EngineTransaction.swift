import Logging
import Synchronization
import WorkflowModel

/// What every use case works with: the ports, the limits, and the caches that hang on them.
///
/// It is copied for every request and every transaction, so what never changes is behind one reference.
package struct EngineContext: Sendable {
    /// Who asks.
    package private(set) var actor = Actor.system
    /// The key that was taken for the request at hand.
    private(set) var key: Authentication.Found?
    /// The request at hand, when it must not take effect twice.
    var idempotency: IdempotentRequest?
    /// Nil when the DNS is not to be asked.
    package var mailServers: (any MailServerLookup)?
    /// Who is asked for the mail servers of domains, where their pace depends on them; nil asks nobody.
    package var names: (any NameService)?
    /// Nil when nothing but its answers is known of the relay.
    package var relayWatch: RelayWatch?
    private let parts: Parts

    private final class Parts: Sendable {
        let store: any Store
        let clock: any WallClock
        let cryptography: any Cryptography
        let identifiers: IdentifierSource
        let zones: any TimeZoneRules
        let configuration: EngineConfiguration
        let logger: Logger
        let signals = EngineSignals()
        let tokens: TokenSigner
        let trackingAddress = TrackingAddress()
        let fetches: FetchJournal
        /// Where files of contacts wait for their import; nil takes none.
        let spool: (any ContactSpool)?
        /// Where mail is kept as it came; nil keeps none.
        let rawMail: (any RawMailArchive)?
        let gauges = Gauges()
        let relayReports = RelayReports()
        let readyMails = ReadyMails()
        let keys = KeyCache()
        /// Unknown keys by the client's network.
        let strangers = TokenBuckets<String>()
        let catalogs = CatalogCache()
        let fetchRate = FetchRate()
        let templates = TemplateCache()
        /// Mails go on while somebody looks at templates.
        let mailThreads = RenderingThreads("mail", count: 4)
        let previewThreads = RenderingThreads("preview", count: 2)

        init(
            store: any Store, clock: any WallClock, cryptography: any Cryptography, identifiers: IdentifierSource,
            configuration: EngineConfiguration, secret: [UInt8], fetchLog: (any FetchLog)?, spool: (any ContactSpool)?,
            rawMail: (any RawMailArchive)?, zones: any TimeZoneRules, logger: Logger
        ) {
            self.store = store
            self.clock = clock
            self.cryptography = cryptography
            self.identifiers = identifiers
            self.zones = zones
            self.configuration = configuration
            self.logger = logger
            fetches = FetchJournal(fetchLog)
            self.spool = spool
            self.rawMail = rawMail
            tokens = TokenSigner(key: secret, cryptography: cryptography)
        }
    }

    package var store: any Store { parts.store }
    package var clock: any WallClock { parts.clock }
    package var cryptography: any Cryptography { parts.cryptography }
    package var identifiers: IdentifierSource { parts.identifiers }
    package var zones: any TimeZoneRules { parts.zones }
    package var configuration: EngineConfiguration { parts.configuration }
    package var logger: Logger { parts.logger }
    package var signals: EngineSignals { parts.signals }
    package var tokens: TokenSigner { parts.tokens }
    package var trackingAddress: TrackingAddress { parts.trackingAddress }
    package var fetches: FetchJournal { parts.fetches }
    package var spool: (any ContactSpool)? { parts.spool }
    package var rawMail: (any RawMailArchive)? { parts.rawMail }
    package var gauges: Gauges { parts.gauges }
    package var relayReports: RelayReports { parts.relayReports }
    package var readyMails: ReadyMails { parts.readyMails }
    var keys: KeyCache { parts.keys }
    var strangers: TokenBuckets<String> { parts.strangers }
    var catalogs: CatalogCache { parts.catalogs }
    var fetchRate: FetchRate { parts.fetchRate }
    var templates: TemplateCache { parts.templates }
    var mailThreads: RenderingThreads { parts.mailThreads }
    var previewThreads: RenderingThreads { parts.previewThreads }

    /// - Parameters:
    ///   - secret: 32 bytes that sign tokens; see `prepare`.
    ///   - fetchLog: keeps pixel fetches until they are recorded; nil loses what a dying process has not recorded yet.
    package init(
        store: any Store, clock: any WallClock, cryptography: any Cryptography,
        identifiers: IdentifierSource = IdentifierSource(), configuration: EngineConfiguration, secret: [UInt8],
        fetchLog: (any FetchLog)? = nil, spool: (any ContactSpool)? = nil,
        rawMail: (any RawMailArchive)? = nil, zones: any TimeZoneRules = SystemZones(),
        logger: Logger
    ) {
        parts = Parts(
            store: store, clock: clock, cryptography: cryptography, identifiers: identifiers,
            configuration: configuration, secret: secret, fetchLog: fetchLog, spool: spool, rawMail: rawMail,
            zones: zones, logger: logger
        )
    }

    /// The same engine for somebody else: what they change bears their name in the audit log.
    package func acting(as actor: Actor) -> EngineContext {
        var context = self
        context.actor = actor
        return context
    }

    /// The same engine for the client with that key. Every transaction first looks whether the key still holds.
    package func acting(with key: Authentication.Found) -> EngineContext {
        var context = acting(as: .key(key.key.id))
        context.key = key
        return context
    }

    /// First start: makes the default project and the signing secret. Later starts: finds them.
    /// - Returns: the signing secret, with earlier ones behind it: a `TokenKeyRing`.
    package static func prepare(
        store: any Store, clock: any WallClock, cryptography: any Cryptography,
        identifiers: IdentifierSource = IdentifierSource()
    ) async throws -> [UInt8] {
        let now = clock.now()
        let candidate = cryptography.randomBytes(TokenKeyRing.keyLength)
        let id = identifiers.make(at: now)
        return try await store.write { transaction in
            if try transaction.loadCatalog().project(slug: Project.defaultSlug) == nil {
                try transaction.insert(Project(id: id, slug: Project.defaultSlug, name: "Default"), at: now)
            }
            return try transaction.secret(TokenKeys.secretName, orInsert: candidate)
        }
    }

    /// Reads on a snapshot.
    /// - Parameter isSearch: whether it goes through contacts in numbers, and therefore has its time.
    /// - Throws: what `body` throws, or `StoreError`; `UseCaseError.queryTooSlow` for a search that took too long.
    func read<Value: Sendable>(
        isSearch: Bool, _ body: @escaping @Sendable (any StoreReader) throws -> Value
    ) async throws -> Value {
        guard isSearch else { return try await store.read(body) }
        let limit = configuration.searchLimit
        do {
            return try await store.read { reader in try reader.within(limit) { try body(reader) } }
        } catch let error as StoreError where error.code == .tooSlow {
            throw UseCaseError(
                .queryTooSlow,
                "going through the contacts took longer than \(limit): ask for less, or make a segment of the filter")
        }
    }

    /// Runs a use case in one transaction, then wakes whoever got work by it.
    package func transact<Value: Sendable>(
        _ body: @escaping @Sendable (EngineTransaction) throws -> Value
    ) async throws -> Value {
        let (value, wakes) = try await store.write { store in
            let transaction = try EngineTransaction(store: store, context: self)
            let value = try body(transaction)
            if idempotency != nil { try transaction.keepIdempotency(value) }
            return (value, try transaction.finish())
        }
        idempotency?.didCommit()
        signals.send(wakes)
        return value
    }

    /// The same for callers that are no tasks.
    package func submit<Value: Sendable>(
        others: Int? = 0, _ body: @escaping @Sendable (EngineTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        store.submit(others: others) { store in
            let transaction = try EngineTransaction(store: store, context: self)
            let value = try body(transaction)
            if idempotency != nil { try transaction.keepIdempotency(value) }
            return (value, try transaction.finish())
        } completion: { result in
            if case .success(let (_, wakes)) = result {
                idempotency?.didCommit()
                signals.send(wakes)
            }
            completion(result.map { $0.0 })
        }
    }
}

/// One use case under way inside one write transaction: the store's operations, the catalog as of this transaction, one
/// `now`, and the notes for whoever must be woken after the commit.
package final class EngineTransaction {
    package let store: any StoreTransaction
    package let context: EngineContext
    package let catalog: Catalog
    package let now: Timestamp
    var wakes = EngineSignals.Wakes()
    /// What went wrong where it could not be thrown.
    var failure: (any Error)?
    /// What the cause at hand has brought about: events recorded and executions moved.
    var consequences = 0
    /// The log has a line about too many of them.
    var hasReportedFanOut = false
    /// The number of the event under way: events are numbered through the whole transaction.
    var eventNumber = 0
    /// The last that was made here.
    var lastDelivery: Identifier?
    /// By execution: the event that was under way when it last moved.
    var lastMoves: [Identifier: Int] = [:]
    /// Entries and exits of segments that have yet to become events.
    var announcements: [SegmentKeeper.Announcement] = []
    var isAnnouncing = false
    private var knownSegmentJobs: [Identifier: SegmentJob]?

    init(store: any StoreTransaction, context: EngineContext) throws {
        self.store = store
        self.context = context
        catalog = try context.catalogs.current(store, logger: context.logger)
        now = context.clock.now()
        if !catalog.unfinishedEvents.isEmpty { wakes.history = true }
        try checkKey()
    }

    /// The key was looked up before the transaction: what has happened to it meanwhile counts.
    private func checkKey() throws {
        guard let known = context.key, known.version != catalog.version else { return }
        guard var key = try store.key(hash: known.hash), key.isValid(at: now) else {
            context.keys.forget(known.hash)
            throw UseCaseError(.unauthorized, "this key is not known")
        }
        context.keys.remember(Authentication.Found(key: key, hash: known.hash, version: catalog.version))
        // Its end does not matter before it has come.
        key.expiresAt = known.key.expiresAt
        guard key == known.key else { throw UseCaseError(.unauthorized, "this key has changed: try again") }
    }

    /// - Returns: who must be woken after the commit. A catalog that has changed may hold another schedule.
    func finish() throws -> EngineSignals.Wakes {
        if try store.catalogVersion() != catalog.version { wakes.schedule = true }
        return wakes
    }

    /// To be called between causes that share a transaction: what each brings about is bounded on its own.
    func beginCause() { consequences = 0 }

    func makeID() -> Identifier { context.identifiers.make(at: now) }

    /// Computations of segments as they were when first asked for, by segment.
    func segmentJobs() throws -> [Identifier: SegmentJob] {
        if let knownSegmentJobs { return knownSegmentJobs }
        let jobs = Dictionary(uniqueKeysWithValues: try store.segmentJobs().map { ($0.segmentID, $0) })
        knownSegmentJobs = jobs
        return jobs
    }
}

/// Tells the loops of the engine that there is work, across threads and without losing a call.
package final class EngineSignals: Sendable {
    package struct Wakes: Sendable {
        var advance = false
        /// Queues with new mail, and when the first of it is due.
        var outbox: [OutboxQueue: Timestamp] = [:]
        var schedule = false
        var webhooks = false
        var segments = false
        /// A contact was erased, and what hangs on it must follow.
        var history = false
        /// Events that were recorded.
        var events = 0
        var jobs = false
        /// Something was stored that may keep a mail back.
        var withdraws = false
        var scans = false
        /// Mail was paused or goes on.
        var pauses = false
        /// A broadcast has another state.
        var broadcasts = false
        /// Mails of broadcasts that do not wait any more.
        var broadcastMails = 0

        /// There is mail to be sent, now or later.
        mutating func mail(_ entry: OutboxEntry) { mail(entry.queue, dueAt: entry.dueAt) }

        mutating func mail(_ queue: OutboxQueue, dueAt time: Timestamp) {
            outbox[queue] = min(outbox[queue] ?? time, time)
        }
    }

    package let advance = Wakeup()
    package let dispatch = Wakeup()
    package let schedule = Wakeup()
    package let webhooks = Wakeup()
    package let segments = Wakeup()
    package let history = Wakeup()
    /// Transactions so far after which a mail that was decided may not be sent any more.
    private let withdrawalCount = Atomic<Int>(0)
    var withdrawals: Int { withdrawalCount.load(ordering: .acquiring) }
    /// Events since the index of histories was last woken.
    private let events = Atomic<Int>(0)
    package let jobs = Wakeup()
    package let broadcasts = Wakeup()
    /// Mails of broadcasts that left the outbox since their writer was last woken.
    private let broadcastMails = Atomic<Int>(0)
    private let outbox = Mutex<[OutboxQueue: Timestamp]>([:])
    private let havePausesChanged = Atomic<Bool>(false)

    /// What was told of since the last call.
    func takeOutbox() -> [OutboxQueue: Timestamp] {
        outbox.withLock { outbox in
            defer { if !outbox.isEmpty { outbox = [:] } }
            return outbox
        }
    }

    func takePauses() -> Bool { havePausesChanged.exchange(false, ordering: .acquiringAndReleasing) }
    package let scans = Wakeup()

    func send(_ wakes: Wakes) {
        if wakes.withdraws { withdrawalCount.add(1, ordering: .releasing) }
        if wakes.pauses {
            havePausesChanged.store(true, ordering: .releasing)
            dispatch.signal()
        }
        if wakes.advance { advance.signal() }
        if !wakes.outbox.isEmpty {
            outbox.withLock { outbox in outbox.merge(wakes.outbox) { min($0, $1) } }
            dispatch.signal()
        }
        if wakes.schedule { schedule.signal() }
        if wakes.webhooks { webhooks.signal() }
        if wakes.jobs { jobs.signal() }
        if wakes.broadcasts { broadcasts.signal() }
        if wakes.broadcastMails > 0 { noteBroadcastMails(wakes.broadcastMails) }
        if wakes.scans { scans.signal() }
        if wakes.segments { segments.signal() }
        if wakes.events > 0 { noteEvents(wakes.events) }
        if wakes.history { history.signal() }
    }

    private func noteBroadcastMails(_ count: Int) {
        guard broadcastMails.add(count, ordering: .relaxed).newValue >= BroadcastWriter.refill else { return }
        broadcastMails.store(0, ordering: .relaxed)
        broadcasts.signal()
    }

    private func noteEvents(_ count: Int) {
        guard events.add(count, ordering: .relaxed).newValue >= History.sizes.run else { return }
        events.store(0, ordering: .relaxed)
        history.signal()
    }
}

/// Remembers the catalog until the database has a newer one. A transaction that changes the catalog and rolls back
/// leaves the version behind it, so that the next one loads again.
final class CatalogCache: Sendable {
    private let cached = Mutex<Catalog?>(nil)

    func current(_ store: any StoreTransaction, logger: Logger) throws -> Catalog {
        let version = try store.catalogVersion()
        if let catalog = cached.withLock({ $0 }), catalog.version == version { return catalog }
        var catalog = try store.loadCatalog()
        for damage in catalog.damagedWorkflows {
            logger.error(
                "workflow cannot be read", metadata: ["workflow": "\(damage.id)", "error": "\(damage.reason)"])
        }
        for damage in catalog.damagedTemplates {
            logger.error(
                "template cannot be read", metadata: ["template": "\(damage.slug)", "error": "\(damage.reason)"])
        }
        for damage in catalog.damagedSegments {
            logger.error(
                "segment cannot be read", metadata: ["segment": "\(damage.slug)", "error": "\(damage.reason)"])
        }
        // The first transaction that sees a workflow is the one that begins to keep what the workflow looks back on:
        // nothing can be recorded between.
        let missing = catalog.missingKeptEvents
        if !missing.isEmpty {
            for (project, names) in missing { try store.keepEvents(names, in: project) }
            catalog = try store.loadCatalog()
        }
        cached.withLock { $0 = catalog }
        return catalog
    }
}
