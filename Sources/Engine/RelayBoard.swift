import MailModel
import WorkflowModel

/// The relays as they are now: which are in order, how many places each has free, and whose turn it is.
struct RelayBoard: Sendable {
    struct Relay: Sendable {
        let rules: RelayRules
        /// Messages that may be under way at once.
        let places: Int
        let gates: [GateName]
        var running = 0
        /// Messages that are made ready while all places are taken.
        fileprivate(set) var ahead = 0
        fileprivate var speed = DepartureSpeed()
        var breaker: CircuitBreaker
        /// What is left of its share; see `choose`.
        var credit = 0
        var delivered = 0
        var failures = 0
        var lastFailure: String?
        /// Domains that it answered with 421 since it last took a mail.
        var refusedLanes: Set<Int64> = []

        var free: Int { places + ahead - running }
        /// Whether it is worth a look for more: single ones do not pay while others are ready.
        var wantsMail: Bool { free >= max(1, ahead / 2) }
    }

    /// Why a mail has no relay now.
    enum Choice: Hashable, Sendable {
        case relay(Int)
        /// - Parameter gate: of which the end of something is waited for; nil for a place.
        case closed(Opening, gate: GateName?)
        /// No relay is for such mail.
        case none
    }

    /// Domains that a relay must answer with 421 before that is the relay's own trouble.
    private static let lanesOfTrouble = 3
    /// Messages that are made ready for each place, at most.
    private static let aheadLimit = 6

    /// With several projects fewer, and only for projects that have nothing under way (`room`).
    private func aheadLimit(_ relay: Relay) -> Int {
        keepsPlaces ? max(1, relay.places / 2) : relay.places * Self.aheadLimit
    }

    private(set) var relays: [Relay]
    /// Whether mail of several projects may wait, so that none may have all places.
    var keepsPlaces = false

    init(_ relays: [(rules: RelayRules, places: Int)], gates: PaceGates) {
        self.relays = relays.map {
            Relay(
                rules: $0.rules, places: $0.places, gates: gates.gates(ofRelay: $0.rules.name),
                breaker: CircuitBreaker(threshold: 5, firstPause: 10, longestPause: 300))
        }
    }

    var free: Int { relays.reduce(0) { $0 + max(0, $1.free) } }
    /// Of these, the ones that anybody may have.
    var usable: Int { relays.reduce(0) { $0 + max(0, room($1)) } }
    var running: Int { relays.reduce(0) { $0 + $1.running } }
    var wantsMail: Bool { relays.contains(where: \.wantsMail) }

    func index(of name: String) -> Int? { relays.firstIndex { $0.rules.name == name } }

    /// Places of a relay that are for those who have no mail under way.
    private func reserve(_ relay: Relay) -> Int {
        guard keepsPlaces, relay.places > 1 else { return 0 }
        return max(1, relay.places / 8)
    }

    /// Places that are free for whoever has mail under way already. Where some are kept for others, these are connections: what
    /// is made ready waits for one, and should the relay fall silent, it would have all of them, and another's mail none.
    private func room(_ relay: Relay) -> Int {
        keepsPlaces ? relay.places - reserve(relay) - relay.running : relay.free
    }

    /// Whose turn it is among the relays for a mail: those that fit best, of them those in order and with a free place, of
    /// them by weight (smooth weighted round robin: everyone gets its weight in each choice, who has most gives the sum of
    /// all away).
    /// - Parameters:
    ///   - isNewcomer: the project has no such mail under way.
    ///   - tried: relays that were tried for this mail just now.
    mutating func choose(
        project: Identifier, slug: String?, senderDomain: String?, isNewcomer: Bool, excluding tried: Set<Int> = [],
        pauses: PauseBoard, gates: inout PaceGates, at now: Timestamp
    ) -> Choice {
        var best = -1
        var fitting: [Int] = []
        for (index, relay) in relays.enumerated() {
            guard let fitness = relay.rules.fitness(senderDomain: senderDomain, project: slug) else { continue }
            if fitness > best {
                best = fitness
                fitting = []
            }
            if fitness == best { fitting.append(index) }
        }
        guard !fitting.isEmpty else { return .none }
        var earliest = Timestamp(microseconds: .max)
        var waitsForEnd = false
        var waitedFor: GateName?
        for isBackup in [false, true] {
            var candidates: [Int] = []
            var isAnyInOrder = false
            for index in fitting where relays[index].rules.isBackup == isBackup {
                let relay = relays[index]
                if tried.contains(index) || pauses.stops(relay: relay.rules.name, for: project) { continue }
                switch relay.breaker.opening(at: now) {
                case .now: break
                case .at(let time):
                    earliest = min(earliest, time)
                    continue
                case .afterAnEnd:
                    waitsForEnd = true
                    continue
                }
                isAnyInOrder = true
                guard (isNewcomer ? relay.free : room(relay)) > 0 else {
                    waitsForEnd = true
                    continue
                }
                let (opening, gate) = gates.opening(of: relay.gates, at: now)
                switch opening {
                case .now: candidates.append(index)
                case .at(let time): earliest = min(earliest, time)
                case .afterAnEnd:
                    waitsForEnd = true
                    waitedFor = gate
                }
            }
            if let index = turn(candidates) { return .relay(index) }
            // A backup is for trouble, not for haste.
            if isAnyInOrder { break }
        }
        if waitsForEnd { return .closed(.afterAnEnd, gate: waitedFor) }
        return .closed(.at(earliest), gate: nil)
    }

    private mutating func turn(_ candidates: [Int]) -> Int? {
        if candidates.count < 2 { return candidates.first }
        var sum = 0
        for index in candidates {
            relays[index].credit += relays[index].rules.weight
            sum += relays[index].rules.weight
        }
        let chosen = candidates.max { relays[$0].credit < relays[$1].credit }
        if let chosen { relays[chosen].credit -= sum }
        return chosen
    }

    /// How far ahead each relay is served, by its speed of late.
    mutating func lookAhead(at now: Timestamp) {
        for index in relays.indices {
            relays[index].ahead = min(aheadLimit(relays[index]), relays[index].speed.mails(at: now))
        }
    }

    // MARK: Under way

    mutating func begin(_ index: Int, gates: inout PaceGates, at now: Timestamp) {
        relays[index].running += 1
        relays[index].breaker.begin(at: now)
        gates.enter(relays[index].gates, at: now)
    }

    /// It was taken for a mail that does not go, or not here.
    mutating func undo(_ index: Int, gates: inout PaceGates, at now: Timestamp) {
        relays[index].running -= 1
        relays[index].breaker.toldNothing(at: now)
        gates.undo(relays[index].gates)
    }

    /// The attempt has ended.
    mutating func end(
        _ index: Int, _ outcome: DeliveryOutcome, lane: Int64, gates: inout PaceGates, at now: Timestamp,
        jitter: Double
    ) {
        relays[index].running -= 1
        relays[index].speed.ended(at: now)
        gates.leave(relays[index].gates)
        var relay = relays[index]
        switch outcome {
        case .delivered:
            relay.delivered += 1
            relay.refusedLanes = []
            relay.breaker.succeeded()
        case .rejected:
            relay.breaker.succeeded()
        case .deferred(let reply) where reply.isOfRelayItself:
            relay.failures += 1
            relay.lastFailure = "\(reply.code) \(reply.text)"
            relay.breaker.failed(at: now, jitter: jitter)
        case .deferred(let reply):
            // The relay is there and speaks. When it sends everybody away, that is its own trouble.
            guard reply.code == 421 else {
                relay.breaker.succeeded()
                break
            }
            relay.refusedLanes.insert(lane)
            if relay.refusedLanes.count >= Self.lanesOfTrouble {
                relay.failures += 1
                relay.lastFailure = "\(reply.code) \(reply.text)"
                relay.breaker.failed(at: now, jitter: jitter)
            } else {
                relay.breaker.toldNothing(at: now)
            }
        case .unreachable(let reason), .unknown(let reason):
            relay.failures += 1
            relay.lastFailure = reason
            relay.breaker.failed(at: now, jitter: jitter)
        case .refused, .unsupported: relay.breaker.toldNothing(at: now)
        }
        relays[index] = relay
    }
}

extension Reply {
    /// Trouble of the relay itself (RFC 3463 X.3), whoever the mail is for: its disk is full (X.3.1), or it knew the recipient and
    /// wanted the message, and then could not keep it. Postfix says 451 4.3.0 when it cannot write its queue file. That a message is
    /// too large for it (X.3.4) is not that.
    var isOfRelayItself: Bool {
        guard let enhancedCode, enhancedCode.hasPrefix("4.3.") else { return false }
        return enhancedCode == "4.3.1" || (isToContent && enhancedCode != "4.3.4")
    }
}

/// What a relay does, for whoever watches.
package struct RelayHealth: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        case ok, failing, open, probing
    }

    package var name: String
    package var state: State
    package var connections: Int
    package var running: Int
    /// Since the daemon started.
    package var delivered: Int
    package var failures: Int
    package var lastFailure: String?
    /// When it is tried again, while it is left alone.
    package var retryAt: Timestamp?

    /// As `/healthz` shows them.
    var numbers: [String: Int] {
        [
            "connections": connections, "running": running, "delivered": delivered, "failures": failures,
            "isOutOfOrder": state == .open || state == .probing ? 1 : 0,
        ]
    }

    init(_ relay: RelayBoard.Relay) {
        name = relay.rules.name
        connections = relay.places
        running = relay.running
        delivered = relay.delivered
        failures = relay.failures
        lastFailure = relay.lastFailure
        switch relay.breaker.state {
        case .closed(let failures): state = failures == 0 ? .ok : .failing
        case .open(let until):
            state = .open
            retryAt = until
        case .probing: state = .probing
        }
    }
}
