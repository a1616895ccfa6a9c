import Logging
import MailModel
import WorkflowModel

extension Dispatch {
    /// One claimed mail on its way from the outbox to the record of what became of it. Handed on from thread to thread, so that
    /// what it is about is there once and is not copied.
    struct Errand: Sendable {
        private let subject: Subject
        var seat: DispatchBoard.Seat
        /// Scopes of the days' ceilings of relays that were tried for it just now, and whose places it has given up.
        var triedScopes: [String] = []

        private final class Subject: Sendable {
            let entry: OutboxEntry
            let material: Result<Material, any Error>
            let places: DeliveryPlaces?
            let ended: @Sendable () -> Void

            init(
                _ entry: OutboxEntry, _ material: Result<Material, any Error>, _ places: DeliveryPlaces?,
                _ ended: @escaping @Sendable () -> Void
            ) {
                self.entry = entry
                self.material = material
                self.places = places
                self.ended = ended
            }
        }

        init(
            entry: OutboxEntry, seat: DispatchBoard.Seat, material: Result<Material, any Error>,
            places: DeliveryPlaces?,
            ended: @escaping @Sendable () -> Void = {}
        ) {
            subject = Subject(entry, material, places, ended)
            self.seat = seat
        }

        var entry: OutboxEntry { subject.entry }
        var material: Result<Material, any Error> { subject.material }
        /// Where it is counted, so that a stop can be noticed.
        var places: DeliveryPlaces? { subject.places }

        /// An earlier attempt has ended, and nobody knows how.
        var isInTheDark: Bool { subject.entry.uncertainAttempts > 0 }

        /// To be called once, when its end is written down.
        func end() {
            subject.places?.giveBack()
            subject.ended()
        }
    }

    /// A mail that is ready, and where it goes.
    fileprivate final class Departure: Sendable {
        let built: MailBuilder.Built
        let relay: Int
        let gate: DepartureGate

        init(built: MailBuilder.Built, relay: Int, gate: DepartureGate) {
            self.built = built
            self.relay = relay
            self.gate = gate
        }
    }

    /// How an attempt has ended.
    struct Conclusion: Sendable {
        fileprivate let errand: Errand
        fileprivate let departure: Departure
        fileprivate let outcome: DeliveryOutcome
    }

    private enum Preparation {
        case ready(Departure)
        /// It is not to be sent after all.
        case withdrawn(String)
        /// Its broadcast is paused.
        case held
        /// Its window has closed while it waited for its turn, or its sender is faster than its pace.
        case tooEarly(Timestamp)
        case noRelay(sender: String, subject: String)
    }

    /// Goes on with a mail of which an earlier attempt ended in the dark, unless that is settled now, or proof may still come.
    func find(_ errand: Errand) async {
        if await needsNoAttempt(errand.entry, errand.seat, errand.places) { return errand.end() }
        context.mailThreads.begin { begin(errand) }
    }

    /// Builds the mail and hands it to its relay, on the calling thread: it may take as long as the template may.
    func begin(_ errand: Errand) {
        var errand = errand
        do {
            switch try prepare(&errand) {
            case .ready(let departure):
                var mail = departure.built.mail
                mail.mayDepart = { [gate = departure.gate] in gate.letsThrough() }
                mail.isUrgent = !errand.entry.isBulk
                relays[departure.relay].transport.submit(mail) { [errand] outcome in
                    let conclusion = Conclusion(errand: errand, departure: departure, outcome: outcome)
                    if conclusions.add(conclusion) { settled.tell { conclude(conclusions.take()) } }
                }
            case .withdrawn(let reason): withdraw(errand, reason)
            case .held:
                finish(errand.seat, with: nil, errand.entry)
                Task { [errand] in
                    await hold(errand.entry, errand.places)
                    errand.end()
                }
            case .tooEarly(let time): putOff(errand, until: time)
            case .noRelay(let sender, let subject):
                settle(
                    errand, .unreachable(reason: "no relay is configured for mail from \(sender)"), subject: subject)
            }
        } catch let error as StoreError where error.isRowsFault {
            waitForMending(errand, error)
        } catch let error as StoreError {
            // Not the mail's fault: the claim is given back for a while and no attempt is counted.
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            putOff(errand, until: context.clock.now().adding(seconds: EngineContext.longestPause))
        } catch {
            settle(errand, .refused(reason: "\(error)"), subject: "")
        }
    }

    /// Something that the mail is made of cannot be read. Others go on; this one is looked at again now and then, until it is too
    /// old to be sent.
    private func waitForMending(_ errand: Errand, _ error: StoreError) {
        let (entry, now) = (errand.entry, context.clock.now())
        context.logger.error("mail cannot be read", metadata: ["entry": "\(entry.id)", "error": "\(error)"])
        let isTooOld = entry.createdAt.adding(seconds: context.configuration.maximalLifetime) <= now
        if isTooOld { return settle(errand, .refused(reason: "\(error)"), subject: "") }
        putOff(errand, until: now.adding(seconds: Self.mendingPause))
    }

    /// Between two looks at a mail that cannot be read, in seconds.
    private static let mendingPause: Int64 = 3600

    private func prepare(_ errand: inout Errand) throws -> Preparation {
        let entry = errand.entry
        let material = try errand.material.get()
        let now = context.clock.now()
        let earliest = entry.request.earliest(notBefore: now, rules: context.zones)
        if earliest > now { return .tooEarly(earliest) }
        if let withdrawal = material.withdrawal { return .withdrawn(withdrawal) }
        if material.isHeld { return .held }
        guard let version = material.version else { throw MailBuilder.Failure(reason: "the template version is gone") }
        let builder = MailBuilder(context: context, project: material.project, contact: material.contact)
        let built = try builder.build(
            entry, version: version, partials: material.partials, attachments: material.attachments, now: now)
        // The lock is everybody's: it is not asked for what is known.
        if errand.seat.relay >= 0, !state.asksForSender {
            return .ready(Departure(built: built, relay: errand.seat.relay, gate: material.gate))
        }
        let held = errand.seat
        let (admission, seat) = state.use { board in
            var seat = held
            return (board.admit(&seat, sender: built.sender, at: now), seat)
        }
        errand.seat = seat
        switch admission {
        case .putOff(let time): return .tooEarly(time)
        case .noRelay: return .noRelay(sender: built.sender, subject: built.subject)
        case .go(let relay): return .ready(Departure(built: built, relay: relay, gate: material.gate))
        }
    }

    /// Attempts have ended.
    private func conclude(_ conclusions: [Conclusion]) {
        var ends: [Conclusion] = []
        for conclusion in conclusions {
            if let reason = conclusion.departure.gate.reason {
                withdraw(conclusion.errand, reason)
            } else if case .unreachable = conclusion.outcome, conclusion.errand.places?.isClosing == true {
                // We stop: perhaps it was never begun, and that is not the mail's fault.
                putOff(conclusion.errand, until: context.clock.now())
            } else if relays.count > 1, conclusion.outcome.mayGoElsewhere {
                Task { await failOver(conclusion) }
            } else {
                ends.append(conclusion)
            }
        }
        settle(ends.map { ($0.errand, $0.outcome, nil, $0.departure.built.subject) })
    }

    /// Hands the mail to the others for such mail, one after the other.
    private func failOver(_ conclusion: Conclusion) async {
        let departure = conclusion.departure
        var errand = conclusion.errand
        var outcome = conclusion.outcome
        var tried: Set<Int> = [departure.relay]
        // Of a relay that could not be reached nobody knows what it offers: the mail is not given up for what others lack.
        var isToBeTriedAgain = false
        while outcome.mayGoElsewhere, relays.count > tried.count {
            if case .unreachable = outcome { isToBeTriedAgain = true }
            let now = context.clock.now()
            let (failed, alreadyTried, held) = (outcome, tried, errand.seat)
            let next = state.use { board in
                var seat = held
                let next = board.failOver(
                    &seat, from: failed, tried: alreadyTried, sender: departure.built.sender, at: now,
                    jitter: Self.jitter(errand.entry))
                let isGivenUp = seat.relay != held.relay
                return (
                    relay: next.relay, hasAnother: next.hasAnother, changed: next.changed, seat: seat,
                    scopes: isGivenUp ? board.relayScopes(of: held) : []
                )
            }
            errand.seat = next.seat
            errand.triedScopes += next.scopes
            if let changed = next.changed { tell(of: changed) }
            guard let relay = next.relay else {
                isToBeTriedAgain = isToBeTriedAgain || next.hasAnother
                break
            }
            do {
                // That took its time, and what is committed by now counts.
                let entry = errand.entry
                if let reason = try await context.store.read({ try self.withdrawal(of: entry, at: now, in: $0) }) {
                    return withdraw(errand, reason)
                }
            } catch {
                context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
                return putOff(errand, until: context.clock.now().adding(seconds: EngineContext.longestPause))
            }
            tried.insert(relay)
            var mail = departure.built.mail
            mail.mayDepart = { [gate = departure.gate] in gate.letsThrough() }
            mail.isUrgent = !errand.entry.isBulk
            outcome = await relays[relay].transport.deliver(mail)
            if let reason = departure.gate.reason { return withdraw(errand, reason) }
        }
        if case .unsupported(let reason) = outcome, isToBeTriedAgain {
            settle([(errand, outcome, .unreachable(reason: reason), departure.built.subject)])
        } else {
            settle(errand, outcome, subject: departure.built.subject)
        }
    }

    // MARK: Ends

    private func withdraw(_ errand: Errand, _ reason: String) {
        finish(errand.seat, with: nil, errand.entry)
        var attempt = SettledAttempt(errand, AttemptRecord(withdrawnFor: reason, at: context.clock.now()))
        attempt.scopes = errand.triedScopes
        settle([attempt])
    }

    private func putOff(_ errand: Errand, until time: Timestamp) {
        finish(errand.seat, with: nil, errand.entry)
        Task {
            await putOff(errand.entry, until: time, errand.places)
            errand.end()
        }
    }

    private func settle(_ errand: Errand, _ outcome: DeliveryOutcome, subject: String) {
        settle([(errand, outcome, nil, subject)])
    }

    /// Each with what is recorded of the mail, where that is not what its last relay has said.
    private func settle(
        _ ends: [(errand: Errand, outcome: DeliveryOutcome, recorded: DeliveryOutcome?, subject: String)]
    ) {
        if ends.isEmpty { return }
        let now = context.clock.now()
        // Before the seats are given up.
        let scopes = state.hasCeilings ? state.use { board in ends.map { board.scopes(of: $0.errand.seat) } } : []
        finish(ends.map { ($0.errand.seat, $0.outcome, $0.errand.entry) })
        let schedule = RetrySchedule(context.configuration)
        settle(
            ends.enumerated().map { index, end in
                let outcome = end.recorded ?? end.outcome
                var record = schedule.decide(outcome, entry: end.errand.entry, now: now)
                if end.errand.seat.relay >= 0 { record.relay = relays[end.errand.seat.relay].rules.name }
                var attempt = SettledAttempt(end.errand, record)
                attempt.subject = end.subject
                attempt.outcome = outcome
                if !scopes.isEmpty { attempt.scopes = scopes[index] + end.errand.triedScopes }
                attempt.gate = try? end.errand.material.get().gate
                return attempt
            })
    }
}
