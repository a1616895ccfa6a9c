import WorkflowModel

/// The store's operations on automatic replies that were sent, inside one write transaction.
package protocol ReplyTransaction: ReplyReader {
    /// When whoever has that name was last answered, by route and template, over all projects.
    func replies(to recipient: String) throws -> [SentReply]
    /// Remembers a reply: in the place of an earlier one that is the same.
    func save(_ reply: SentReply, to recipient: String) throws
    /// How many replies were counted from a slot on.
    /// - Parameter domain: nil for those to everybody.
    func replyCount(domain: String?, since slot: Int64) throws -> Int
    /// Counts a reply to an address of that domain.
    func countReply(domain: String, slot: Int64) throws
    /// Begins all counts anew.
    func forgetReplyCounts() throws
    /// Stops all automatic replies, in the place of an earlier stop.
    func save(_ stop: ReplyStop) throws
    /// Forgets counts of slots before that one, and of the next replies those sent before that time.
    /// - Parameter place: the recipient after whom to go on; nil begins at the first.
    /// - Returns: where to go on; nil at the end.
    func pruneReplies(before time: Timestamp, slot: Int64, after place: String?, limit: Int) throws -> String?
}

/// Reads of automatic replies on a snapshot.
package protocol ReplyReader: AnyObject {
    /// The last time that all automatic replies were stopped.
    func replyStop() throws -> ReplyStop?
}

/// An automatic reply that was decided.
package struct SentReply: Hashable, Sendable {
    package var projectID: Identifier
    package var route: String
    package var template: Identifier
    package var at: Timestamp

    package init(projectID: Identifier, route: String, template: Identifier, at: Timestamp) {
        self.projectID = projectID
        self.route = route
        self.template = template
        self.at = at
    }
}

/// There were more automatic replies than the site ever wants: something is wrong, and none go out for a while. Those that
/// were waiting then are never sent: what they answer is no longer waiting for them.
package struct ReplyStop: Hashable, Sendable {
    package var openedAt: Timestamp
    /// Whether it is over is a question of this alone.
    package var until: Timestamp

    package init(openedAt: Timestamp, until: Timestamp) {
        self.openedAt = openedAt
        self.until = until
    }
}
