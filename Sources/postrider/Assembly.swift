import CryptoAdapter
import Engine
import Foundation
import HTTPAdapter
import Logging
import MailFormat
import MailLogAdapter
import MailModel
import MilterAdapter
import ResolverAdapter
import SMTPAdapter
import SQLStore
import ScannerAdapter
import Settings
import WebhookAdapter
import WorkflowModel

/// Turns the configuration into the plain values and objects that the rooms need. The only place that knows them all.
struct Assembly {
    let configuration: Configuration
    let logger: Logger

    /// Opens the database and makes the engine's context.
    ///
    /// - Parameters:
    ///   - exclusively: as the daemon, which nobody else may be at the same time.
    ///   - makingDatabase: false for a command that only looks: where there is no database it makes none.
    /// - Throws: `CommandFailure` when there is no database, `StoreError`.
    func makeEngine(
        exclusively: Bool, makingDatabase: Bool = true
    ) async throws -> (store: SQLiteStore, context: EngineContext) {
        let path = configuration.database.path
        guard makingDatabase || FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure("there is no database at \(path) yet: start the daemon or apply a workflow first")
        }
        var isAnnounced = false
        let store = try SQLiteStore(path: configuration.database.path, exclusively: exclusively) { schema in
            // A new version may have much to rewrite, and systemd waits no longer than the unit says.
            if exclusively { ServiceManager.notify("EXTEND_TIMEOUT_USEC=90000000") }
            if !isAnnounced, schema > 0 { announceMigration(from: schema, isDaemon: exclusively) }
            isAnnounced = true
        }
        let clock = SystemClock()
        let cryptography = OpenSSLCryptography()
        let secret = try await EngineContext.prepare(store: store, clock: clock, cryptography: cryptography)
        var context = EngineContext(
            store: store, clock: clock, cryptography: cryptography, configuration: engineConfiguration,
            secret: secret,
            // A command serves no pixels, and the daemon's log is not its own.
            fetchLog: exclusively ? try FetchLogFile(besideDatabase: configuration.database.path) : nil,
            spool: ContactSpoolFiles(besideDatabase: configuration.database.path), rawMail: rawMail, logger: logger)
        context.mailServers = mailServers
        context.names = SystemNameService(timeout: 5, server: nameServer)
        if exclusively { context.relayWatch = makeRelayWatch(startedAt: clock.now()) }
        return (store, exclusively ? context : context.acting(as: .account(Self.account)))
    }

    /// For whoever wonders what takes so long, and why an earlier version does not start any more.
    private func announceMigration(from schema: Int, isDaemon: Bool) {
        if isDaemon {
            logger.notice(
                "the database is being brought up to date; afterwards earlier versions will not open it",
                metadata: ["schema": "\(schema)"])
        } else {
            complain(
                "the database (schema \(schema)) is being brought up to date; afterwards earlier versions will not open it"
            )
        }
    }

    /// Who sits at the command line. Behind sudo it is the one who called it.
    private static var account: String {
        let caller = getuid() == 0 ? ProcessInfo.processInfo.environment["SUDO_USER"] : nil
        return caller ?? NSUserName()
    }

    /// An engine over a database of its own, which is gone afterwards.
    static func withScratchEngine<Value: Sendable>(
        project: String, _ body: (EngineContext) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postrider-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        let (store, context) = try await makeScratchEngine(
            path: folder.appendingPathComponent("scratch.db").path, project: project)
        defer { try? store.close() }
        return try await body(context)
    }

    /// An engine without an installation: a new database with that project, and a sender made up.
    static func makeScratchEngine(
        path: String, project: String
    ) async throws -> (store: SQLiteStore, context: EngineContext) {
        let store = try SQLiteStore(path: path, exclusively: false)
        let clock = SystemClock()
        let cryptography = OpenSSLCryptography()
        let secret = try await EngineContext.prepare(store: store, clock: clock, cryptography: cryptography)
        var configuration = EngineConfiguration()
        configuration.defaultFrom = "postrider@localhost"
        configuration.webhookDestinations = .everywhere
        let context = EngineContext(
            store: store, clock: clock, cryptography: cryptography, configuration: configuration, secret: secret,
            logger: .quiet)
        if project != Project.defaultSlug {
            let made = Project(id: context.identifiers.make(at: clock.now()), slug: project, name: project)
            try await store.write { try $0.insert(made, at: clock.now()) }
        }
        return (store, context)
    }

    private var engineConfiguration: EngineConfiguration {
        var engine = EngineConfiguration()
        engine.generationLimit = configuration.limits.generations
        engine.eventDataLimit = configuration.limits.eventData
        engine.readingLimits = readingLimits
        engine.maximalLifetime = configuration.smtp.maxLifetime.components.seconds
        engine.firstRetry = max(1, configuration.smtp.firstRetry.components.seconds)
        engine.longestRetry = max(1, configuration.smtp.maxRetry.components.seconds)
        engine.defaultFrom = configuration.mail.defaultFrom
        engine.autoReplyFrom = configuration.mail.autoReplyFrom
        engine.messageIDDomain = configuration.mail.messageIDDomain
        engine.hostName = ProcessInfo.processInfo.hostName
        engine.prefetchWindow = configuration.tracking.prefetchWindow.components.seconds
        let most = configuration.tracking.isAnonymous ? TrackingMode.anonymous : .on
        engine.opens = configuration.tracking.opens ? most : .off
        engine.clicks = configuration.tracking.clicks ? most : .off
        engine.trackingURL = configuration.tracking.url
        engine.suppression = suppressionPolicy
        engine.returnAddresses = returnAddresses
        engine.replies = replyLimits
        engine.rawMail = rawMailPolicy
        engine.notesSubmissions = configuration.postfix.isExactlyOnce
        engine.hitLimit = configuration.tracking.maxHitsPerMail
        engine.ownAddresses = Set(configuration.ownAddresses.map { $0.lowercased() })
        let strangers = configuration.rates.unknownKeys
        engine.strangerRate = strangers > 0 ? Rate(perSecond: Double(strangers) / 60, burst: strangers) : nil
        engine.webhookDestinations = webhookDestinations
        engine.relayNames = relays.map(\.rules.name)
        engine.pacing = configuration.pacing.map(\.rule)
        return engine
    }

    /// How much of a message is read.
    var readingLimits: ReadingLimits {
        ReadingLimits(
            bodyBytes: configuration.milter.bodyLimit, headerFields: configuration.milter.headerLimit,
            parts: configuration.milter.partLimit, nesting: configuration.milter.nestingLimit)
    }

    /// Who answers for the DNS; nil when nobody is to be asked.
    var mailServers: (any MailServerLookup)? {
        configuration.verify.dns
            ? SystemMailServerLookup(
                timeout: configuration.verify.timeout.components.seconds, server: nameServer) : nil
    }

    /// Whom to ask; nil for those of the system.
    private var nameServer: NameServer? { configuration.dns.server.flatMap(NameServer.init) }

    /// What tells of the relay's queue. A relay on another machine has neither listing nor log here.
    private func makeRelayWatch(startedAt: Timestamp) -> RelayWatch {
        let postfix = configuration.postfix
        let relays = configuration.relays.map(\.smtp)
        let isLocal = (relays.isEmpty ? [configuration.smtp] : relays).contains { $0.isLocal }
        let listing = postfix.postqueue.flatMap { program in
            isLocal
                ? PostqueueListing(program: program, configuration: postfix.configurationDirectory) : nil
        }
        return RelayWatch(
            listing: listing, followsLog: postfix.log != nil, patience: postfix.proofWait.components.seconds,
            startedAt: startedAt)
    }

    /// The log to follow; nil for none.
    var mailLog: (any MailLogSource)? {
        switch configuration.postfix.log {
        case .file(let path): LogFile(path: path)
        case .journal: JournalLog()
        case nil: nil
        }
    }

    var rates: RequestRates {
        func rate(_ rate: Configuration.Rates.Rate) -> Rate {
            Rate(perSecond: Double(rate.perSecond), burst: rate.burst)
        }
        let rates = configuration.rates
        return RequestRates(
            isEnabled: rates.isEnabled, track: rate(rates.track), send: rate(rates.send),
            contacts: rate(rates.contacts))
    }

    private var returnAddresses: ReturnAddresses {
        func addresses(_ addresses: Configuration.Returns.Addresses) -> ReturnAddresses.Addresses {
            .init(
                returnPath: addresses.bounce.flatMap { MailAddress.parse($0) },
                replies: addresses.reply.flatMap { MailAddress.parse($0) })
        }
        let returns = configuration.returns
        return ReturnAddresses(
            addresses(returns.addresses), byProject: returns.projects.mapValues(addresses),
            delimiter: returns.delimiter.first ?? "+")
    }

    private var rawMailPolicy: RawMailPolicy {
        let rawMail = configuration.rawMail
        var policy = RawMailPolicy()
        policy.keep = Self.keep(rawMail.keep)
        policy.largestSize = rawMail.maxSize
        policy.largestAge = rawMail.maxAge.components.seconds
        policy.largestTotal = rawMail.maxTotal
        return policy
    }

    /// The mail that is kept as it came.
    var rawMail: RawMailFiles {
        RawMailFiles(besideDatabase: configuration.database.path, policy: rawMailPolicy)
    }

    static func keep(_ keep: RawMailKeep) -> RawMailPolicy.Keep {
        switch keep {
        case .never: .never
        case .failures: .failures
        case .always: .always
        }
    }

    private var replyLimits: ReplyLimits {
        let replies = configuration.autoReplies
        var limits = ReplyLimits()
        limits.window = replies.window.components.seconds
        limits.perSender = replies.perSender
        limits.perDomain = replies.perDomain
        limits.overall = replies.perHour
        limits.pause = replies.pause.components.seconds
        limits.largestAge = replies.maxAge.components.seconds
        limits.largestHopCount = replies.maxHops
        limits.largestThread = replies.maxThread
        limits.requiresAuthentication = replies.requiresAuthentication
        limits.refusedFields = Set(replies.refusedFields.map { $0.lowercased() })
        limits.answersFrom = replies.target == .from
        limits.hasNullSender = replies.hasNullSender
        limits.isMarkedAsBulk = replies.isMarkedAsBulk
        return limits
    }

    private var suppressionPolicy: SuppressionPolicy {
        let suppression = configuration.suppression
        var policy = SuppressionPolicy()
        policy.suppressesBounces = suppression.bounces
        policy.suppressesComplaints = suppression.complaints
        policy.softLimit = suppression.softLimit
        policy.softWindow = suppression.softWindow.components.seconds
        policy.softDuration = suppression.softDuration.components.seconds
        return policy
    }

    /// - Throws: `ConfigurationError`-like sentence when a route names a project that is not there.
    func makeIntake(_ context: EngineContext) async throws -> Intake {
        var intake = Intake.Configuration()
        intake.routes = try inboundRoutes
        intake.sources = passiveSources
        if !scanners.isEmpty { intake.scanDeadline = configuration.verdicts.deadline }
        let known = Set(try await context.store.read { try $0.loadCatalog().projects.map(\.slug) })
        let events = configuration.unknownRecipients.filter { $0.answer == .event }
        for project in configuration.routes.map(\.project) + events.map(\.project) where !known.contains(project) {
            throw CommandFailure(
                "routes: there is no project \(project); known are \(known.sorted().joined(separator: ", "))")
        }
        for project in configuration.returns.projects.keys.sorted() where !known.contains(project) {
            throw CommandFailure(
                "returns.projects: there is no project \(project); known are \(known.sorted().joined(separator: ", "))")
        }
        return Intake(context: context, configuration: intake)
    }

    func milter(routes: InboundRoutes) -> MilterConfiguration {
        let milter = configuration.milter
        return MilterConfiguration(
            unixSocketPath: milter.socket, socketMode: milter.socketMode, socketGroup: milter.socketGroup,
            // An address beyond loopback was refused with the configuration unless it was asked for by name.
            tcp: milter.tcp.map {
                .init(host: $0.host, port: $0.port, allowsRemoteClients: true)
            }, bodyLimit: milter.bodyLimit,
            headerCountLimit: milter.headerLimit, headerBytesLimit: milter.headerBytesLimit,
            recipientLimit: milter.recipientLimit,
            inFlight: InFlightLimits(
                bytes: milter.inFlightBytes, messages: milter.inFlightMessages, clientBytes: milter.clientBytes,
                clientMessages: milter.clientMessages),
            refusesRecipients: routes.refusesUnknownRecipients, commitDeadline: milter.commitDeadline,
            fallback: milter.onFailure == .accept ? .accept : .tempfail, allowsQuarantine: routes.mayQuarantine)
    }

    var webhookDestinations: WebhookDestinations {
        WebhookDestinations(allowedHosts: configuration.webhooks.allowedHosts)
    }

    var webhooks: WebhookTransportConfiguration {
        WebhookTransportConfiguration(
            destinations: webhookDestinations, workers: configuration.webhooks.concurrency,
            timeout: configuration.webhooks.timeout, caFile: configuration.webhooks.caFile)
    }
}

extension MilterGauges {
    /// As `/healthz` shows them.
    var numbers: [String: Int] {
        [
            "openSessions": openSessions, "messagesInFlight": messagesInFlight, "messagesWaiting": messagesWaiting,
            "messages": messages, "unwanted": unwanted, "tempfails": tempfails, "failedOpen": failedOpen,
            "timeouts": timeouts, "lateCommits": lateCommits, "truncated": truncated,
            "refusedRecipients": refusedRecipients, "refusedWhileDraining": refusedWhileDraining,
            "tcpConnections": tcpConnections, "bytesInFlight": bytesInFlight, "refusedBusy": refusedBusy,
            "faults": faults, "refusedConnections": refusedConnections, "rejectedRecipients": rejectedRecipients,
            "rejected": rejected, "quarantined": quarantined,
        ]
    }
}

/// A sentence for the one at the terminal; the command ends with status 1.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
