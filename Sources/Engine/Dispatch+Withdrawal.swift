import JSONValue
import Logging
import MailModel
import WorkflowModel

extension Dispatch {
    /// Why a mail that was decided is not sent after all; nil when nothing speaks against it. Looked at right before the
    /// attempt: what is committed by then counts.
    func withdrawal(
        of entry: OutboxEntry, at now: Timestamp, in reader: some WithdrawalReader
    ) throws -> String? {
        let contact = try reader.contact(entry.contactID, in: entry.projectID)
        return try withdrawal(of: entry, contact: contact, at: now, in: reader)
    }

    /// The same with the contact as it is now; nil where it was erased.
    func withdrawal(
        of entry: OutboxEntry, contact found: Contact?, at now: Timestamp, in reader: some WithdrawalReader
    ) throws -> String? {
        if let execution = entry.executionID {
            if try reader.status(ofExecution: execution) == .cancelled { return "its execution was cancelled" }
            // What was decided after the reply takes it into account.
            if let answered = try reader.answeredAt(execution: execution), answered > entry.createdAt {
                return "a reply came first"
            }
        }
        if let broadcast = entry.request.broadcast, !entry.request.isTest,
            try reader.status(ofBroadcast: broadcast.id) == .cancelled
        {
            return Broadcast.cancellation
        }
        // A test is nobody's, but it goes to an address like any other mail.
        guard found != nil || entry.request.isTest else { return "its contact was erased" }
        let recipient = RecipientAddress.normal(entry.request.recipient)
        if let reason = try reader.standingSuppression(
            of: recipient, in: entry.projectID, for: entry.request.kind, at: now, context)
        {
            return "suppressed: \(reason.rawValue)"
        }
        if let reason = try reader.replyWithdrawal(of: entry) { return reason }
        guard let contact = found else { return nil }
        // An erased person's address that somebody still knows.
        if recipient != contact.email, try reader.contact(email: recipient, in: entry.projectID) == nil,
            try reader.isErasedAddress(SuppressedAddress.hash(recipient, context), in: entry.projectID)
        {
            return "suppressed: erased"
        }
        guard entry.request.kind.needsSubscription, entry.request.answers == nil, !contact.isSubscribed,
            entry.isTo(contact)
        else { return nil }
        return "the contact has unsubscribed"
    }

    /// Whether the mail has to wait, because its broadcast is paused.
    func isHeld(_ entry: OutboxEntry, in reader: some WithdrawalReader) throws -> Bool {
        guard let broadcast = entry.request.broadcast, !entry.request.isTest else { return false }
        return try reader.status(ofBroadcast: broadcast.id) == .paused
    }

    /// Puts a claimed mail aside until its broadcast goes on.
    func hold(_ entry: OutboxEntry, _ places: DeliveryPlaces?) async {
        await persist("claim not given back", entry, places) {
            try await context.transact { transaction in
                if try isHeld(entry, in: transaction.store) { return try transaction.store.hold([entry.id]) }
                // It goes on since, and nobody else would look for this mail.
                try transaction.store.unclaim([entry.id], until: transaction.now)
                transaction.wakes.mail(entry.queue, dueAt: transaction.now)
            }
        }
    }

    /// The last look at a mail, to be made before the first one.
    func gate(for entry: OutboxEntry) -> DepartureGate {
        DepartureGate(context) { [self] reader in
            try withdrawal(of: entry, at: context.clock.now(), in: reader)
        }
    }

    /// What would have kept the mail back has come while its attempt was under way: that is said, for whoever asks why a mail
    /// went to somebody who wanted none.
    func noteLateWithdrawal(
        of entry: OutboxEntry, in transaction: EngineTransaction, _ data: inout JSONObject
    ) throws {
        guard let reason = try withdrawal(of: entry, at: transaction.now, in: transaction.store) else { return }
        data["tooLateFor"] = .string(reason)
        try transaction.store.count("withdrawals_too_late", by: 1)
        context.logger.notice(
            "mail was under way already", metadata: ["entry": "\(entry.id)", "reason": "\(reason)"])
    }
}

/// What is looked at before a mail leaves.
package protocol WithdrawalReader: OutboundReader, ReturnReader, ReplyReader {
    func status(ofExecution id: Identifier) throws -> Execution.Status?
    func status(ofBroadcast id: Identifier) throws -> Broadcast.Status?
    func contact(email: String, in project: Identifier) throws -> Contact?
    /// Nil also for a contact of another project.
    func contact(_ id: Identifier, in project: Identifier) throws -> Contact?
}
