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
        let email = email.lowercased()
        guard let before = try store.contact(email: email, in: projectID) else {
            let isSubscribed = try subscribedWhenNew && (subscribed == true || !isSuppressed(email))
            var contact = Contact(
                id: transaction.makeID(), email: email, isSubscribed: isSubscribed, data: [:], createdAt: now,
                updatedAt: now)
            contact.merge(data)
            return try insert(contact, generation: generation)
        }
        var contact = before
        contact.merge(data)
        if let subscribed { contact.isSubscribed = subscribed }
        return try change(from: before, to: contact, generation: generation)
    }

    /// Stores a new contact and records `contact.created`.
    /// - Returns: the contact after all that followed.
    /// - Throws: `UseCaseError.invalid` when its data are too much; `StoreError.conflict` for an address that is there.
    @discardableResult
    func insert(_ contact: Contact, generation: Int = 0) throws -> Contact {
        try checkSize(contact)
        try store.insert(contact, in: projectID)
        try follow(from: nil, to: contact, generation: generation)
        try record(
            EventName.contactCreated, data: ["email": .string(contact.email)], generation: generation, contact: contact)
        return try store.contact(contact.id) ?? contact
    }

    /// Stores what has changed and records the events that tell of it; nothing when nothing has.
    /// - Parameters:
    ///   - before: the contact as it is stored.
    ///   - origin: the execution whose own step makes the change; see `record`.
    /// - Returns: the contact after all that followed.
    /// - Throws: `UseCaseError.invalid` when its data are too much; `StoreError.conflict` for an address that is there.
    @discardableResult
    func change(
        from before: Contact, to changed: Contact, generation: Int = 0, origin: Identifier? = nil
    ) throws -> Contact {
        guard changed != before else { return before }
        var contact = changed
        contact.updatedAt = now
        try checkSize(contact)
        try store.update(contact)
        try follow(from: before, to: contact, generation: generation)
        if contact.data != before.data || contact.email != before.email {
            try record("contact.updated", data: [:], generation: generation, contact: contact, origin: origin)
        }
        if contact.isSubscribed != before.isSubscribed {
            try record(
                contact.isSubscribed ? EventName.contactSubscribed : EventName.contactUnsubscribed, data: [:],
                generation: generation, contact: contact, origin: origin)
        }
        return try store.contact(contact.id) ?? contact
    }

    /// What is kept by the values of contacts and must be right before the change's own events are seen.
    /// - Parameter before: nil for a new contact.
    private func follow(from before: Contact?, to contact: Contact, generation: Int) throws {
    }

    private func checkSize(_ contact: Contact) throws {
        guard JSONWriter.bytes(.object(contact.data)).count <= Contact.dataLimit else {
            throw UseCaseError(
                .invalid, "the contact's data would be larger than \(Contact.dataLimit / 1024) KiB",
                problems: [.init(path: "data", message: "is too much for one contact")])
        }
    }
}
