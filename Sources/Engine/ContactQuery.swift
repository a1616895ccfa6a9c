import JSONValue
import WorkflowModel

/// Which contacts of a project are meant. Everything that is said must hold.
package struct ContactQuery: Hashable, Sendable {
    /// Part of the address, whatever the case.
    package var search: String?
    package var isSubscribed: Bool?
    /// Read with the vocabulary of contacts.
    package var filter: Filter?

    package init(search: String? = nil, isSubscribed: Bool? = nil, filter: Filter? = nil) {
        self.search = search.map(AddressText.normal)
        self.isSubscribed = isSubscribed
        self.filter = filter
    }

    /// - Parameter history: what filters ask about the contact beside its own values.
    func contains(_ contact: Contact, now: Timestamp, history: some ContactHistory) throws -> Bool {
        if let isSubscribed, contact.isSubscribed != isSubscribed { return false }
        if let search, !contact.email.contains(search) { return false }
        guard let filter else { return true }
        let scope = ContactScope(contact, now: now, history: history)
        let holds = filter.isSatisfied(in: scope)
        if let failure = scope.failure { throw failure }
        return holds
    }

    // MARK: JSON

    var json: JSONObject {
        var object: JSONObject = [:]
        object["search"] = search.map { .string($0) }
        object["subscribed"] = isSubscribed.map { .bool($0) }
        object["filter"] = filter?.json
        return object
    }

    /// - Throws: `StoreError.damaged`.
    init(json: JSONObject) throws {
        do {
            self.init(
                search: json["search"]?.stringValue, isSubscribed: json["subscribed"]?.boolValue,
                filter: try json["filter"].map { try Filter(json: $0, path: "filter", vocabulary: .contact) })
        } catch {
            throw StoreError(.damaged, "a stored query cannot be read: \(error)")
        }
    }
}

/// What a database knows about a contact beside its row.
protocol ContactHistory {
    func lastOccurrence(of event: String, contact: Identifier) throws -> Timestamp?
    func isMember(_ contact: Identifier, ofSegment segment: String) throws -> Bool
}

struct WrittenHistory: ContactHistory {
    let transaction: EngineTransaction
    let projectID: Identifier

    func lastOccurrence(of event: String, contact: Identifier) throws -> Timestamp? {
        try transaction.store.lastOccurrence(of: event, contact: contact)
    }

    func isMember(_ contact: Identifier, ofSegment segment: String) throws -> Bool {
        guard let segment = transaction.catalog.segment(segment, in: projectID) else { return false }
        return try transaction.store.isMember(contact, of: segment.id)
    }
}

/// One contact as filters see it.
private final class ContactScope<History: ContactHistory>: FilterScope {
    let now: Timestamp
    private let scope: Scope
    private let history: History
    /// What could not be thrown through the filter.
    private(set) var failure: (any Error)?

    init(_ contact: Contact, now: Timestamp, history: History) {
        self.now = now
        self.history = history
        // The filter was read with a vocabulary that has no words for the execution.
        let execution = Execution(id: contact.id, workflowID: contact.id, contactID: contact.id, startedAt: now)
        scope = Scope(contact: contact, execution: execution, workflowName: "")
    }

    func value(at path: String) -> JSON? { scope.value(at: path) }

    func lastOccurrence(of event: String) -> Timestamp? {
        asking(orElse: nil) { try history.lastOccurrence(of: event, contact: scope.contact.id) }
    }

    func isMember(ofSegment id: String) -> Bool {
        asking(orElse: false) { try history.isMember(scope.contact.id, ofSegment: id) }
    }

    private func asking<Value>(orElse fallback: Value, _ body: () throws -> Value) -> Value {
        do { return try body() } catch {
            failure = error
            return fallback
        }
    }
}
