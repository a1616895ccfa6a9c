import Engine
import WorkflowModel

/// No route touches these.
extension FakeSession {
    func replies(to recipient: String) throws -> [SentReply] { throw Unsupported() }
    func save(_ reply: SentReply, to recipient: String) throws { throw Unsupported() }
    func replyCount(domain: String?, since slot: Int64) throws -> Int { throw Unsupported() }
    func countReply(domain: String, slot: Int64) throws { throw Unsupported() }
    func forgetReplyCounts() throws { throw Unsupported() }
    func save(_ stop: ReplyStop) throws { throw Unsupported() }
    func replyStop() throws -> ReplyStop? { throw Unsupported() }
    func pruneReplies(before time: Timestamp, slot: Int64, after place: String?, limit: Int) throws -> String? {
        throw Unsupported()
    }
}
