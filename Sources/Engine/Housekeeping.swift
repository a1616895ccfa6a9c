import Logging
import WorkflowModel

/// Forgets what has had its time: idempotency records, texts of keys that have ended, files and bodies of mails that are
/// gone. A little at a time, because everybody else waits for the writer meanwhile.
package struct Housekeeping: Sendable {
    package let context: EngineContext
    private static let batchSize = 500
    /// Sets of attachments and unnamed versions that one round looks at.
    private static let partsSize = 200
    /// Seconds between two rounds.
    private static let pause: Int64 = 60
    /// Seconds for which keys that have ended stay to be seen in the database.
    private static let keyMemory: Int64 = 30 * 86_400

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled.
    package func run() async {
        var place: Identifier?
        while !Task.isCancelled {
            do {
                try await sweep()
                place = try await sweepMailParts(after: place)
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
        try await context.store.write { try $0.pruneKeys(before: now.adding(seconds: -Self.keyMemory)) }
        var forgotten = 0
        forgotten += try await context.store.write {
            try $0.pruneReports(before: now.adding(seconds: -InboundReport.lifetime), limit: Self.batchSize)
        }
        while !Task.isCancelled {
            let count = try await context.store.write {
                try $0.pruneIdempotency(before: ended, limit: Self.batchSize)
            }
            forgotten += count
            if count < Self.batchSize { break }
        }
        return forgotten
    }

    /// Removes files and bodies that no mail needs, of the next ones: whoever goes on from place to place sees them all.
    /// - Returns: where the next round goes on; nil begins again.
    package func sweepMailParts(after place: Identifier? = nil) async throws -> Identifier? {
        try await context.store.write { try $0.pruneMailParts(after: place, limit: Self.partsSize) }
    }
}
