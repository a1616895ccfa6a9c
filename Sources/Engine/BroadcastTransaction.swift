import WorkflowModel

/// The store's operations on broadcasts and their mails, inside one write transaction.
package protocol BroadcastTransaction: BroadcastReader {
    /// Inserts the broadcast or replaces it.
    func save(_ broadcast: Broadcast) throws
    func delete(broadcast id: Identifier) throws
    /// The version stays, whatever else needs it.
    func pin(version: Identifier, for broadcast: Identifier) throws
    func templateVersion(_ id: Identifier) throws -> TemplateVersion?

    // MARK: Mails

    /// Notes that the contact gets a mail of the broadcast.
    /// - Returns: false when the contact has got one.
    func note(
        recipient contact: Identifier, of broadcast: Identifier, variant: Int, mail entry: Identifier
    ) throws -> Bool
    /// Notes that somebody ended the subscription by a link of that mail.
    /// - Returns: false when it was noted before.
    func noteUnsubscription(by contact: Identifier, in broadcast: Identifier) throws -> Bool
    /// Forgets who got a mail of it.
    /// - Returns: how many were forgotten, at most `limit`.
    func pruneRecipients(ofBroadcast id: Identifier, limit: Int) throws -> Int
    func count(_ count: Broadcast.Count, of broadcast: Identifier, variant: Int, by amount: Int) throws

    /// Mails that are pending wait until they are released.
    /// - Returns: how many were found; fewer than `limit` when there are no more.
    func holdMails(of broadcast: Identifier, limit: Int) throws -> Int
    /// The same for some that are claimed.
    func hold(_ entries: [Identifier]) throws
    /// Mails that were held are pending again.
    /// - Returns: when each is or was due.
    func releaseMails(of broadcast: Identifier, limit: Int) throws -> [Timestamp]
    /// Ends mails that wait, pending or held.
    /// - Returns: how many, by variant.
    func cancelMails(of broadcast: Identifier, at time: Timestamp, limit: Int) throws -> [Int: Int]
}

/// Reads of broadcasts, on a snapshot.
package protocol BroadcastReader: AnyObject {
    func broadcast(_ id: Identifier) throws -> Broadcast?
    /// Nil also for a broadcast of another project.
    func broadcast(_ id: Identifier, in project: Identifier) throws -> Broadcast?
    /// Newest first.
    /// - Parameter status: nil takes all.
    func broadcasts(
        in project: Identifier, status: Broadcast.Status?, limit: Int, offset: Int
    ) throws -> (rows: [Broadcast], total: Int)
    /// Those that are neither sent nor cancelled.
    func openBroadcasts(in project: Identifier) throws -> [Broadcast]
    /// Those of all projects about which something is to be done, the oldest first. One that cannot be read is left out.
    func activeBroadcasts() throws -> [Broadcast]
    /// Those that were sent or cancelled before, and of which it is known who got a mail.
    func broadcastsWithRecipients(endedBefore time: Timestamp, limit: Int) throws -> [Identifier]
    /// By variant.
    func broadcastCounts(of id: Identifier) throws -> [Int: BroadcastCounts]
    /// Mails in the outbox that are neither sent nor given up.
    func openMailCount(ofBroadcast id: Identifier) throws -> Int
    /// Who would be asked: members of the segment, or everybody who has subscribed.
    func audience(ofSegment segment: Identifier?, in project: Identifier, at time: Timestamp) throws -> Audience
}

/// How many people a broadcast concerns.
package struct Audience: Hashable, Sendable {
    package var members: Int
    /// Of these.
    package var subscribed: Int
    /// Of these, without those whose address is suppressed.
    package var sendable: Int

    package init(members: Int, subscribed: Int, sendable: Int) {
        self.members = members
        self.subscribed = subscribed
        self.sendable = sendable
    }
}
