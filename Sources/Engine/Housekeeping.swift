import Dispatch
import Logging
import WorkflowModel

/// Forgets what has had its time: idempotency records, texts of keys that have ended, what stood against mail to an
/// erased address and has ended, files and bodies of mails that are gone, who got a broadcast that ended long ago, looks
/// at anonymous mail that nobody is shown any more, hits of mails and receptions that are old, paces of days that are over.
/// A little at a time, because everybody else waits for the writer meanwhile.
package struct Housekeeping: Sendable {
    package let context: EngineContext
    private static let batchSize = 500
    /// Sets of attachments and unnamed versions that one round looks at.
    private static let partsSize = 200
    /// Recipients of automatic replies that one round looks at.
    private static let replySize = 1000
    /// Seconds between two rounds.
    private static let pause: Int64 = 60
    /// Seconds for which keys that have ended stay to be seen in the database.
    private static let keyMemory: Int64 = 30 * 86_400
    /// Seconds for which it is kept that mail became no event.
    private static let outcomeMemory: Int64 = 30 * 86_400

    /// Seconds for which it is kept what went into the relay's queue, and which mails came in past us: longer than a mail
    /// stays in any queue.
    private static let queueMemory: Int64 = 60 * 86_400

    /// Seconds after the end of a broadcast for which it is kept who got a mail of it.
    package static let recipientMemory: Int64 = 90 * 86_400
    /// Broadcasts that one round looks for.
    private static let broadcastsSize = 100

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled.
    package func run() async {
        var place: Identifier?
        var recipient: String?
        var places = Places()
        var paceDay: Int64?
        // Their keys tell nothing of their age: whoever begins anew every night at the first of them never comes to the last.
        places.receptions = context.cryptography.randomBytes(32)
        while !Task.isCancelled {
            do {
                try await sweep()
                place = try await sweepMailParts(after: place)
                recipient = try await sweepReplies(after: recipient)
                try await sweepBroadcasts()
                try await sweepTables(&places)
                paceDay = try await sweepPaces(after: paceDay)
                await sweepRawMail()
            } catch {
                context.logger.error("housekeeping waits for the database", metadata: ["error": "\(error)"])
            }
            do {
                try await context.clock.sleep(until: context.clock.now().adding(seconds: Self.pause))
            } catch {
                return
            }
        }
    }

    /// One round.
    /// - Returns: how many records were forgotten.
    @discardableResult
    package func sweep() async throws -> Int {
        let now = context.clock.now()
        let ended = now.adding(seconds: -IdempotentRequest.lifetime)
        let oldest = now.adding(seconds: -Self.outcomeMemory)
        try await context.store.write { store in
            try store.pruneKeys(before: now.adding(seconds: -Self.keyMemory))
            try store.pruneQueue(before: now.adding(seconds: -Self.queueMemory))
        }
        _ = try await repeating { try $0.pruneInboundOutcomes(before: oldest, limit: Self.batchSize) }
        let records = try await repeating { try $0.pruneIdempotency(before: ended, limit: Self.batchSize) }
        let parts = try await repeating { try $0.pruneIdempotencyParts(before: ended, limit: Self.batchSize) }
        let kept = try await repeating { try $0.pruneKeptSuppressions(before: now, limit: Self.batchSize) }
        let old = now.adding(seconds: -InboundReport.lifetime)
        let earliest = SharedHit.day(of: now.adding(seconds: -86_400 * Int64(Opens.longestOverview - 1)))
        let hits = try await repeating { try $0.pruneSharedHits(before: earliest, limit: Self.batchSize) }
        return try await records + parts + kept + hits
            + repeating { try $0.pruneReports(before: old, limit: Self.batchSize) }
    }

    private func repeating(_ prune: @escaping @Sendable (any StoreTransaction) throws -> Int) async throws -> Int {
        var forgotten = 0
        while !Task.isCancelled {
            let count = try await context.store.write(prune)
            forgotten += count
            if count < Self.batchSize { break }
        }
        return forgotten
    }

    /// Forgets who got a broadcast that ended long ago. Its counts stay.
    ///
    /// While it is not at its end these rows are what keeps anybody from getting a second mail. Afterwards they only tell
    /// whether an unsubscription by a mail of it has been counted.
    /// - Returns: how many records were forgotten.
    @discardableResult
    package func sweepBroadcasts() async throws -> Int {
        let end = context.clock.now().adding(seconds: -Self.recipientMemory)
        let ended = try await context.store.read {
            try $0.broadcastsWithRecipients(endedBefore: end, limit: Self.broadcastsSize)
        }
        var forgotten = 0
        for id in ended {
            forgotten += try await repeating { try $0.pruneRecipients(ofBroadcast: id, limit: Self.batchSize) }
        }
        return forgotten
    }

    /// Forgets automatic replies that stand against no other any more, of the next recipients.
    /// - Returns: the recipient after whom the next round goes on; nil begins again.
    package func sweepReplies(after place: String? = nil) async throws -> String? {
        let now = context.clock.now()
        let window = max(context.configuration.replies.window, ReplyLimits.shortestWindow)
        return try await context.store.write {
            try $0.pruneReplies(
                before: now.adding(seconds: -window), slot: AutomaticReplies.firstSlot(at: now), after: place,
                limit: Self.replySize)
        }
    }

    /// Removes kept mail that has had its time, and the oldest where there is too much.
    package func sweepRawMail() async {
        guard let archive = context.rawMail else { return }
        let policy = context.configuration.rawMail
        let end = context.clock.now().adding(seconds: -policy.largestAge)
        do {
            // Files: a thread of their own, for the pool's must not wait for a disk.
            let removed = try await withCheckedThrowingContinuation { continuation in
                DispatchQueue.global(qos: .utility).async {
                    continuation.resume(
                        with: Result { try archive.prune(before: end, largestTotal: policy.largestTotal) })
                }
            }
            if removed > 0 { context.logger.info("kept mail removed", metadata: ["mails": "\(removed)"]) }
        } catch {
            context.logger.error("kept mail cannot be removed", metadata: ["error": "\(error)"])
        }
    }

    /// Removes files and bodies that no mail needs, of the next ones: whoever goes on from place to place sees them all.
    /// - Returns: where the next round goes on; nil begins again.
    package func sweepMailParts(after place: Identifier? = nil) async throws -> Identifier? {
        try await context.store.write { try $0.pruneMailParts(after: place, limit: Self.partsSize) }
    }
}
