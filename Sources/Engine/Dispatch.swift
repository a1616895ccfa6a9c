import JSONValue
import Logging
import MailModel
import WorkflowModel

/// Takes mails out of the outbox and hands them to the relays, as many at once as those have places.
///
/// Who may go next is decided in memory (`DispatchBoard`), on tickets that are read ahead; only the mails chosen are
/// claimed, by their ids. A claim is durable before the attempt begins. Should the daemon die in between, the next start
/// finds the claim and tries again with the same Message-ID: a second copy is possible only when the relay had taken the
/// mail and our record of it was not yet durable, and every such attempt is counted (`possible_duplicates`).
package struct Dispatch: Sendable {
    package let context: EngineContext
    let relays: [MailRelay]
    let state: DispatchState
    let conclusions = Gathering<Conclusion>()
    let settled = SettledAttempts()
    /// Nil where no pace depends on the mail servers of domains.
    private let groups: MailServerGroups?
    /// The longest time without a look at all queues, in seconds.
    private static let longestSleep: Int64 = 30
    /// The same for pauses, which a command may set or end beside us.
    private static let pauseLook: Int64 = 1
    /// How long a stop waits for attempts under way; what is still unfinished then is tried again at the next start.
    private static let drainTime = Duration.seconds(20)
    /// Mails that one thread builds after one another: being woken costs it as much as building some of them.
    private static let buildLimit = 8
    /// How long it may take, after that, to end them and to record that nobody knows how they ended.
    private static let abandonTime = Duration.seconds(3)

    /// - Parameter relays: at least one.
    package init(context: EngineContext, relays: [MailRelay]) {
        self.context = context
        self.relays = relays
        state = DispatchState(
            relays.map { (rules: $0.rules, places: $0.transport.concurrency) }, context.configuration.pacing,
            lifetime: context.configuration.maximalLifetime)
        groups = Self.groups(context, state)
    }

    private static func groups(_ context: EngineContext, _ state: DispatchState) -> MailServerGroups? {
        guard let names = context.names, state.use({ $0.groupsByServer }) else { return nil }
        return MailServerGroups(names: names, clock: context.clock) { servers, lane in
            state.use { $0.know(servers: servers, of: lane) }
        }
    }

    /// With one relay for everything.
    package init(context: EngineContext, transport: any MailTransport) {
        self.init(context: context, relays: [MailRelay(RelayRules(name: "smtp"), transport: transport)])
    }

    /// Gives back what a daemon that died had claimed, and goes on counting the day. To be called once, before `run`.
    package func recover() async throws {
        let (released, counts) = try await context.transact { transaction in
            let entries = try transaction.store.releaseClaims(at: transaction.now)
            if !entries.isEmpty { try transaction.store.count("possible_duplicates", by: entries.count) }
            let day = PaceGate.day(of: transaction.now)
            try transaction.store.deletePaceCounts(beforeDay: day - 1)
            return (entries, try transaction.store.paceCounts(ofDay: day))
        }
        let day = PaceGate.day(of: context.clock.now())
        state.use { $0.goOn(countsOfDay: counts, day: day) }
        for entry in released {
            context.logger.warning("mail may go out a second time", metadata: ["entry": "\(entry)"])
        }
    }

    /// Runs until cancelled; then takes nothing new, and returns when the attempts under way have ended or after
    /// `drainTime`.
    package func run() async {
        report()
        let places = DeliveryPlaces(0)
        var looks = Looks()
        while !Task.isCancelled {
            switch await round(&looks, at: context.clock.now()) {
            case .go(let claimed):
                places.take(claimed.count)
                // Not a child: what has begun must not be cancelled with the loop.
                Task { await deliver(claimed, places: places) }
            case .rest(let time): await context.signals.dispatch.wait(until: time, clock: context.clock)
            }
        }
        await places.waitUntilAllFree(atMost: Self.drainTime)
        for relay in relays { relay.transport.stop() }
        await places.waitUntilAllFree(atMost: Self.abandonTime)
    }

    private func deliver(
        _ claimed: [(entry: OutboxEntry, seat: DispatchBoard.Seat)], places: DeliveryPlaces
    ) async {
        // One read for all of them: what is committed by now counts, and a read of its own for every mail would cost more
        // than what is read.
        if let groups { for (entry, seat) in claimed { groups.note(entry.request.recipient, lane: seat.lane) } }
        let materials = await materials(for: claimed.map(\.entry))
        let errands = zip(claimed, materials).map { claim, material in
            Errand(entry: claim.entry, seat: claim.seat, material: material, places: places)
        }
        for errand in errands where errand.isInTheDark { Task { await find(errand) } }
        let others = errands.filter { !$0.isInTheDark }
        for start in stride(from: 0, to: others.count, by: Self.buildLimit) {
            let group = others[start..<min(start + Self.buildLimit, others.count)]
            context.mailThreads.begin { for errand in group { begin(errand) } }
        }
    }

    private func report() {
        let state = state
        context.relayReports.register { state.use { $0.relayHealth } }
        context.readyMails.register { queue in state.use { $0.readyCount(in: queue) } }
        context.gauges.register("outboxQueues") { state.use { $0.numbers } }
        for (index, relay) in relays.enumerated() {
            context.gauges.register("relay.\(relay.rules.name)") { state.use { $0.relayHealth[index].numbers } }
        }
    }

    /// What one look at the outbox gives.
    enum Round {
        /// These are claimed.
        case go([(entry: OutboxEntry, seat: DispatchBoard.Seat)])
        /// Nobody may go before that time, unless something happens.
        case rest(until: Timestamp)
    }

    func round(_ looks: inout Looks, at now: Timestamp) async -> Round {
        do {
            try await look(&looks, at: now)
            try await read(at: now)
        } catch {
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            return .rest(until: now.adding(seconds: 1))
        }
        let (seats, lookAgain) = state.use { $0.next(at: now) }
        guard !seats.isEmpty else { return .rest(until: min(lookAgain, looks.next)) }
        guard let claimed = await claim(seats, at: now) else { return .rest(until: now.adding(seconds: 1)) }
        return .go(claimed)
    }

    // MARK: What is there

    /// When to look for what nobody tells.
    struct Looks {
        var queues = Timestamp(microseconds: .min)
        var pauses = Timestamp(microseconds: .min)
        var isPaused = false

        /// Without a pause nobody waits for its end; a new one is looked for before the next mail goes.
        var next: Timestamp { isPaused ? min(queues, pauses) : queues }
    }

    private func look(_ looks: inout Looks, at now: Timestamp) async throws {
        if now >= looks.queues {
            let (queues, slugs) = try await context.store.read { (try $0.outboxQueues(), try $0.projectSlugs()) }
            state.use { board in
                board.know(slugs)
                for queue in queues { board.add(queue) }
                board.rewind()
            }
            looks.queues = now.adding(seconds: Self.longestSleep)
        }
        let told = context.signals.takeOutbox()
        if !told.isEmpty {
            let hasStrangers = state.use { board in
                for (queue, time) in told { board.note(queue, dueAt: time, now: now) }
                return told.keys.contains { !board.knows($0.project) }
            }
            if hasStrangers {
                let slugs = try await context.store.read { try $0.projectSlugs() }
                state.use { $0.know(slugs) }
            }
        }
        if now >= looks.pauses || context.signals.takePauses() {
            let pauses = try await context.store.read { try $0.outboxPauses() }
            looks.isPaused = !pauses.isEmpty
            looks.pauses = now.adding(seconds: Self.pauseLook)
            state.use { $0.apply(PauseBoard(pauses), at: now) }
        }
    }

    private func read(at now: Timestamp) async throws {
        // What comes of one read may ask for another, up to a bound: somebody may be able to go already.
        for _ in 0..<8 {
            let reads = state.use { $0.reads(at: now) }
            if reads.isEmpty { return }
            let found = try await context.store.read { reader in
                try reads.map { read in
                    try reader.tickets(in: read.queue, after: read.after, lane: read.lane, limit: read.limit)
                }
            }
            state.use { board in
                for (read, tickets) in zip(reads, found) { board.take(tickets, for: read, at: now) }
            }
        }
    }

    /// - Returns: nil when the database did not take the claim.
    private func claim(
        _ seats: [DispatchBoard.Seat], at now: Timestamp
    ) async -> [(entry: OutboxEntry, seat: DispatchBoard.Seat)]? {
        let ids = seats.map(\.ticket)
        do {
            let entries = try await context.store.writeAlong { try $0.claim(ids, at: now) }
            var claimed: [(entry: OutboxEntry, seat: DispatchBoard.Seat)] = []
            claimed.reserveCapacity(entries.count)
            var rest = entries[...]
            // The order is the same; what is missing was cancelled, or taken by somebody else.
            for seat in seats {
                if let entry = rest.first, entry.id == seat.ticket {
                    claimed.append((entry, seat))
                    rest.removeFirst()
                } else {
                    state.use { $0.undo(seat, at: now) }
                }
            }
            return claimed
        } catch {
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            state.use { board in
                for seat in seats {
                    board.undo(seat, at: now)
                    // The ticket was taken off.
                    board.note(seat.queue, dueAt: Timestamp(microseconds: .min), now: now)
                }
            }
            return nil
        }
    }

    // MARK: One mail

    /// Builds, hands over and records one claimed mail. Also the whole of dispatch for tests.
    package func deliver(_ entry: OutboxEntry) async {
        let now = context.clock.now()
        await deliver(entry, state.use { $0.enter(entry.queue, entry.lane, entry.id, at: now) })
    }

    /// The same for a mail that has a seat. Returns when its end is written down.
    func deliver(_ entry: OutboxEntry, _ seat: DispatchBoard.Seat) async {
        let material = await materials(for: [entry])[0]
        await withCheckedContinuation { continuation in
            let errand = Errand(
                entry: entry, seat: seat, material: material, places: nil, ended: { continuation.resume() })
            guard errand.isInTheDark else { return context.mailThreads.begin { begin(errand) } }
            Task { await find(errand) }
        }
    }

    /// Gives the seat up: others may go while the outcome is being written.
    /// - Parameter outcome: nil when no attempt was made.
    func finish(_ seat: DispatchBoard.Seat, with outcome: DeliveryOutcome?, _ entry: OutboxEntry) {
        finish([(seat, outcome, entry)])
    }

    func finish(_ ends: [(seat: DispatchBoard.Seat, outcome: DeliveryOutcome?, entry: OutboxEntry)]) {
        let now = context.clock.now()
        let (consequences, wantsMail) = state.use { board in
            let consequences = ends.map { end in
                guard let outcome = end.outcome else {
                    board.undo(end.seat, at: now)
                    return DispatchBoard.Consequence()
                }
                return board.end(end.seat, outcome, at: now, jitter: Self.jitter(end.entry))
            }
            return (consequences, board.wantsMail)
        }
        if wantsMail { context.signals.dispatch.signal() }
        for (end, consequence) in zip(ends, consequences) {
            if let relay = consequence.relay { tell(of: relay) }
            if consequence.domainIsLeftAlone { Task { await expireOverdue(like: end.entry) } }
        }
    }

    func tell(of relay: RelayHealth) {
        if let retryAt = relay.retryAt {
            context.logger.warning(
                "relay is left alone",
                metadata: [
                    "relay": "\(relay.name)", "until": "\(retryAt)", "reason": "\(relay.lastFailure ?? "-")",
                ])
        } else {
            context.logger.notice("relay is in order again", metadata: ["relay": "\(relay.name)"])
        }
    }

    /// From the id's own random bits.
    static func jitter(_ entry: OutboxEntry) -> Double { Double(entry.id.low & 0xFF) / 255 }

    func putOff(_ entry: OutboxEntry, until time: Timestamp, _ places: DeliveryPlaces?) async {
        await persist("claim not given back", entry, places) {
            try await context.transact { transaction in
                try transaction.store.unclaim([entry.id], until: time)
                transaction.wakes.mail(entry.queue, dueAt: time)
            }
        }
    }

    /// What a mail is made from, and what speaks against it.
    struct Material: Sendable {
        var version: TemplateVersion?
        var partials: [String: TemplateVersion]
        var attachments: [MailAttachment]
        var project: Project?
        /// Whom the mail is decided for; nil where it is gone.
        var contact: Contact?
        var withdrawal: String?
        var isHeld: Bool
        /// The last look at it.
        var gate: DepartureGate
    }

    /// - Returns: one for each, in that order; all failures when the database does not answer.
    func materials(for entries: [OutboxEntry]) async -> [Result<Material, any Error>] {
        let now = context.clock.now()
        let gates = entries.map { gate(for: $0) }
        do {
            return try await context.store.read { reader in
                var versions: [Identifier: TemplateVersion] = [:]
                var projects: [Identifier: Project] = [:]
                func version(_ id: Identifier) throws -> TemplateVersion? {
                    if let known = versions[id] { return known }
                    versions[id] = try reader.templateVersion(id)
                    return versions[id]
                }
                func material(_ entry: OutboxEntry, _ gate: DepartureGate) throws -> Material {
                    if projects[entry.projectID] == nil {
                        projects[entry.projectID] = try reader.project(entry.projectID)
                    }
                    let contact = try reader.contact(entry.contactID, in: entry.projectID)
                    return Material(
                        version: try version(entry.request.templateVersionID),
                        partials: try entry.request.partials.compactMapValues(version),
                        attachments: try entry.request.attachmentSet.map { try reader.attachments(ofSet: $0) } ?? [],
                        project: projects[entry.projectID], contact: contact,
                        withdrawal: try self.withdrawal(of: entry, contact: contact, at: now, in: reader),
                        isHeld: try self.isHeld(entry, in: reader), gate: gate)
                }
                return try zip(entries, gates).map { entry, gate -> Result<Material, any Error> in
                    // A row that cannot be read concerns its own mail; what the database itself says concerns all.
                    do { return .success(try material(entry, gate)) } catch let error as StoreError {
                        return .failure(error)
                    }
                }
            }
        } catch {
            let failure = error as? StoreError ?? StoreError(.failed, "\(error)")
            return entries.map { _ in .failure(failure) }
        }
    }
}
