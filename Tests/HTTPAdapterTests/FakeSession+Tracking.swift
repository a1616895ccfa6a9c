import Engine
import WorkflowModel

extension FakeSession {
    func count(_ hit: SharedHit) throws { throw Unsupported() }
    func isPixelFetched(of entry: Identifier) throws -> Bool { throw Unsupported() }
    func pruneSharedHits(before day: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func sharedHits(in project: Identifier, since start: Timestamp, limit: Int) throws -> [SharedHitCount] {
        throw Unsupported()
    }
}
