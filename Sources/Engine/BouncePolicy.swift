import JSONValue
import Logging
import MailModel
import WorkflowModel

/// The one door through which mail that did not arrive, or was not wanted, ends mail to its address.
///
/// To be called for proven facts alone: a relay's own reply, and reports that were matched with the mail by something that
/// nobody else has. What anybody could have written must not end mail to an address.
enum BouncePolicy {
    /// What a bounce brought about.
    struct Effect: Hashable, Sendable {
        /// The address gets no more mail from now on.
        var isSuppressed = false
        /// Until then; nil: for good.
        var until: Timestamp?
        /// Mails that count against the address, this one included; nil where they are not counted.
        var softBounces: Int?

        /// The members of the event that say so.
        var data: JSONObject {
            var data: JSONObject = ["isSuppressed": .bool(isSuppressed)]
            data["suppressedUntil"] = until.map { .string("\($0)") }
            data["softBounces"] = softBounces.map { .int(Int64($0)) }
            return data
        }
    }

    /// Counts the bounce, suppresses the address where the policy says so, and tells the operator of what is his.
    /// To be called once for each mail; of a mail to nobody's address (a test) nothing follows.
    static func apply(
        _ bounce: Bounce, to entry: OutboxEntry, in transaction: EngineTransaction
    ) throws -> Effect {
        guard !entry.request.isTest else { return Effect() }
        try transaction.store.count("bounces_\(bounce.kind.rawValue)", by: 1)
        switch bounce.kind {
        case .permanent: return try end(bounce, entry, transaction)
        case .transient, .undetermined: return try countSoft(bounce, entry, transaction)
        case .policy, .configuration:
            alert(bounce, entry, transaction)
            return Effect()
        }
    }

    /// The owner of a mail's address, or his provider for him, called the mail unwanted.
    /// - Returns: whether the address gets no more mail.
    static func complained(
        about entry: OutboxEntry, evidence: JSONObject, in transaction: EngineTransaction
    ) throws -> Bool {
        guard !entry.request.isTest else { return false }
        try transaction.store.count("complaints", by: 1)
        guard transaction.context.configuration.suppression.suppressesComplaints else { return false }
        var evidence = evidence
        evidence["emailId"] = .string("\(entry.id)")
        try suppress(entry, .complaint, evidence: evidence, until: nil, transaction)
        return true
    }

    /// The next server took a mail for good: what was counted against its address before is forgotten.
    static func delivered(_ entry: OutboxEntry, in transaction: EngineTransaction) throws {
        try transaction.store.forgetSoftBounces(
            of: RecipientAddress.normal(entry.request.recipient), in: entry.projectID)
    }

    // MARK: Kinds

    private static func end(
        _ bounce: Bounce, _ entry: OutboxEntry, _ transaction: EngineTransaction
    ) throws -> Effect {
        guard transaction.context.configuration.suppression.suppressesBounces else { return Effect() }
        try suppress(entry, .bounce, evidence: evidence(bounce, entry), until: nil, transaction)
        return Effect(isSuppressed: true)
    }

    private static func countSoft(
        _ bounce: Bounce, _ entry: OutboxEntry, _ transaction: EngineTransaction
    ) throws -> Effect {
        let policy = transaction.context.configuration.suppression
        let now = transaction.now
        guard policy.softLimit > 0 else { return Effect() }
        let times = try transaction.store.noteSoftBounce(
            of: entry.id, address: RecipientAddress.normal(entry.request.recipient), in: entry.projectID, at: now,
            since: now.adding(seconds: -policy.softWindow))
        let days = Set(times.map { $0.microseconds / 86_400_000_000 })
        guard times.count >= policy.softLimit, days.count >= policy.softDays else {
            return Effect(softBounces: times.count)
        }
        let end = now.adding(seconds: policy.softDuration)
        var evidence = evidence(bounce, entry)
        evidence["softBounces"] = .int(Int64(times.count))
        try suppress(entry, .bounce, evidence: evidence, until: end, transaction)
        return Effect(isSuppressed: true, until: end, softBounces: times.count)
    }

    /// The address is good. Whoever runs this sends something that others do not take, or has set something wrong.
    private static func alert(_ bounce: Bounce, _ entry: OutboxEntry, _ transaction: EngineTransaction) {
        transaction.context.logger.warning(
            bounce.kind == .policy ? "mail refused by policy" : "mail refused because of our own setup",
            metadata: [
                "entry": "\(entry.id)", "project": "\(entry.projectID)", "reason": "\(bounce.reason.rawValue)",
                "status": "\(bounce.status?.description ?? "-")", "reply": "\(bounce.diagnostic)",
                "host": "\(bounce.remoteHost ?? bounce.reportingHost ?? "-")",
            ])
    }

    private static func evidence(_ bounce: Bounce, _ entry: OutboxEntry) -> JSONObject {
        var evidence = bounce.data
        evidence["emailId"] = .string("\(entry.id)")
        return evidence
    }

    /// What is there for good is not shortened.
    private static func suppress(
        _ entry: OutboxEntry, _ reason: Suppression.Reason, evidence: JSONObject, until end: Timestamp?,
        _ transaction: EngineTransaction
    ) throws {
        let address = RecipientAddress.normal(entry.request.recipient)
        let project = entry.projectID
        let known = try transaction.store.suppressions(of: address, in: project).first { $0.reason == reason }
        if let known, known.expiresAt == nil { return }
        try transaction.store.save(
            Suppression(
                projectID: project, address: address, reason: reason, evidence: evidence, createdAt: transaction.now,
                expiresAt: end))
        transaction.wakes.withdraws = true
        try transaction.store.count("addresses_suppressed", by: 1)
        transaction.context.logger.notice(
            "address suppressed", metadata: ["project": "\(project)", "reason": "\(reason.rawValue)"])
    }
}
