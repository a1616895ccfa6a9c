import JSONValue

/// What a filter over contacts looks at, where there is no execution: the contact, and what is known about it.
package struct ContactScope: FilterScope {
    package let contact: Contact
    package let now: Timestamp
    private let occurrence: (String) -> Timestamp?
    private let membership: (String) -> Bool

    /// - Parameters:
    ///   - lastOccurrence: when an event of that canonical name last happened to the contact.
    ///   - isMember: whether it is in the segment of that id or slug.
    package init(
        _ contact: Contact, now: Timestamp, lastOccurrence: @escaping (String) -> Timestamp?,
        isMember: @escaping (String) -> Bool
    ) {
        self.contact = contact
        self.now = now
        occurrence = lastOccurrence
        membership = isMember
    }

    package func value(at path: String) -> JSON? {
        let (root, rest) = Scope.split(path)
        switch root {
        case "contact": return contact.value(at: rest)
        case "data": return contact.dataValue(at: rest)
        default: return nil
        }
    }

    package func lastOccurrence(of event: String) -> Timestamp? { occurrence(event) }

    package func isMember(ofSegment id: String) -> Bool { membership(id) }
}

extension Contact {
    /// What stands behind `contact.`: its fields, then its data; nil for all of it.
    func value(at path: Substring?) -> JSON? {
        switch path {
        case nil: .object(fields)
        case "id"?: .string("\(id)")
        case "email"?: .string(email)
        case "subscribed"?: .bool(isSubscribed)
        case "createdAt"?: .string("\(createdAt)")
        case "updatedAt"?: .string("\(updatedAt)")
        case "data"?: .object(data)
        case let path?: JSON.object(data)[path: path.hasPrefix("data.") ? path.dropFirst(5) : path]
        }
    }

    /// What stands behind `data.`; nil for all of it.
    func dataValue(at path: Substring?) -> JSON? { path.map { JSON.object(data)[path: $0] } ?? .object(data) }

    private var fields: JSONObject {
        var object = data
        object["id"] = .string("\(id)")
        object["email"] = .string(email)
        object["subscribed"] = .bool(isSubscribed)
        object["createdAt"] = .string("\(createdAt)")
        object["updatedAt"] = .string("\(updatedAt)")
        object["data"] = .object(data)
        return object
    }
}

extension Condition {
    /// Which part of a contact a value is looked up in.
    package enum ContactPart: Hashable, Sendable {
        case id, email, subscription, creation, update
        /// Data at that dotted path; nil: all of it.
        case data(String?)
        /// Nothing: there is no such value.
        case nowhere
        /// All of the contact in one object.
        case whole
    }

    /// Where a contact has the value; nil for operators that ask for no value. Says the same as `ContactScope`.
    package var contactPart: ContactPart? {
        guard case .value(let path) = subject else { return nil }
        let (root, rest) = Scope.split(path)
        switch (root, rest) {
        case ("contact", nil): return .whole
        case ("contact", "id"?): return .id
        case ("contact", "email"?): return .email
        case ("contact", "subscribed"?): return .subscription
        case ("contact", "createdAt"?): return .creation
        case ("contact", "updatedAt"?): return .update
        case ("contact", "data"?), ("data", nil): return .data(nil)
        case ("contact", let rest?): return .data(String(rest.hasPrefix("data.") ? rest.dropFirst(5) : rest))
        case ("data", let rest?): return .data(String(rest))
        default: return .nowhere
        }
    }
}
