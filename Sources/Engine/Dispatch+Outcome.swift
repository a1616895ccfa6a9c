import JSONValue
import Logging
import MailModel
import WorkflowModel

extension Dispatch {
    /// Has it written what became of attempts, together with what else ends about now.
    func settle(_ attempts: [SettledAttempt]) { write(settled.add(attempts)) }

    private func write(_ batch: [SettledAttempt]) {
        if batch.isEmpty { return }
        context.submit(others: nil) { transaction in
            for attempt in batch {
                transaction.beginCause()
                try write(attempt, in: transaction)
            }
        } completion: { result in
            settled.tell {
                if case .success = result {
                    for attempt in batch {
                        log(attempt.record, attempt.errand.entry)
                        attempt.errand.end()
                    }
                } else {
                    // One of them may be the reason, or nothing can be written now: each for itself.
                    for attempt in batch {
                        Task {
                            await insist(attempt)
                            attempt.errand.end()
                        }
                    }
                }
                write(settled.next())
            }
        }
    }

    private func insist(_ attempt: SettledAttempt) async {
        await persist("outcome not recorded", attempt.errand.entry, attempt.errand.places) {
            do { try await context.transact { try write(attempt, in: $0) } } catch  where error.isRowsFault {
                // What follows from it cannot be read or written. What became of the mail is known all the same, and
                // without a word about it the next start would send the mail again.
                context.logger.error(
                    "nothing follows from the outcome of a mail",
                    metadata: ["entry": "\(attempt.errand.entry.id)", "error": "\(error)"])
                try await context.transact { transaction in
                    if try transaction.store.record(attempt.record, of: attempt.errand.entry.id) {
                        try transaction.count(attempt.record, of: attempt.errand.entry)
                    }
                }
            }
            log(attempt.record, attempt.errand.entry)
        }
    }

    /// Writes what became of a mail without an attempt, in a transaction of its own.
    func record(_ record: AttemptRecord, of entry: OutboxEntry, _ places: DeliveryPlaces?) async {
        await persist("outcome not recorded", entry, places) {
            try await context.transact { try write(record, of: entry, in: $0) }
            log(record, entry)
        }
    }

    private func write(_ attempt: SettledAttempt, in transaction: EngineTransaction) throws {
        for scope in attempt.scopes {
            try transaction.store.addPaceCount(scope, day: PaceGate.day(of: attempt.record.at), by: 1)
        }
        try write(
            attempt.record, of: attempt.errand.entry, subject: attempt.subject, outcome: attempt.outcome,
            gate: attempt.gate, in: transaction)
    }

    /// With everything that follows from it.
    private func write(
        _ decided: AttemptRecord, of entry: OutboxEntry, subject: String = "", outcome: DeliveryOutcome? = nil,
        gate: DepartureGate? = nil, in transaction: EngineTransaction
    ) throws {
        var decided = decided
        decided.resolvedAttempts = try resolvedAttempts(of: entry, at: decided, in: transaction)
        if try transaction.store.record(decided, of: entry.id) { try transaction.count(decided, of: entry) }
        if decided.isUncertain { try transaction.store.count("possible_duplicates", by: 1) }
        if let due = decided.dueAt { transaction.wakes.mail(entry.queue, dueAt: due) }
        // Of an erased contact nothing is written any more.
        guard !entry.request.isTest, let event = Self.event(for: decided.status),
            let contact = try transaction.store.contact(entry.contactID)
        else { return }
        var data = Self.data(decided, entry: entry, subject: subject)
        if let bounce = Self.bounce(outcome, decided) {
            data.merge(bounce.data)
            data.merge(try BouncePolicy.apply(bounce, to: entry, in: transaction).data)
        }
        if decided.status == .delivered, let gate, gate.isDoubtful {
            try noteLateWithdrawal(of: entry, in: transaction, &data)
        }
        try EventRecorder(transaction: transaction, projectID: entry.projectID).record(
            event, data: data, generation: entry.generation, contact: contact)
        // The relay's log may have been faster.
        if context.relayWatch?.followsLog == true { try transaction.tellFate(of: entry.id) }
    }

    func persist(
        _ failure: Logger.Message, _ entry: OutboxEntry, _ places: DeliveryPlaces?, _ body: () async throws -> Void
    ) async {
        await context.insist(
            failure, metadata: ["entry": "\(entry.id)"], until: { places?.isClosing ?? true }, body)
    }

    private func log(_ attempt: AttemptRecord, _ entry: OutboxEntry) {
        context.logger.info(
            "mail \(attempt.status.rawValue)",
            metadata: [
                "entry": "\(entry.id)", "messageId": "\(entry.messageID)", "attempt": "\(entry.attempts + 1)",
                "relay": "\(attempt.relay ?? "-")", "reply": "\(attempt.reply)",
                "queueId": "\(attempt.relayQueueID ?? "-")",
            ])
    }

    /// What the end of a mail says about its address; nil while there is another attempt, and where nobody refused it.
    private static func bounce(_ outcome: DeliveryOutcome?, _ decided: AttemptRecord) -> Bounce? {
        switch outcome {
        case .rejected(let reply): Bounce(reply)
        case .deferred(let reply) where decided.status == .expired: Bounce(reply, isExpired: true)
        default: nil
        }
    }

    private static func event(for status: OutboxEntry.Status) -> String? {
        switch status {
        case .delivered: EventName.emailSent
        case .bounced: EventName.emailBounced
        case .expired, .failed: EventName.emailFailed
        case .pending, .claimed, .suppressed, .held, .cancelled: nil
        }
    }

    private static func data(_ attempt: AttemptRecord, entry: OutboxEntry, subject: String) -> JSONObject {
        var data = entry.eventData
        data["subject"] = .string(subject)
        data["reply"] = .string(attempt.reply)
        data["attempts"] = .int(Int64(entry.attempts + (attempt.isAttempt ? 1 : 0)))
        if let queueID = attempt.relayQueueID { data["relayQueueId"] = .string(queueID) }
        if attempt.status == .delivered {
            data["sentAt"] = .string("\(attempt.at)")
            if entry.uncertainAttempts > attempt.resolvedAttempts { data["isPossibleDuplicate"] = true }
        }
        if attempt.status == .bounced { data["bouncedAt"] = .string("\(attempt.at)") }
        return data
    }

    // MARK: Domains that take nothing

    /// Mails at once that are given up without an attempt.
    private static let overdueLimit = 200

    /// A domain that is left alone gets one mail now and then; the others must not wait for their turn beyond their
    /// lifetime. Gives up those of the same domain and queue that have waited for nothing else for that long: how long
    /// they have been due says less, because a pause, a pace or a warm-up leaves that time as it was.
    func expireOverdue(like entry: OutboxEntry) async {
        let (queue, lane) = (entry.queue, entry.lane)
        guard let since = state.use({ $0.overdue(in: queue, lane: lane) }) else { return }
        let now = context.clock.now()
        var attempt = AttemptRecord(
            status: .expired, at: now, reply: "its domain has put off all mail for as long as it was due")
        attempt.isAttempt = false
        let expiry = attempt
        do {
            let due = try await context.store.read {
                try $0.tickets(in: queue, after: nil, lane: lane, limit: Self.overdueLimit)
            }
            for entry in try await giveUp(due.filter { $0.dueAt <= since }.map(\.id), expiry) { log(expiry, entry) }
        } catch {
            // The next time that the domain puts off a mail, they are looked for again.
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
        }
    }

    /// Claims and ends them in one transaction: claimed alone, they would be nobody's should the other not succeed.
    /// - Returns: those that have ended; not those that somebody else has taken meanwhile.
    private func giveUp(_ ids: [Identifier], _ record: AttemptRecord) async throws -> [OutboxEntry] {
        do {
            return try await context.transact { transaction in
                let entries = try transaction.store.claim(ids, at: record.at)
                for entry in entries {
                    transaction.beginCause()
                    try write(record, of: entry, in: transaction)
                }
                return entries
            }
        } catch  where error.isRowsFault && ids.count > 1 {
            // One of them is to blame: each for itself, and that one waits for its turn.
            var ended: [OutboxEntry] = []
            for id in ids {
                do { ended += try await giveUp([id], record) } catch  where error.isRowsFault {
                    context.logger.error(
                        "mail cannot be given up", metadata: ["entry": "\(id)", "error": "\(error)"])
                }
            }
            return ended
        }
    }
}
