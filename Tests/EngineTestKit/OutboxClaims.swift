import Engine
import WorkflowModel

/// The outbox without its rules of turns, for tests that are about the mails.
extension StoreTransaction {
    /// Claims what is due, the longest due first.
    package func claimEntries(dueAt time: Timestamp, limit: Int) throws -> [OutboxEntry] {
        let due = try outboxQueues().flatMap { queue in
            try tickets(in: queue, after: nil, lane: nil, limit: limit).filter { $0.dueAt <= time }
        }
        return try claim(due.sorted().prefix(limit).map(\.id), at: time)
    }

    /// When the first pending entry is due.
    package func nextEntry() throws -> Timestamp? {
        try outboxQueues().compactMap { try tickets(in: $0, after: nil, lane: nil, limit: 1).first?.dueAt }.min()
    }
}
