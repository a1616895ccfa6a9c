import JSONValue
import WorkflowModel

/// The one door for contacts: whoever makes or changes one does it here, so that the row, the events that tell of it and
/// whatever is kept by the contact's values change in one transaction.
extension EventRecorder {
    /// The contact of that address, made or changed as told. An address that was erased here comes back unsubscribed unless
    /// it is told that it is subscribed.
    func upsert(
        email: String, subscribed: Bool?, subscribedWhenNew: Bool, data: JSONObject, generation: Int = 0
    ) throws -> Contact {
        let email = AddressText.normal(email)
        guard let before = try store.contact(email: email, in: projectID) else {
            let isSubscribed = try subscribedWhenNew && (subscribed == true || !isSuppressed(email))
            var contact = Contact(
                id: transaction.makeID(), email: email, isSubscribed: isSubscribed, data: [:], createdAt: now,
                updatedAt: now)
            contact.merge(data)
            return try insert(contact, generation: generation)
        }
        var contact = before
        let isChanged = contact.merge(data)
        if let subscribed { contact.isSubscribed = subscribed }
        guard isChanged || contact.isSubscribed != before.isSubscribed else { return before }
        return try change(from: before, to: contact, generation: generation)
    }

    /// Stores a new contact and records `contact.created`.
    /// - Parameter job: the number of the import that brings it.
    /// - Returns: the contact after all that followed.
    /// - Throws: `UseCaseError.invalid` when its data are too much; `StoreError.conflict` for an address that is there.
    @discardableResult
    func insert(_ contact: Contact, generation: Int = 0, importedBy job: Int64? = nil) throws -> Contact {
        try checkSize(contact)
        try store.insert(contact, in: projectID, importedBy: job)
        try follow(from: nil, to: contact, generation: generation)
        if isSilent { return contact }
        try record(
            EventName.contactCreated, data: ["email": .string(contact.email)], generation: generation, contact: contact)
        return try store.contact(contact.id) ?? contact
    }

    /// Stores what has changed and records the events that tell of it; nothing when nothing has.
    /// - Parameters:
    ///   - before: the contact as it is stored.
    ///   - origin: the execution whose own step makes the change; see `record`.
    ///   - subscriptionData: what the event of a subscription that begins or ends says.
    /// - Returns: the contact after all that followed.
    /// - Throws: `UseCaseError.invalid` when its data are too much; `StoreError.conflict` for an address that is there.
    @discardableResult
    func change(
        from before: Contact, to changed: Contact, generation: Int = 0, origin: Identifier? = nil,
        subscriptionData: JSONObject = [:]
    ) throws -> Contact {
        guard changed != before else { return before }
        var contact = changed
        contact.updatedAt = now
        try checkSize(contact)
        if contact.email != before.email { try store.changeAddress(of: contact.id, to: contact.email) }
        try store.update(contact)
        try follow(from: before, to: contact, generation: generation, origin: origin)
        if contact.isSubscribed != before.isSubscribed { transaction.wakes.withdraws = true }
        if isSilent { return contact }
        if contact.data != before.data || contact.email != before.email {
            try record("contact.updated", data: [:], generation: generation, contact: contact, origin: origin)
        }
        if contact.isSubscribed != before.isSubscribed {
            try record(
                contact.isSubscribed ? EventName.contactSubscribed : EventName.contactUnsubscribed,
                data: subscriptionData, generation: generation, contact: contact, origin: origin)
        }
        return try store.contact(contact.id) ?? contact
    }

    enum ImportOutcome { case created, updated, unchanged, duplicate }

    /// Applies a row of a file. Everybody that a job brings bears its number, so that a second row of the same address is
    /// known for one, however large the file is and whatever happened to the process.
    func take(_ entry: ImportPlan.Entry, importedBy job: Int64) throws -> ImportOutcome {
        guard let target = try store.importTarget(email: entry.email, in: projectID) else {
            // Somebody else's file is no word of the person that was erased.
            let isSubscribed = try (entry.subscribed ?? true) && !isSuppressed(entry.email)
            var contact = Contact(
                id: transaction.makeID(), email: entry.email, isSubscribed: isSubscribed, data: [:], createdAt: now,
                updatedAt: now)
            contact.merge(entry.data)
            try insert(contact, importedBy: job)
            return .created
        }
        guard target.importedBy != job else { return .duplicate }
        var contact = target.contact
        contact.merge(entry.data(for: contact))
        if let subscribed = entry.subscribed, try !subscribed || contact.isSubscribed || !isSuppressed(entry.email) {
            contact.isSubscribed = subscribed
        }
        let isChanged = contact != target.contact
        // The size is looked at before anything is written.
        try change(from: target.contact, to: contact)
        try store.markImported(contact.id, by: job)
        return isChanged ? .updated : .unchanged
    }

    /// What is kept by the values of contacts and must be right before the change's own events are seen.
    /// - Parameter before: nil for a new contact.
    private func follow(
        from before: Contact?, to contact: Contact, generation: Int, origin: Identifier? = nil
    ) throws {
        // Who comes and goes is told after the change itself: `record` does it.
        try SegmentKeeper(transaction: transaction, projectID: projectID).contactChanged(
            from: before, to: contact,
            cause: .init(generation: generation, origin: origin, announces: !isSilent))
    }

    private func checkSize(_ contact: Contact) throws {
        let data = JSON.object(contact.data)
        guard
            JSONWriter.largestCount(data) <= Contact.dataLimit || JSONWriter.bytes(data).count <= Contact.dataLimit
        else {
            throw UseCaseError(
                .invalid, "the contact's data would be larger than \(Contact.dataLimit / 1024) KiB",
                problems: [.init(path: "data", message: "is too much for one contact")])
        }
    }
}
