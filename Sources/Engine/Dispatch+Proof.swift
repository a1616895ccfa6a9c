import Logging
import WorkflowModel

extension Dispatch {
    /// Looks, before a mail goes out of which an earlier attempt has ended in the dark, whether the relay has it already.
    ///
    /// - Returns: whether no attempt is to be made now: it is settled, or proof may still come.
    func needsNoAttempt(
        _ entry: OutboxEntry, _ seat: DispatchBoard.Seat, _ places: DeliveryPlaces?
    ) async -> Bool {
        let finding: Submissions.Finding
        do {
            finding = try await Submissions(context: context).look(for: entry)
        } catch {
            context.logger.error("outbox waits for the database", metadata: ["error": "\(error)"])
            finding = .open(until: context.clock.now().adding(seconds: EngineContext.longestPause))
        }
        switch finding {
        case .queued(let queueID):
            finish(seat, with: nil, entry)
            var record = AttemptRecord(
                status: .delivered, at: context.clock.now(), reply: "found in the relay's queue", relayQueueID: queueID)
            record.isAttempt = false
            await self.record(record, of: entry, places)
            await persist("second copy not counted", entry, places) {
                try await context.store.write { store in
                    try store.count("duplicates_prevented", by: 1)
                    try store.count("possible_duplicates", by: -1)
                }
            }
            return true
        case .open(let time):
            finish(seat, with: nil, entry)
            await putOff(entry, until: time, places)
            return true
        case .none: return false
        }
    }

    /// Of the attempts of a delivered mail that had ended in the dark, how many are known by now to have made no second copy:
    /// those that were dropped at the door, the last one among them, and one that was found in the relay's queue.
    func resolvedAttempts(
        of entry: OutboxEntry, at end: AttemptRecord, in transaction: EngineTransaction
    ) throws -> Int {
        guard end.status == .delivered, entry.uncertainAttempts > 0 else { return 0 }
        let discarded = try transaction.store.acceptances(of: entry.id).count { $0.isDiscarded }
        return min(entry.uncertainAttempts, discarded + (end.isAttempt ? 0 : 1))
    }
}
