import MailModel
import WorkflowModel

/// A queue of the outbox: a project's mail to many, or the mail that somebody waits for.
package struct OutboxQueue: Hashable, Sendable {
    package var project: Identifier
    package var isBulk: Bool

    package init(project: Identifier, isBulk: Bool) {
        self.project = project
        self.isBulk = isBulk
    }
}

/// A pending mail in its queue, without the mail.
///
/// Tickets are ordered as the queue is: by the time they are due. They are read by the thousand, and a mail is read only
/// when its turn has come.
package struct OutboxTicket: Hashable, Sendable, Comparable {
    package var dueAt: Timestamp
    /// Number of the recipient's domain, see `MailLane`.
    package var lane: Int64
    package var id: Identifier

    package init(dueAt: Timestamp, lane: Int64, id: Identifier) {
        self.dueAt = dueAt
        self.lane = lane
        self.id = id
    }

    /// Before every ticket that is due at that time.
    static func start(of time: Timestamp) -> OutboxTicket {
        OutboxTicket(dueAt: time, lane: .min, id: Identifier(high: 0, low: 0))
    }

    package static func < (left: OutboxTicket, right: OutboxTicket) -> Bool {
        (left.dueAt, left.lane, left.id) < (right.dueAt, right.lane, right.id)
    }
}

/// Domains by number, so that a queue can be read without its mails. Equal domains have equal numbers, in every process
/// and for good; two domains that share one by chance (one pair in 10¹⁹) share their pace.
package enum MailLane {
    /// For an address, with or without a display name; 0 where there is no domain.
    package static func of(_ recipient: String) -> Int64 {
        let address = RecipientAddress.normal(recipient)
        guard let at = address.lastIndex(of: "@") else { return 0 }
        return of(domain: String(address[address.index(after: at)...]))
    }

    /// For a domain, in letters of any case and script.
    package static func of(domain: String) -> Int64 {
        // FNV-1a: short texts, the same result everywhere, and nobody gains by making two of them meet.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in (MailDomain.ascii(domain) ?? domain).utf8 {
            hash ^= UInt64(byte)
            hash &*= 0x0000_0100_0000_01B3
        }
        return Int64(bitPattern: hash)
    }
}

/// Reads of the outbox as queues.
package protocol OutboxQueueReader: AnyObject {
    /// Queues that hold pending mail, due or not.
    func outboxQueues() throws -> [OutboxQueue]
    /// The first tickets of a queue, due or not, after `position`.
    /// - Parameters:
    ///   - position: nil for the beginning.
    ///   - lane: only mail to that domain; nil for all.
    func tickets(
        in queue: OutboxQueue, after position: OutboxTicket?, lane: Int64?, limit: Int
    ) throws -> [OutboxTicket]
    /// How many are pending in a queue, counted up to `limit`.
    func pendingCount(in queue: OutboxQueue, limit: Int) throws -> Int
    /// What stands still.
    func outboxPauses() throws -> [OutboxPause]
    /// Names of the projects.
    func projectSlugs() throws -> [Identifier: String]
    /// Attempts of a day (days since 1970, UTC), by scope.
    func paceCounts(ofDay day: Int64) throws -> [String: Int]
}

/// Operations on the outbox as queues, inside one write transaction.
package protocol OutboxQueueTransaction: OutboxQueueReader {
    /// Marks those of the mails that are pending and due as claimed and returns them in that order. One that cannot be
    /// read is marked as failed in its place.
    func claim(_ ids: [Identifier], at time: Timestamp) throws -> [OutboxEntry]
    /// Adds it, or replaces the one of the same object.
    func save(_ pause: OutboxPause) throws
    /// - Returns: whether there was one.
    func deletePause(of object: OutboxPause.Object, in project: Identifier?) throws -> Bool
    /// Adds to the attempts of a day.
    func addPaceCount(_ scope: String, day: Int64, by amount: Int) throws
    /// Forgets the attempts of earlier days.
    func deletePaceCounts(beforeDay day: Int64) throws
}
