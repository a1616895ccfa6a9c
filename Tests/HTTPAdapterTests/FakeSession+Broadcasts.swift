import Engine
import WorkflowModel

/// Routes of broadcasts are tested over the real store.
extension FakeSession {
    func save(_ broadcast: Broadcast) throws { throw Unsupported() }
    func delete(broadcast id: Identifier) throws { throw Unsupported() }
    func pin(version: Identifier, for broadcast: Identifier) throws { throw Unsupported() }
    func note(
        recipient contact: Identifier, of broadcast: Identifier, variant: Int, mail entry: Identifier
    ) throws -> Bool { throw Unsupported() }
    func noteUnsubscription(by contact: Identifier, in broadcast: Identifier) throws -> Bool { throw Unsupported() }
    func count(_ count: Broadcast.Count, of broadcast: Identifier, variant: Int, by amount: Int) throws {
        throw Unsupported()
    }
    func pruneRecipients(ofBroadcast id: Identifier, limit: Int) throws -> Int { throw Unsupported() }
    func broadcastsWithRecipients(endedBefore time: Timestamp, limit: Int) throws -> [Identifier] {
        throw Unsupported()
    }
    func holdMails(of broadcast: Identifier, limit: Int) throws -> Int { throw Unsupported() }
    func hold(_ entries: [Identifier]) throws { throw Unsupported() }
    func releaseMails(of broadcast: Identifier, limit: Int) throws -> [Timestamp] { throw Unsupported() }
    func cancelMails(of broadcast: Identifier, at time: Timestamp, limit: Int) throws -> [Int: Int] {
        throw Unsupported()
    }
    func broadcast(_ id: Identifier) throws -> Broadcast? { throw Unsupported() }
    func broadcast(_ id: Identifier, in project: Identifier) throws -> Broadcast? { throw Unsupported() }
    func broadcasts(
        in project: Identifier, status: Broadcast.Status?, limit: Int, offset: Int
    ) throws -> (rows: [Broadcast], total: Int) { throw Unsupported() }
    func openBroadcasts(in project: Identifier) throws -> [Broadcast] { throw Unsupported() }
    func activeBroadcasts() throws -> [Broadcast] { throw Unsupported() }
    func status(ofBroadcast id: Identifier) throws -> Broadcast.Status? { throw Unsupported() }
    func broadcastCounts(of id: Identifier) throws -> [Int: BroadcastCounts] { throw Unsupported() }
    func openMailCount(ofBroadcast id: Identifier) throws -> Int { throw Unsupported() }
    func audience(ofSegment segment: Identifier?, in project: Identifier, at time: Timestamp) throws -> Audience {
        throw Unsupported()
    }
}
