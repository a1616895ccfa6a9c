import JSONValue
import WorkflowModel

/// The contacts of one project, as clients list and change them.
package struct Contacts: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    // MARK: Reading

    package struct Page: Sendable {
        package var contacts: [Contact]
        /// Where the next page begins; nil when there is none.
        package var next: Cursor?
        /// How many there are in all, as counted for the first page.
        package var total: Int
    }

    /// A place in a list, with what was counted at its beginning.
    package struct Cursor: Hashable, Sendable {
        package var last: Identifier
        package var total: Int

        package init(last: Identifier, total: Int) {
            self.last = last
            self.total = total
        }
    }

    /// A page, the newest first. It only reads: events that nobody keeps are looked for among all events.
    /// - Throws: `UseCaseError`: `invalid` for a filter that names a segment which is not there; `queryTooSlow`.
    package func list(_ query: ContactQuery, after cursor: Cursor?, limit: Int) async throws -> Page {
        let (projectID, now) = (projectID, context.clock.now())
        return try await context.read(isSearch: query.search != nil || query.filter != nil) { reader in
            if let filter = query.filter, !filter.segments.isEmpty {
                try SegmentCheck(try reader.loadCatalog(), projectID).refuseUnlessKnown(filter, path: "filter")
            }
            // One more tells whether there is a next page.
            var contacts = try reader.contacts(
                matching: query, in: projectID, before: cursor?.last, limit: limit + 1, at: now)
            let hasMore = contacts.count > limit
            if hasMore { contacts.removeLast() }
            let total = try cursor?.total ?? reader.contactCount(matching: query, in: projectID, at: now)
            return Page(
                contacts: contacts, next: hasMore ? contacts.last.map { Cursor(last: $0.id, total: total) } : nil,
                total: total)
        }
    }

    /// For a query that is asked of many contacts one by one. Segments that a filter names must be there: nobody is in one
    /// that is not, and everybody is not. Events that it looks back on are kept from now on; what happened
    /// before is found before a job goes by it.
    /// - Parameter path: where the filter stands, for the problems.
    /// - Throws: `UseCaseError.invalid` with every segment that is not there.
    func prepare(_ query: ContactQuery, path: String) async throws {
        guard let filter = query.filter else { return }
        let names = filter.lookedBackEvents
        guard !names.isEmpty || !filter.segments.isEmpty else { return }
        let projectID = projectID
        try await context.transact { transaction in
            try SegmentCheck(transaction.catalog, projectID).refuseUnlessKnown(filter, path: path)
            let missing = names.filter { !transaction.catalog.isKept($0, in: projectID) }
            if missing.isEmpty { return }
            try transaction.store.keepEvents(missing, in: projectID)
            transaction.wakes.history = true
        }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func contact(_ id: Identifier) async throws -> Contact {
        let projectID = projectID
        let contact = try await context.store.read { try $0.contact(id, in: projectID) }
        guard let contact else { throw Self.unknown }
        return contact
    }

    static let unknown = UseCaseError(.notFound, "there is no such contact")

    package struct Lookup: Sendable {
        package var found: [Contact]
        package var missing: [String]
    }

    /// Which of these addresses are contacts, each once, in their order.
    package func lookUp(_ emails: [String]) async throws -> Lookup {
        let projectID = projectID
        return try await context.store.read { reader in
            var lookup = Lookup(found: [], missing: [])
            var seen: Set<String> = []
            for email in emails where seen.insert(AddressText.normal(email)).inserted {
                if let contact = try reader.contact(email: AddressText.normal(email), in: projectID) {
                    lookup.found.append(contact)
                } else {
                    lookup.missing.append(email)
                }
            }
            return lookup
        }
    }

    // MARK: Changing

    package struct Upserted: Sendable {
        package var contact: Contact
        package var isNew: Bool
    }

    /// Makes the contact or brings it up to date.
    /// - Parameter subscribed: nil keeps the flag of a known contact and subscribes a new one.
    /// - Throws: `UseCaseError.invalid` for too much data.
    package func upsert(email: String, subscribed: Bool?, data: JSONObject) async throws -> Upserted {
        let projectID = projectID
        return try await context.transact { transaction in
            let before = try transaction.store.contact(email: AddressText.normal(email), in: projectID)
            let isNew = before == nil
            let contact = try EventRecorder(transaction: transaction, projectID: projectID).upsert(
                email: email, subscribed: subscribed, subscribedWhenNew: subscribed ?? true, data: data)
            if contact != before {
                try transaction.audit(
                    isNew ? "contact.created" : "contact.updated", "\(contact.id)", in: projectID,
                    details: Self.details(subscribed: subscribed, data: data))
            }
            return Upserted(contact: contact, isNew: isNew)
        }
    }

    /// What a client wants changed; nil leaves it.
    package struct Changes: Hashable, Sendable {
        package var email: String?
        package var subscribed: Bool?
        /// Merged; null takes a key away.
        package var data: JSONObject

        package init(email: String? = nil, subscribed: Bool? = nil, data: JSONObject = [:]) {
            self.email = email
            self.subscribed = subscribed
            self.data = data
        }
    }

    /// - Throws: `UseCaseError`: `notFound`, `conflict` for another contact's address, `invalid` for too much data.
    package func change(_ id: Identifier, _ changes: Changes) async throws -> Contact {
        let projectID = projectID
        return try await context.transact { transaction in
            guard let before = try transaction.store.contact(id, in: projectID) else { throw Self.unknown }
            let recorder = EventRecorder(transaction: transaction, projectID: projectID)
            var contact = before
            if let email = changes.email.map(AddressText.normal), email != before.email {
                guard try transaction.store.contact(email: email, in: projectID) == nil else {
                    throw UseCaseError(
                        .conflict, "another contact has this address",
                        problems: [.init(path: "email", message: "belongs to another contact")])
                }
                contact.email = email
                // The subscription was another address's.
                if try recorder.isSuppressed(email) { contact.isSubscribed = false }
            }
            if let subscribed = changes.subscribed { contact.isSubscribed = subscribed }
            contact.merge(changes.data)
            let changed = try recorder.change(from: before, to: contact)
            if contact != before {
                var details = Self.details(subscribed: changes.subscribed, data: changes.data)
                if contact.email != before.email { details["address"] = true }
                try transaction.audit("contact.updated", "\(id)", in: projectID, details: details)
            }
            return changed
        }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func delete(_ id: Identifier) async throws {
        let projectID = projectID
        try await context.transact { transaction in
            guard try EventRecorder(transaction: transaction, projectID: projectID).erase(contact: id) else {
                throw Self.unknown
            }
            try transaction.audit("contact.deleted", "\(id)", in: projectID)
        }
    }

    /// Which values were changed, not what they are: the log outlives the contact.
    private static func details(subscribed: Bool?, data: JSONObject) -> JSONObject {
        var details: JSONObject = [:]
        details["subscribed"] = subscribed.map { .bool($0) }
        if !data.isEmpty { details["data"] = .array(data.keys.map { .string($0) }) }
        return details
    }
}
