import Engine
import WorkflowModel

/// Routes of the outbox are tested over the real store.
extension FakeSession {
    func outboxQueues() throws -> [OutboxQueue] { throw Unsupported() }
    func tickets(
        in queue: OutboxQueue, after position: OutboxTicket?, lane: Int64?, limit: Int
    ) throws -> [OutboxTicket] { throw Unsupported() }
    func pendingCount(in queue: OutboxQueue, limit: Int) throws -> Int { throw Unsupported() }
    func outboxPauses() throws -> [OutboxPause] { throw Unsupported() }
    func projectSlugs() throws -> [Identifier: String] { throw Unsupported() }
    func paceCounts(ofDay day: Int64) throws -> [String: Int] { throw Unsupported() }
    func claim(_ ids: [Identifier], at time: Timestamp) throws -> [OutboxEntry] { throw Unsupported() }
    func save(_ pause: OutboxPause) throws { throw Unsupported() }
    func deletePause(of object: OutboxPause.Object, in project: Identifier?) throws -> Bool { throw Unsupported() }
    func addPaceCount(_ scope: String, day: Int64, by amount: Int) throws { throw Unsupported() }
    func deletePaceCounts(beforeDay day: Int64) throws { throw Unsupported() }
}
