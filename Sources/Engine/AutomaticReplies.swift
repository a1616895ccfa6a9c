import Logging
import WorkflowModel

/// Counts automatic replies and says when enough is enough. In the transaction that decides the reply, and so right however
/// many decide at once, and after any restart.
struct AutomaticReplies {
    /// Why no reply goes out although the mail may be answered. The raw value is shown, so it is never reused.
    enum Refusal: String, CaseIterable {
        /// The same reply went to the same sender within the window.
        case alreadyAnswered = "already_answered"
        /// The sender had too many within an hour.
        case senderRate = "rate_limit"
        /// His domain had too many within an hour.
        case domainRate = "domain_rate_limit"
        /// There were too many altogether: they are stopped for a while.
        case stopped = "replies_stopped"
    }

    /// Seconds that are counted together. What is looked at is an hour and up to one slot more, so that no hour has more than
    /// it may.
    static let slotLength: Int64 = 300

    static func slot(at time: Timestamp) -> Int64 { time.microseconds / (slotLength * 1_000_000) }

    /// The first slot that an hour before that time touches.
    static func firstSlot(at time: Timestamp) -> Int64 { slot(at: time.adding(seconds: -3600)) }

    private let transaction: EngineTransaction
    private let projectID: Identifier

    init(_ transaction: EngineTransaction, project: Identifier) {
        self.transaction = transaction
        projectID = project
    }

    private var limits: ReplyLimits { transaction.context.configuration.replies }
    private var store: any StoreTransaction { transaction.store }

    /// - Parameter earlier: replies of the same move, which are not counted yet.
    func refusal(of reply: ReplyKey, after earlier: [ReplyKey]) throws -> Refusal? {
        if let stop = try store.replyStop(), stop.until > transaction.now { return .stopped }
        let recipient = AutomaticReplyKey.key(for: reply.recipient)
        let windowStart = transaction.now.adding(seconds: -max(limits.window, ReplyLimits.shortestWindow))
        let sent = try store.replies(to: recipient)
        let sooner = earlier.filter { AutomaticReplyKey.key(for: $0.recipient) == recipient }
        let isRepeated =
            sent.contains {
                $0.projectID == projectID && $0.route == reply.route && $0.template == reply.template
                    && $0.at > windowStart
            } || sooner.contains { $0.route == reply.route && $0.template == reply.template }
        if isRepeated { return .alreadyAnswered }
        // The same reply comes again after a day at the soonest: those of the last hour are one row each.
        let hourAgo = transaction.now.adding(seconds: -3600)
        if sent.count(where: { $0.at > hourAgo }) + sooner.count >= limits.perSender { return .senderRate }
        let slot = Self.firstSlot(at: transaction.now)
        let domain = AutomaticReplyKey.domain(of: reply.recipient)
        let neighbours = earlier.count { AutomaticReplyKey.domain(of: $0.recipient) == domain }
        if try store.replyCount(domain: domain, since: slot) + neighbours >= limits.perDomain { return .domainRate }
        if try store.replyCount(domain: nil, since: slot) + earlier.count >= limits.overall { return .stopped }
        return nil
    }

    /// A reply is in the outbox.
    func count(_ reply: ReplyKey) throws {
        try store.save(
            SentReply(projectID: projectID, route: reply.route, template: reply.template, at: transaction.now),
            to: AutomaticReplyKey.key(for: reply.recipient))
        try store.countReply(
            domain: AutomaticReplyKey.domain(of: reply.recipient), slot: Self.slot(at: transaction.now))
    }

    /// A reply was refused: it is counted by its reason, and one too many of all stops them.
    func noteRefusal(_ reason: String) throws {
        try store.count("replies_refused", by: 1)
        try store.count("replies_refused_\(reason)", by: 1)
        guard reason == Refusal.stopped.rawValue else { return }
        if let stop = try store.replyStop(), stop.until > transaction.now { return }
        let stop = ReplyStop(openedAt: transaction.now, until: transaction.now.adding(seconds: max(1, limits.pause)))
        try store.save(stop)
        try store.count("replies_stops", by: 1)
        transaction.context.logger.critical(
            "automatic replies are stopped: more than auto_replies.per_hour within an hour; those that wait are dropped (postrider outbox resume-replies ends it early)",
            metadata: ["limit": "\(limits.overall)", "until": "\(stop.until)"])
    }
}

extension ReplyReader {
    /// Why a reply that waits in the outbox is not sent any more; nil when it may go.
    func replyWithdrawal(of entry: OutboxEntry) throws -> String? {
        guard entry.request.answers != nil, let stop = try replyStop(), entry.createdAt <= stop.openedAt else {
            return nil
        }
        return "automatic replies were stopped"
    }
}
