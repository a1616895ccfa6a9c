import Engine
import HummingbirdCore
import JSONValue
import WorkflowModel

// The bodies and queries of requests about contacts, checked.

/// The body of a request to make a contact or bring it up to date.
struct ContactRequest {
    let email: String
    let subscribed: Bool?
    let data: JSONObject

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["email", "subscribed", "data"])
        email = body.address("email", required: true) ?? ""
        subscribed = body.flag("subscribed")
        data = body.contactData("data")
        try body.finish()
    }
}

extension Contacts.Changes {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["email", "subscribed", "data"])
        let email = body.address("email")
        let subscribed = body.flag("subscribed")
        let data = body.contactData("data")
        try body.finish()
        self.init(email: email, subscribed: subscribed, data: data)
    }
}

/// Addresses to be looked for.
struct LookupRequest {
    static let limit = 500

    let emails: [String]

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["emails"])
        emails = Self.emails(&body)
        try body.finish()
    }

    private static func emails(_ body: inout BodyReader) -> [String] {
        guard let values = body.value("emails")?.arrayValue, (1...limit).contains(values.count) else {
            body.report("emails", "must be a list of 1 to \(limit) addresses")
            return []
        }
        var emails: [String] = []
        for (position, value) in values.enumerated() {
            if let text = value.stringValue?.strippedOfBlanks, !text.isEmpty {
                emails.append(text)
            } else {
                body.report("emails.\(position)", "must be a text that is not blank")
            }
        }
        return emails
    }
}

/// Which contacts a list shows, and where it begins.
struct ContactListRequest {
    static let defaultLimit = 20
    /// A larger `limit` is taken as this.
    static let limitLimit = 100

    let query: ContactQuery
    let cursor: Contacts.Cursor?
    let limit: Int

    /// From the query of GET.
    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange) throws {
        var problems: [APIError.Problem] = []
        func text(_ name: String) -> String? { exchange.query(name).flatMap { $0.isEmpty ? nil : $0 } }
        var limit = Self.defaultLimit
        if let text = text("limit") {
            if let number = Int(text), number >= 1 {
                limit = min(number, Self.limitLimit)
            } else {
                problems.append(.init(field: "limit", message: "must be a whole number from 1"))
            }
        }
        var cursor: Contacts.Cursor?
        if let text = text("cursor") {
            cursor = Contacts.Cursor(text)
            if cursor == nil { problems.append(.init(field: "cursor", message: Contacts.Cursor.complaint)) }
        }
        var subscribed: Bool?
        switch text("subscribed") {
        case nil: break
        case "true": subscribed = true
        case "false": subscribed = false
        default: problems.append(.init(field: "subscribed", message: "must be true or false"))
        }
        if !problems.isEmpty { throw APIError.invalid(problems) }
        let search = text("search")?.strippedOfBlanks ?? ""
        query = ContactQuery(search: search.isEmpty ? nil : search, isSubscribed: subscribed)
        self.cursor = cursor
        self.limit = limit
    }

    /// From the body of POST.
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["filter", "search", "subscribed", "limit", "cursor"])
        query = body.query()
        let text = body.text("cursor", limit: 100)
        cursor = text.flatMap { Contacts.Cursor($0) }
        if text != nil, cursor == nil { body.report("cursor", Contacts.Cursor.complaint) }
        limit = min(body.integer("limit", in: 1...1_000_000) ?? Self.defaultLimit, Self.limitLimit)
        try body.finish()
    }
}

extension Contacts.Cursor {
    static let complaint = "must be the cursor of an earlier page"

    /// Opaque to clients.
    var text: String { "\(last).\(total)" }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let last = Identifier(String(parts[0])), let total = Int(parts[1]), total >= 0 else {
            return nil
        }
        self.init(last: last, total: total)
    }
}

/// One change to many contacts, by their ids or by a query.
struct BulkContactRequest {
    enum Target {
        case ids([Identifier])
        case query(ContactQuery)
    }

    let target: Target
    let action: ContactAction

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["action", "ids", "query", "data"])
        action = body.action()
        switch (body.has("ids"), body.has("query")) {
        case (true, false): target = .ids(body.ids(limit: Contacts.bulkLimit))
        case (false, true): target = .query(try body.bulkQuery())
        default:
            body.report("ids", "is needed, or a query; not both")
            target = .ids([])
        }
        try body.finish()
    }
}

extension ImportPlan.Options {
    /// From the query.
    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange) throws {
        self.init()
        var problems: [APIError.Problem] = []
        func flag(_ name: String, _ value: inout Bool) {
            switch exchange.query(name) ?? "" {
            case "": break
            case "true": value = true
            case "false": value = false
            default: problems.append(.init(field: name, message: "must be true or false"))
            }
        }
        // `event=false` would write to everybody in the file.
        let known = ["typed", "events", "separator"]
        for (name, _) in exchange.request.uri.queryParameters where !known.contains(String(name)) {
            problems.append(
                .init(
                    field: String(name.prefix(100)),
                    message: "is not known here; known are \(known.joined(separator: ", "))"))
        }
        flag("typed", &isTyped)
        flag("events", &recordsEvents)
        if let text = exchange.query("separator"), !text.isEmpty {
            if let known = ImportPlan.Separator(rawValue: text) {
                separator = known
            } else {
                let names = ImportPlan.Separator.allCases.map(\.rawValue).joined(separator: ", ")
                problems.append(.init(field: "separator", message: "must be one of \(names)"))
            }
        }
        if !problems.isEmpty { throw APIError.invalid(problems) }
    }
}

extension BodyReader {
    /// Data to be merged into a contact's; none when it is missing or null.
    mutating func contactData(_ key: String) -> JSONObject {
        guard let value = value(key), !value.isNull else { return [:] }
        guard let data = value.objectValue else {
            report(key, "must be an object")
            return [:]
        }
        for name in data.keys where Contact.reservedKeys.contains(name) {
            report("\(key).\(name)", "is a word of ours and cannot be data")
        }
        if let locale = data[Contact.localeKey], !locale.isNull, locale.stringValue == nil {
            report("\(key).\(Contact.localeKey)", "must be a text or null")
        }
        return data
    }

    /// What `filter`, `search` and `subscribed` say together.
    mutating func query() -> ContactQuery {
        var query = ContactQuery()
        if let search = text("search", limit: 254) { query = ContactQuery(search: search) }
        query.isSubscribed = flag("subscribed")
        if let value = value("filter"), !value.isNull {
            let (filter, problems) = Filter.read(value, path: "filter", vocabulary: .contact)
            query.filter = filter
            for problem in problems { report(problem.path, problem.message) }
        }
        return query
    }

    fileprivate mutating func bulkQuery() throws -> ContactQuery {
        guard let object = value("query")?.objectValue else {
            report("query", "must be an object")
            return ContactQuery()
        }
        do {
            var inner = try BodyReader(.object(object), keys: ["filter", "search", "subscribed", "all"])
            let query = inner.query()
            let isEverybody = inner.flag("all") == true
            if query == ContactQuery(), !isEverybody {
                inner.report("", "must have a filter, a search or subscribed; all: true means everybody")
            }
            if query != ContactQuery(), isEverybody {
                inner.report("all", "means everybody, and stands without a filter, a search or subscribed")
            }
            try inner.finish()
            return query
        } catch let error as APIError {
            for problem in error.problems {
                report(problem.field.isEmpty ? "query" : "query.\(problem.field)", problem.message)
            }
            return ContactQuery()
        }
    }

    fileprivate mutating func action() -> ContactAction {
        let data = contactData("data")
        let kind = value("action")?.stringValue.flatMap(ContactJob.Kind.init)
        switch kind {
        case .update?:
            if data.isEmpty { report("data", "must have at least one key for update") }
            return .update(data)
        case .subscribe?, .unsubscribe?, .delete?:
            if has("data") { report("data", "goes with the action update only") }
            return kind == .delete ? .delete : kind == .subscribe ? .subscribe : .unsubscribe
        case .import?, nil:
            if has("action") {
                report("action", "must be one of subscribe, unsubscribe, update, delete")
            } else {
                report("action", "is missing")
            }
            return .subscribe
        }
    }

    fileprivate mutating func ids(limit: Int) -> [Identifier] {
        guard let values = value("ids")?.arrayValue, (1...limit).contains(values.count) else {
            report("ids", "must be a list of 1 to \(limit) ids")
            return []
        }
        var ids: [Identifier] = []
        for (position, value) in values.enumerated() {
            if let id = value.stringValue.flatMap({ Identifier($0) }) {
                ids.append(id)
            } else {
                report("ids.\(position)", "must be an id")
            }
        }
        return ids
    }
}
