import JSONValue
import Logging
import MailModel
import WorkflowModel

/// Takes mails out of the outbox and hands them to the relay, as many at once as the transport has places.
///
/// A claim is durable before the attempt begins. Should the daemon die in between, the next start finds the claim and
/// tries again with the same Message-ID: a second copy is possible only when the relay had taken the mail and our
/// record of it was not yet durable, and every such attempt is counted (`possible_duplicates`).
package struct Dispatch: Sendable {
    package let context: EngineContext
    package let transport: any MailTransport
    private static let longestSleep: Int64 = 30
    /// How long a stop waits for attempts under way; what is still unfinished then is tried again at the next start.
    private static let drainTime = Duration.seconds(20)
    /// How long it may take, after that, to end them and to record that nobody knows how they ended.
    private static let abandonTime = Duration.seconds(3)

    package init(context: EngineContext, transport: any MailTransport) {
        self.context = context
        self.transport = transport
    }

    /// Gives back what a daemon that died had claimed. To be called once, before `run`.
    package func recover() async throws {
        let released = try await context.transact { transaction in
            let entries = try transaction.store.releaseClaims(at: transaction.now)
            if !entries.isEmpty { try transaction.store.count("possible_duplicates", by: entries.count) }
            return entries
        }
        for entry in released {
            context.logger.warning("mail may go out a second time", metadata: ["entry": "\(entry)"])
        }
    }

    /// Runs until cancelled; then takes nothing new, and returns when the attempts under way have ended or after
    /// `drainTime`.
    package func run() async {
        let places = DeliveryPlaces(transport.concurrency)
        // Every fourth place goes to bulk mail however much else waits, so that a campaign always moves.
        var credit = 0
        while !Task.isCancelled {
            let free = places.free
            credit += free
            let share = credit / 4
            credit %= 4
            guard let entries = free > 0 ? await claim(free, bulkShare: share) : [] else {
                await context.signals.dispatch.wait(until: context.clock.now().adding(seconds: 1), clock: context.clock)
                continue
            }
            for entry in entries {
                places.take()
                // Not a child: an attempt that has begun must not be cancelled with the loop.
                Task {
                    await deliver(entry, places: places)
                    if places.giveBack() { context.signals.dispatch.signal() }
                }
            }
            // A full claim may have left more behind; otherwise wait for a reason to look again.
            if !entries.isEmpty, entries.count == free, places.free > 0 { continue }
            await context.signals.dispatch.wait(until: await nextLook { places.free > 0 }, clock: context.clock)
        }
        await places.waitUntilAllFree(atMost: Self.drainTime)
        transport.stop()
        await places.waitUntilAllFree(atMost: Self.abandonTime)
    }

    /// - Returns: nil when the database did not take the claim.
    private func claim(_ limit: Int, bulkShare: Int) async -> [OutboxEntry]? {
        let now = context.clock.now()
        do {
            return try await context.store.write { try $0.claimEntries(dueAt: now, limit: limit, bulkShare: bulkShare) }
        } catch {
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func nextLook(_ hasPlaces: () -> Bool) async -> Timestamp {
        let now = context.clock.now()
        let latest = now.adding(seconds: Self.longestSleep)
        do {
            guard let next = try await context.store.write({ try $0.nextEntry() }) else { return latest }
            // Due entries that found no free place are looked for when a place becomes free, not in a hot loop.
            return next <= now && !hasPlaces() ? latest : min(latest, next)
        } catch {
            return now.adding(seconds: 1)
        }
    }

    // MARK: One mail

    /// Builds, hands over and records one claimed mail. Also the whole of dispatch for tests.
    ///
    /// - Parameter places: where the attempt holds a place, so that a stop can be noticed.
    package func deliver(_ entry: OutboxEntry, places: DeliveryPlaces? = nil) async {
        let outcome: DeliveryOutcome
        var subject = ""
        do {
            let gate = gate(for: entry)
            let now = context.clock.now()
            let (version, partials, attachments, project, withdrawal) = try await context.store.read { reader in
                (
                    try reader.templateVersion(entry.request.templateVersionID),
                    try entry.request.partials.compactMapValues { try reader.templateVersion($0) },
                    try entry.request.attachmentSet.map { try reader.attachments(ofSet: $0) } ?? [],
                    try reader.project(entry.projectID), try self.withdrawal(of: entry, at: now, in: reader)
                )
            }
            if let withdrawal {
                let record = AttemptRecord(status: .suppressed, at: context.clock.now(), reply: withdrawal)
                return await self.record(record, of: entry, subject: "", places)
            }
            guard let version else { throw MailBuilder.Failure(reason: "the template version is gone") }
            let builder = MailBuilder(context: context, project: project)
            let built = try await context.mailThreads.run {
                try builder.build(entry, version: version, partials: partials, attachments: attachments, now: now)
            }
            subject = built.subject
            let attempt = await attempt(built.mail, by: transport, gate)
            if let withdrawal = attempt.withdrawal {
                let record = AttemptRecord(status: .suppressed, at: context.clock.now(), reply: withdrawal)
                return await self.record(record, of: entry, subject: subject, places)
            }
            outcome = attempt.outcome
        } catch let error as StoreError {
            // Not the mail's fault: the claim is given back for a while and no attempt is counted.
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            await persist("claim not given back", entry, places) {
                let until = context.clock.now().adding(seconds: EngineContext.longestPause)
                try await context.store.write { try $0.unclaim([entry.id], until: until) }
            }
            context.signals.dispatch.signal()
            return
        } catch {
            outcome = .refused(reason: "\(error)")
        }
        let decided = RetrySchedule(context.configuration).decide(outcome, entry: entry, now: context.clock.now())
        await record(decided, of: entry, subject: subject, places, outcome: outcome)
    }

    private func record(
        _ decided: AttemptRecord, of entry: OutboxEntry, subject: String, _ places: DeliveryPlaces?,
        outcome: DeliveryOutcome? = nil
    ) async {
        await persist("outcome not recorded", entry, places) {
            try await context.transact { transaction in
                try transaction.store.record(decided, of: entry.id)
                if decided.isUncertain { try transaction.store.count("possible_duplicates", by: 1) }
                if decided.dueAt != nil { transaction.wakes.dispatch = true }
                // Of an erased contact nothing is written any more.
                guard !entry.request.isTest, let event = Self.event(for: decided.status),
                    let contact = try transaction.store.contact(entry.contactID)
                else { return }
                var data = Self.data(decided, entry: entry, subject: subject)
                if let bounce = Self.bounce(outcome, decided) {
                    data.merge(bounce.data)
                    data.merge(try BouncePolicy.apply(bounce, to: entry, in: transaction).data)
                }
                if decided.status == .delivered { try noteLateWithdrawal(of: entry, in: transaction, &data) }
                try EventRecorder(transaction: transaction, projectID: entry.projectID).record(
                    event, data: data, generation: entry.generation, contact: contact)
            }
            log(decided, entry)
        }
    }

    private func persist(
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
                "reply": "\(attempt.reply)", "queueId": "\(attempt.relayQueueID ?? "-")",
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
        case .pending, .claimed, .suppressed: nil
        }
    }

    private static func data(_ attempt: AttemptRecord, entry: OutboxEntry, subject: String) -> JSONObject {
        var data = entry.eventData
        data["subject"] = .string(subject)
        data["reply"] = .string(attempt.reply)
        data["attempts"] = .int(Int64(entry.attempts + 1))
        if let queueID = attempt.relayQueueID { data["relayQueueId"] = .string(queueID) }
        if attempt.status == .delivered { data["sentAt"] = .string("\(attempt.at)") }
        if attempt.status == .bounced { data["bouncedAt"] = .string("\(attempt.at)") }
        return data
    }
}
