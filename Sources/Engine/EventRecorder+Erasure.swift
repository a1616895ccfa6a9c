import JSONValue
import WorkflowModel

extension EventRecorder {
    /// The `exitReason` of what was under way when its contact was erased.
    static let erasureReason = "contact_erased"

    /// Removes a contact for good. The contact and what it has under way are gone with this transaction; its events,
    /// executions and mails follow in the background (see `History`). A keyed hash of the address stays, so that the
    /// address is not subscribed when it comes back without saying so; and by it what stands against mail to the address.
    /// - Returns: false when the project has no such contact.
    @discardableResult
    func erase(contact id: Identifier) throws -> Bool {
        guard let contact = try transaction.store.contact(id, in: projectID) else { return false }
        try erase(contact)
        return true
    }

    /// The same for one that has been read in this transaction.
    func erase(_ contact: Contact) throws {
        for execution in try transaction.store.activeExecutions(ofContact: contact.id, in: projectID) {
            do {
                try advance(execution, input: .cancelled(reason: Self.erasureReason))
            } catch let error as StoreError where error.code == .damaged {
                try fail(execution, error)
            }
        }
        let hash = SuppressedAddress.hash(contact.email, transaction.context)
        try transaction.store.suppress(hash, reason: .erased, in: projectID, at: transaction.now)
        try transaction.store.keepSuppressions(of: contact.email, as: hash, in: projectID, at: transaction.now)
        try transaction.store.erase(
            contact, in: projectID, replyKey: AutomaticReplyKey.key(for: contact.email), at: transaction.now)
        transaction.wakes.history = true
        transaction.wakes.withdraws = true
    }

    /// Whether the address was erased here before.
    func isSuppressed(_ email: String) throws -> Bool {
        guard try transaction.store.hasSuppressedAddresses(in: projectID) else { return false }
        return try transaction.store.isSuppressed(
            SuppressedAddress.hash(email, transaction.context), in: projectID)
    }
}
