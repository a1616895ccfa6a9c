import Logging
import MailModel
import WorkflowModel

/// Follows the log of the relay: what became of mails that it took from us, and which mails for our routes came in past us.
///
/// How far the log was read is stored in the transaction that does what the lines say, so every line counts once, whatever
/// ends the daemon in between.
package struct DeliveryLog: Sendable {
    package let context: EngineContext
    private let source: any MailLogSource
    private let wants: @Sendable (String) -> Bool
    /// Microseconds between two looks at a log that has nothing new.
    private static let pause: Int64 = 250_000

    /// - Parameter wants: whether mail to that recipient becomes an event.
    package init(
        context: EngineContext, source: any MailLogSource, wants: @escaping @Sendable (String) -> Bool
    ) {
        self.context = context
        self.source = source
        self.wants = wants
    }

    /// Runs until cancelled.
    package func run() async {
        var reading = Reading()
        while !Task.isCancelled {
            let isAtEnd = await pass(&reading)
            guard isAtEnd else { continue }
            do { try await context.clock.sleep(until: context.clock.now().adding(microseconds: Self.pause)) } catch {
                break
            }
        }
        source.stop()
    }

    /// What is known between two batches.
    package struct Reading {
        var memory = MailLogMemory()
        var position: String?
        var hasPosition = false
        /// Said once, until it is over.
        var trouble: String?
        /// Queue ids of gaps that are open.
        var openGaps: Set<String> = []

        package init() {}
    }

    /// Reads and does what is there, one batch of it.
    /// - Returns: whether the end was reached.
    package func pass(_ reading: inout Reading) async -> Bool {
        guard await start(&reading) else { return true }
        let asked = context.clock.now()
        let batch = await source.next(after: reading.position)
        report(batch, &reading)
        if let position = batch.position {
            guard await take(batch, position: position, &reading) else { return true }
            reading.position = position
        }
        await resolveLate(&reading)
        if batch.isAtEnd { context.relayWatch?.noteEnd(at: asked) }
        return batch.isAtEnd
    }

    private func start(_ reading: inout Reading) async -> Bool {
        guard !reading.hasPosition else { return true }
        do {
            let (position, gaps) = try await context.store.read { [source] reader in
                (
                    try reader.logPosition(of: source.name),
                    try reader.inboundGaps(includingResolved: false, limit: 10_000).map(\.queueID)
                )
            }
            reading.position = position
            reading.openGaps = Set(gaps)
            reading.hasPosition = true
            return true
        } catch {
            context.logger.error("mail log waits for the database", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func report(_ batch: MailLogBatch, _ reading: inout Reading) {
        if batch.trouble != reading.trouble, let trouble = batch.trouble {
            context.logger.warning("mail log: \(trouble)", metadata: ["log": "\(source.name)"])
        }
        reading.trouble = batch.trouble
    }

    // MARK: One batch

    /// What one transaction found out.
    private struct Learned: Sendable {
        var foreign: Set<MailLogMemory.Key> = []
        var saved: Set<MailLogMemory.Key> = []
        var gaps: [InboundGap] = []
    }

    /// - Returns: false when the database did not take it; the same lines are read again then.
    private func take(_ batch: MailLogBatch, position: String, _ reading: inout Reading) async -> Bool {
        var memory = reading.memory
        let (steps, arrivals) = memory.take(batch.lines, wants: wants)
        let source = source.name
        do {
            let missing = try await missing(among: arrivals)
            let learned = try await context.transact { transaction in
                var learned = Learned()
                if batch.hasLoss { try transaction.store.count("log_losses", by: 1) }
                for step in steps { try Self.act(on: step, in: transaction, &learned) }
                for arrival in missing {
                    let gap = InboundGap(
                        queueID: arrival.key.queueID, recipient: arrival.recipient, messageID: arrival.messageID,
                        sender: arrival.sender, at: arrival.at, foundAt: transaction.now)
                    guard try transaction.store.insert(gap) else { continue }
                    try transaction.store.count("inbound_gaps", by: 1)
                    learned.gaps.append(gap)
                }
                try transaction.store.saveLogPosition(position, of: source, at: transaction.now)
                return learned
            }
            memory.setForeign(learned.foreign)
            memory.setSaved(learned.saved)
            reading.memory = memory
            for gap in learned.gaps {
                reading.openGaps.insert(gap.queueID)
                context.logger.warning(
                    "mail came in past us", metadata: ["queueId": "\(gap.queueID)", "recipient": "\(gap.recipient)"])
            }
            return true
        } catch {
            context.logger.error("mail log waits for the database", metadata: ["error": "\(error)"])
            return false
        }
    }

    private static func act(
        on step: MailLogMemory.Step, in transaction: EngineTransaction, _ learned: inout Learned
    ) throws {
        do {
            switch step {
            case .named(let key, let mail):
                // At once: the daemon may be another when the next line comes, and that one has the queue id alone.
                guard let found = try find(key, mail, in: transaction, &learned) else { return }
                try save(key, mail, of: found, in: transaction, &learned)
            case .queued(let key, let mail, let time):
                guard let found = try find(key, mail, in: transaction, &learned) else { return }
                try transaction.mailIsQueued(found, queueID: key.queueID, at: time)
                try save(key, mail, of: found, in: transaction, &learned)
            case .outcome(let key, let mail, let outcome, let isHop, let time):
                guard let found = try find(key, mail, in: transaction, &learned) else { return }
                try transaction.relayTried(found, outcome, queueID: key.queueID, isHop: isHop, at: time)
            case .expired(let key, let mail, let time):
                guard let found = try find(key, mail, in: transaction, &learned) else { return }
                try transaction.relayGaveUp(found, queueID: key.queueID, at: time)
            case .removed(let key):
                try transaction.store.deleteQueuedDelivery(instance: key.instance, queueID: key.queueID)
            }
        } catch let error as StoreError where error.code == .damaged {
            // One bad row must not hold up the log for ever.
            transaction.context.logger.error("mail log: a line is passed over", metadata: ["error": "\(error)"])
        }
    }

    private static func save(
        _ key: MailLogMemory.Key, _ mail: MailLogMemory.Mail, of found: RelayedMail,
        in transaction: EngineTransaction, _ learned: inout Learned
    ) throws {
        guard !mail.isSaved, learned.saved.insert(key).inserted else { return }
        try transaction.store.save(
            QueuedDelivery(
                instance: key.instance, queueID: key.queueID, entryID: found.entry.id, at: transaction.now))
    }

    /// The mail of ours that is meant; nil when it is none.
    ///
    /// Anybody can write a Message-ID of ours into a mail: it counts only under a queue id that we know to be its own, or when
    /// the mail was submitted on this machine, as we and content filters do.
    private static func find(
        _ key: MailLogMemory.Key, _ mail: MailLogMemory.Mail, in transaction: EngineTransaction,
        _ learned: inout Learned
    ) throws -> RelayedMail? {
        guard !learned.foreign.contains(key) else { return nil }
        guard let candidate = mail.candidate else {
            // Its first lines were read before a restart, or long ago.
            if let saved = try transaction.store.queuedDelivery(instance: key.instance, queueID: key.queueID) {
                return try transaction.store.relayedMail(saved.entryID)
            }
            learned.foreign.insert(key)
            return nil
        }
        guard let found = try transaction.store.relayedMail(candidate), found.entry.messageID == mail.messageID else {
            learned.foreign.insert(key)
            return nil
        }
        if mail.isLocal || mail.isSaved || found.queueID == key.queueID { return found }
        return try transaction.store.acceptances(of: candidate).contains { $0.queueID == key.queueID } ? found : nil
    }

    // MARK: Gaps

    private func missing(among arrivals: [MailLogMemory.Arrival]) async throws -> [MailLogMemory.Arrival] {
        guard let known = context.relayWatch?.arrivals else { return [] }
        // Another queue id of the same mail, before a filter, speaks for its own recipients alone: many senders send one mail to
        // each of several recipients in a transaction of its own.
        let unknown = arrivals.filter { arrival in
            !known.contains(arrival.key.queueID)
                && !arrival.otherQueueIDs.contains { known.contains($0, to: arrival.recipient) }
        }
        guard !unknown.isEmpty else { return [] }
        let ids = unknown.reduce(into: Set<String>()) { $0.formUnion($1.otherQueueIDs.union([$1.key.queueID])) }
        let received = try await context.store.read { try $0.receivedRecipients(underQueueIDs: ids) }
            .mapValues { Set($0.map(AddressText.normal)) }
        return unknown.filter { arrival in
            let recipient = AddressText.normal(arrival.recipient)
            return received[arrival.key.queueID] == nil
                && !arrival.otherQueueIDs.contains { received[$0]?.contains(recipient) == true }
        }
    }

    /// A commit may come after the MTA has given up waiting for it.
    private func resolveLate(_ reading: inout Reading) async {
        guard let fresh = context.relayWatch?.arrivals.takeFresh(), !reading.openGaps.isEmpty else { return }
        let late = reading.openGaps.intersection(fresh)
        guard !late.isEmpty else { return }
        let now = context.clock.now()
        do {
            try await context.store.write { store in
                for queueID in late { _ = try store.resolveGaps(of: queueID, recipient: nil, at: now) }
            }
            reading.openGaps.subtract(late)
        } catch {
            context.logger.error("mail log waits for the database", metadata: ["error": "\(error)"])
        }
    }
}
