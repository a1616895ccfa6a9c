import Engine
import WorkflowModel

/// The outbox without its rules of turns, for tests that are about the mails.
extension StoreTransaction {
    /// Claims what is due, the longest due first: mail that somebody waits for, and a quarter for mail to many.
    package func claimEntries(dueAt time: Timestamp, limit: Int) throws -> [OutboxEntry] {
        func due(isBulk: Bool) throws -> [OutboxTicket] {
            try outboxQueues().filter { $0.isBulk == isBulk }.flatMap { queue in
                try tickets(in: queue, after: nil, lane: nil, limit: limit).filter { $0.dueAt <= time }
            }.sorted()
        }
        let (direct, bulk) = (try due(isBulk: false), try due(isBulk: true))
        let first = direct.prefix(limit - limit / 4)
        let second = bulk.prefix(limit - first.count)
        let rest = direct.dropFirst(first.count).prefix(limit - first.count - second.count)
        return try claim((first + second + rest).map(\.id), at: time)
    }

    /// When the first pending entry is due.
    package func nextEntry() throws -> Timestamp? {
        try outboxQueues().compactMap { try tickets(in: $0, after: nil, lane: nil, limit: 1).first?.dueAt }.min()
    }
}
