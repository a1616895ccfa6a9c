import Logging
import WorkflowModel

/// Forgets what has had its time: idempotency records and texts of keys that have ended. A little at a time, because
/// everybody else waits for the writer meanwhile.
package struct Housekeeping: Sendable {
    package let context: EngineContext
    private static let batchSize = 500
    /// Seconds between two rounds.
    private static let pause: Int64 = 60
    /// Seconds for which keys that have ended stay to be seen in the database.
    private static let keyMemory: Int64 = 30 * 86_400

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await sweep() } catch {
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
        while !Task.isCancelled {
            let count = try await context.store.write {
                try $0.pruneIdempotency(before: ended, limit: Self.batchSize)
            }
            forgotten += count
            if count < Self.batchSize { break }
        }
        return forgotten
    }
}
