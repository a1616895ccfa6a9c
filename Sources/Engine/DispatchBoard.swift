import MailModel
import WorkflowModel

/// Who may send what now: queues, relays, paces, pauses and domains in trouble, in one value without clock or database.
///
/// The rules, in the order in which they are asked:
/// - mail that somebody waits for goes first, but every fourth place is for mail to many however much else waits;
/// - projects take turns, and within a project the domains of its recipients;
/// - the last connections of a relay are for projects that have no such mail under way, so that none waits for another's;
/// - what is paused, or faster than its pace, or known not to work, is passed over until that changes.
struct DispatchBoard: Sendable {
    /// What a mail under way holds.
    struct Seat: Sendable {
        let queue: OutboxQueue
        let lane: Int64
        let ticket: Identifier
        /// Of project, domain and, once it is known, sender.
        fileprivate(set) var gates: [GateName]
        fileprivate(set) var relay: Int
    }

    private(set) var lanes = DispatchLanes()
    private(set) var relays: RelayBoard
    private var gates: PaceGates
    private(set) var pauses = PauseBoard()
    private var pastPauses = PastPauses()
    private var slugs: [Identifier: String] = [:]
    /// Domains that have put mail off.
    private var domains: [Int64: DomainTrouble] = [:]
    /// Attempts under way, by queue.
    private var running: [OutboxQueue: Int] = [:]
    /// Lanes that wait for the end of something, by what.
    private var waiting: [GateName: [(queue: Int, lane: Int64)]] = [:]
    /// What a project's mail had in From last: the next is probably the same.
    private var senderDomains: [Identifier: String] = [:]
    private var senders = SenderSlots()
    private var bulkCredit = 0
    let choosesBySender: Bool
    /// How long a mail is tried, in seconds.
    private let lifetime: Int64

    /// The lane itself, as something that is waited for: its probe under way.
    private static func probe(_ lane: Int64) -> GateName { GateName(rule: -1, member: lane) }

    init(_ relays: [(rules: RelayRules, places: Int)], _ gates: PaceGates, lifetime: Int64) {
        self.relays = RelayBoard(relays, gates: gates)
        self.gates = gates
        self.lifetime = lifetime
        choosesBySender = relays.contains { !$0.rules.senderDomains.isEmpty }
    }

    // MARK: What is known

    /// Attempts of the day so far, from before the start.
    mutating func goOn(countsOfDay: [String: Int], day: Int64) { gates.goOn(countsOfDay: countsOfDay, day: day) }

    /// Who takes the mail of a domain; its next mails go by that.
    mutating func know(servers: [String], of lane: Int64) {
        // What rests by the old pace rests to its end: whatever it waits for comes.
        _ = gates.know(servers: servers, of: lane)
    }

    /// Whether anybody has to find out who takes the mail of domains.
    var groupsByServer: Bool { gates.groupsByServer }

    mutating func know(_ slugs: [Identifier: String]) {
        self.slugs = slugs
        relays.keepsPlaces = slugs.count > 1
    }

    func knows(_ project: Identifier) -> Bool { slugs[project] != nil }

    mutating func apply(_ pauses: PauseBoard, at now: Timestamp) {
        guard pauses != self.pauses else { return }
        pastPauses.note(self.pauses, until: now)
        self.pauses = pauses
        lanes.riseAll()
    }

    mutating func add(_ queue: OutboxQueue) { lanes.add(queue) }
    mutating func note(_ queue: OutboxQueue, dueAt time: Timestamp, now: Timestamp) {
        lanes.note(queue, dueAt: time, now: now)
    }
    mutating func rewind() { lanes.rewind() }
    mutating func reads(at now: Timestamp) -> [LaneQueue.Read] { lanes.reads(at: now) }
    mutating func take(_ tickets: [OutboxTicket], for read: LaneQueue.Read, at now: Timestamp) {
        lanes.take(tickets, for: read, at: now)
    }

    // MARK: Turns

    /// Whether a relay has room for more; otherwise the end of a mail under way changes that.
    var wantsMail: Bool { relays.wantsMail }

    /// The mails that go next, as many as there are places, and when to ask again if there are fewer.
    mutating func next(at now: Timestamp) -> (seats: [Seat], lookAgain: Timestamp) {
        var lookAgain = Timestamp.never
        relays.lookAhead(at: now)
        guard wantsMail else { return ([], .never) }
        let (free, usable) = (relays.free, relays.usable)
        // What is kept for others stays free most of the time, and is nobody's share.
        bulkCredit += usable
        let share = bulkCredit / 4
        bulkCredit %= 4
        var seats: [Seat] = []
        for place in 0..<free {
            let isBulkFirst = place >= usable - share && place < usable
            guard
                let seat = next(isBulk: isBulkFirst, at: now, &lookAgain)
                    ?? next(isBulk: !isBulkFirst, at: now, &lookAgain)
            else { break }
            seats.append(seat)
        }
        gates.tidy(at: now)
        return (seats, min(lookAgain, lanes.nextLook(after: now)))
    }

    private mutating func next(isBulk: Bool, at now: Timestamp, _ lookAgain: inout Timestamp) -> Seat? {
        for offset in 0..<lanes.count(isBulk: isBulk) {
            let index = lanes.index(isBulk: isBulk, offset: offset)
            let name = lanes.queues[index].name
            guard lanes.queues[index].readyCount > 0, !pauses.stops(name.project),
                let (projectGates, relay) = admission(of: name, at: now, &lookAgain)
            else { continue }
            while let lane = lanes.candidate(in: index, at: now) {
                let laneGates = gates.gates(ofLane: lane)
                let (opening, gate) = opening(of: lane, laneGates, for: name.project, at: now)
                switch opening {
                case .now:
                    guard let ticket = lanes.take(in: index) else { continue }
                    lanes.pass(isBulk: isBulk, offset: offset)
                    return begin(ticket, name, projectGates + laneGates, relay, at: now)
                case .at(let time): lanes.rest(in: index, until: time, at: now)
                case .afterAnEnd:
                    lanes.rest(in: index, until: .never, at: now)
                    if let gate { waiting[gate, default: []].append((index, lane)) }
                }
            }
        }
        return nil
    }

    /// Whether the project may send at all, and over which relay.
    private mutating func admission(
        of name: OutboxQueue, at now: Timestamp, _ lookAgain: inout Timestamp
    ) -> (gates: [GateName], relay: Int)? {
        let slug = slugs[name.project]
        let names = gates.gates(ofProject: name.project, slug: slug)
        switch gates.opening(of: names, at: now).opening {
        case .now: break
        case .at(let time):
            lookAgain = min(lookAgain, time)
            return nil
        // Every end is a reason to ask again.
        case .afterAnEnd: return nil
        }
        let choice = relays.choose(
            project: name.project, slug: slug, senderDomain: choosesBySender ? senderDomains[name.project] : nil,
            isNewcomer: running[name, default: 0] == 0, pauses: pauses, gates: &gates, at: now)
        switch choice {
        case .relay(let index): return (names, index)
        case .closed(.at(let time), _): lookAgain = min(lookAgain, time)
        case .closed: break
        case .none: return (names, -1)
        }
        return nil
    }

    private mutating func opening(
        of lane: Int64, _ names: [GateName], for project: Identifier, at now: Timestamp
    ) -> (Opening, GateName?) {
        if pauses.stops(lane: lane, for: project) { return (.afterAnEnd, nil) }
        switch domains[lane]?.opening(at: now) {
        case .at(let time)?: return (.at(time), nil)
        case .afterAnEnd?: return (.afterAnEnd, Self.probe(lane))
        case .now?, nil: return gates.opening(of: names, at: now)
        }
    }

    private mutating func begin(
        _ ticket: OutboxTicket, _ queue: OutboxQueue, _ names: [GateName], _ relay: Int, at now: Timestamp
    ) -> Seat {
        running[queue, default: 0] += 1
        gates.enter(names, at: now)
        domains[ticket.lane]?.begin(at: now)
        if relay >= 0 { relays.begin(relay, gates: &gates, at: now) }
        return Seat(queue: queue, lane: ticket.lane, ticket: ticket.id, gates: names, relay: relay)
    }

    // MARK: One mail

    /// For a mail that was chosen by other means.
    mutating func enter(_ queue: OutboxQueue, _ lane: Int64, _ id: Identifier, at now: Timestamp) -> Seat {
        let names = gates.gates(ofProject: queue.project, slug: slugs[queue.project]) + gates.gates(ofLane: lane)
        return begin(
            OutboxTicket(dueAt: now, lane: lane, id: id), queue, names, -1, at: now)
    }

    /// What a mail may do now that its sender is known.
    enum Admission: Hashable, Sendable {
        case go(relay: Int)
        /// Not before that time; no attempt is made until then.
        case putOff(Timestamp)
        /// No relay is for such mail.
        case noRelay
    }

    /// - Parameters:
    ///   - sender: the address in From, in lower case.
    ///   - tried: relays that have failed for it just now; the seat then holds none.
    mutating func admit(_ seat: inout Seat, sender: String, tried: Set<Int> = [], at now: Timestamp) -> Admission {
        let domain = Self.domain(of: sender)
        if choosesBySender { senderDomains[seat.queue.project] = domain }
        if tried.isEmpty {
            let names = gates.gates(ofSender: sender)
            if !names.isEmpty {
                let isUrgent = !seat.queue.isBulk
                if let time = senders.slot(for: seat.ticket, isUrgent: isUrgent, names, &gates, at: now) {
                    return .putOff(time)
                }
                gates.enter(names, at: now)
                seat.gates += names
            }
            if seat.relay >= 0, !choosesBySender || isFitting(seat.relay, seat.queue.project, domain) {
                return .go(relay: seat.relay)
            }
            if seat.relay >= 0 { relays.undo(seat.relay, gates: &gates, at: now) }
        }
        seat.relay = -1
        let choice = relays.choose(
            project: seat.queue.project, slug: slugs[seat.queue.project], senderDomain: domain,
            // The mail itself is under way.
            isNewcomer: running[seat.queue, default: 0] <= 1, excluding: tried, pauses: pauses, gates: &gates, at: now)
        switch choice {
        case .relay(let index):
            relays.begin(index, gates: &gates, at: now)
            seat.relay = index
            return .go(relay: index)
        case .closed(.at(let time), _) where time != .never: return .putOff(max(time, now.adding(seconds: 1)))
        case .closed: return .putOff(now.adding(seconds: 1))
        case .none: return .noRelay
        }
    }

    private func isFitting(_ relay: Int, _ project: Identifier, _ senderDomain: String?) -> Bool {
        let fitness = relays.relays.map {
            $0.rules.fitness(senderDomain: senderDomain, project: slugs[project]) ?? -1
        }
        return fitness[relay] >= 0 && fitness[relay] == fitness.max()
    }

    /// Another relay for a mail whose attempt has failed before it began.
    /// - Returns: the relay, if one can be had now; whether there is another at all; and the state of the one that failed, as
    ///   below.
    mutating func failOver(
        _ seat: inout Seat, from outcome: DeliveryOutcome, tried: Set<Int>, sender: String, at now: Timestamp,
        jitter: Double
    ) -> (relay: Int?, hasAnother: Bool, changed: RelayHealth?) {
        guard relays.relays.count > tried.count, seat.relay >= 0 else { return (nil, false, nil) }
        let changed = end(relay: seat.relay, outcome, lane: seat.lane, at: now, jitter: jitter)
        seat.relay = -1
        if case .go(let relay) = admit(&seat, sender: sender, tried: tried, at: now) { return (relay, true, changed) }
        let (project, domain) = (seat.queue.project, Self.domain(of: sender))
        let hasAnother = relays.relays.indices.contains { !tried.contains($0) && isFitting($0, project, domain) }
        return (nil, hasAnother, changed)
    }

    private static func domain(of sender: String) -> String? {
        sender.lastIndex(of: "@").map { String(sender[sender.index(after: $0)...]) }
    }

    /// - Returns: the relay's state, when it is in order and was not, or the other way round.
    private mutating func end(
        relay index: Int, _ outcome: DeliveryOutcome, lane: Int64, at now: Timestamp, jitter: Double
    ) -> RelayHealth? {
        let wasInOrder = relays.relays[index].breaker.isClosed
        relays.end(index, outcome, lane: lane, gates: &gates, at: now, jitter: jitter)
        let relay = relays.relays[index]
        return relay.breaker.isClosed == wasInOrder ? nil : RelayHealth(relay)
    }

    /// What an attempt has changed for others.
    struct Consequence: Sendable {
        /// The domain has put off another mail and is left alone, or for longer, from now on.
        var domainIsLeftAlone = false
        /// The relay's state, when it is in order and was not, or the other way round.
        var relay: RelayHealth?
    }

    /// The attempt has ended.
    mutating func end(
        _ seat: Seat, _ outcome: DeliveryOutcome, at now: Timestamp, jitter: Double
    ) -> Consequence {
        var consequence = Consequence()
        if seat.relay >= 0 {
            consequence.relay = end(relay: seat.relay, outcome, lane: seat.lane, at: now, jitter: jitter)
        }
        consequence.domainIsLeftAlone = noteDomain(seat.lane, outcome, at: now, jitter: jitter)
        gates.leave(seat.gates)
        release(seat)
        return consequence
    }

    /// No attempt was made.
    mutating func undo(_ seat: Seat, at now: Timestamp) {
        if seat.relay >= 0 { relays.undo(seat.relay, gates: &gates, at: now) }
        domains[seat.lane]?.toldNothing(at: now)
        gates.undo(seat.gates)
        release(seat)
    }

    private mutating func release(_ seat: Seat) {
        let rest = running[seat.queue, default: 1] - 1
        running[seat.queue] = rest > 0 ? rest : nil
        for name in seat.gates + [Self.probe(seat.lane)] {
            for (queue, lane) in waiting.removeValue(forKey: name) ?? [] { lanes.rise(lane, in: queue) }
        }
    }

    /// What is said of one mailbox or one mail is nothing about its domain.
    private mutating func noteDomain(
        _ lane: Int64, _ outcome: DeliveryOutcome, at now: Timestamp, jitter: Double
    ) -> Bool {
        switch outcome {
        case .delivered, .rejected:
            if domains.isEmpty { return false }
            domains[lane] = nil
        case .deferred(let reply) where reply.isAboutDomain:
            var trouble = domains[lane] ?? DomainTrouble(lifetime: lifetime)
            trouble.failed(at: now, jitter: jitter)
            domains[lane] = trouble
            return !trouble.isClosed
        case .deferred: domains[lane]?.toldNothing(at: now)
        case .unreachable, .unknown, .refused, .unsupported: domains[lane]?.toldNothing(at: now)
        }
        return false
    }

    /// What of a queue's mail to a domain is to be given up without an attempt: all that has been due since then. For a
    /// whole lifetime it has waited for nothing but the domain. Nil for none.
    func overdue(in queue: OutboxQueue, lane: Int64) -> Timestamp? {
        guard let since = domains[lane]?.keepsBackSince else { return nil }
        let names = relays.relays.map(\.rules.name)
        guard !pauses.mayStop(project: queue.project, lane: lane, relays: names),
            pastPauses.lastEnd(project: queue.project, lane: lane, relays: names) <= since
        else { return nil }
        return since
    }

    // MARK: Looking at it

    /// Scopes of the days' ceilings that an attempt of this mail counts for.
    func scopes(of seat: Seat) -> [String] {
        gates.scopes(of: seat.gates + (seat.relay >= 0 ? relays.relays[seat.relay].gates : []))
    }

    /// The same for its relay alone.
    func relayScopes(of seat: Seat) -> [String] {
        seat.relay >= 0 ? gates.scopes(of: relays.relays[seat.relay].gates) : []
    }

    /// Mails of a queue that could go at once, as far as it has been read.
    func readyCount(in queue: OutboxQueue) -> Int { lanes.readyCount(in: queue) }

    var relayHealth: [RelayHealth] { relays.relays.map(RelayHealth.init) }

    var numbers: [String: Int] {
        [
            "tickets": lanes.heldCount, "queues": lanes.queues.count, "restingLanes": lanes.restingCount,
            "domainsLeftAlone": domains.values.count { !$0.isClosed }, "running": relays.running,
            "domainsByServer": gates.groupedCount,
            "pauses": pauses.count,
        ]
    }
}

extension Reply {
    /// A refusal for now that other mail to the domain would meet too, as far as one can tell (RFC 3463): not one of a
    /// mailbox (4.1, 4.2), of this message (4.6) or of its size.
    fileprivate var isAboutDomain: Bool {
        if code == 421 { return true }
        if isOfRelayItself { return false }
        guard let enhancedCode else { return code != 452 }
        return ["4.3.", "4.4.", "4.7."].contains { enhancedCode.hasPrefix($0) } && enhancedCode != "4.3.4"
    }
}
