import Engine
import JSONValue
import WorkflowModel

// The bodies of requests about segments, checked.

extension Segments.New {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(
            json, keys: ["name", "slug", "description", "type", "filter", "condition", "trackMembership"])
        let name = body.text("name", limit: SegmentRecord.nameLimit, required: true)
        let slug = body.value("slug")?.isNull == false ? body.text("slug", limit: 64) : nil
        let description = body.note("description", limit: SegmentRecord.descriptionLimit)
        let kind = body.segmentKind()
        let (filter, path) = body.filter()
        body.trackMembership()
        if kind == .static, filter != nil { body.report(path, "is for DYNAMIC segments only") }
        try body.finish()
        self.init(
            name: name ?? "", slug: slug, description: description ?? nil, kind: kind ?? .dynamic, filter: filter,
            filterPath: path)
    }
}

extension Segments.Changes {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(
            json, keys: ["name", "slug", "description", "filter", "condition", "trackMembership"])
        let name = body.text("name", limit: SegmentRecord.nameLimit)
        let slug = body.text("slug", limit: 64)
        let description = body.note("description", limit: SegmentRecord.descriptionLimit)
        let (filter, path) = body.filter()
        body.trackMembership()
        try body.finish()
        self.init(name: name, slug: slug, description: description, filter: filter, filterPath: path)
    }
}

/// A filter to be tried.
struct SegmentPreview {
    let filter: Filter
    /// Where it stood in the body.
    let path: String
    let limit: Int

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["filter", "condition", "limit"])
        let (filter, path) = body.filter()
        if filter == nil, !body.has(path) { body.report(path, "is missing") }
        let limit = body.integer("limit", in: 0...Int64(Segments.previewLimit))
        try body.finish()
        guard let filter else { throw APIError.invalid([.init(field: path, message: "is missing")]) }
        self.filter = filter
        self.path = path
        self.limit = limit ?? 20
    }
}

extension Segments.Admission {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["emails", "createMissing", "subscribed"])
        let emails = body.memberEmails()
        let createsMissing = body.flag("createMissing")
        let subscribed = body.flag("subscribed")
        try body.finish()
        self.init(emails: emails, createsMissing: createsMissing ?? false, subscribed: subscribed ?? false)
    }
}

/// Contacts that are to leave a segment.
struct SegmentRemoval {
    let emails: [String]

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["emails"])
        emails = body.memberEmails()
        try body.finish()
    }
}

extension BodyReader {
    fileprivate mutating func segmentKind() -> SegmentRecord.Kind? {
        guard let value = value("type") else { return .dynamic }
        if let kind = value.stringValue.flatMap(SegmentRecord.Kind.init) { return kind }
        report("type", "must be DYNAMIC or STATIC")
        return nil
    }

    /// `filter`, or what older clients say for it: `condition`.
    /// - Returns: nil when there is none, or an invalid one, which is reported; and the name it had.
    fileprivate mutating func filter() -> (filter: Filter?, path: String) {
        let given = ["filter", "condition"].filter { value($0).map { !$0.isNull } ?? false }
        if given.count > 1, value("filter") != value("condition") {
            report("condition", "is another name of filter: give one of them")
            return (nil, "filter")
        }
        guard let key = given.first, let json = value(key) else { return (nil, "filter") }
        let (filter, problems) = Filter.read(json, path: key, vocabulary: .contact)
        for problem in problems { report(problem.path, problem.message) }
        return (filter, key)
    }

    /// Every membership is kept; who asks for it has it, and so has who does not.
    fileprivate mutating func trackMembership() { _ = flag("trackMembership") }

    fileprivate mutating func memberEmails() -> [String] {
        guard let values = value("emails")?.arrayValue, (1...Segments.emailLimit).contains(values.count) else {
            report("emails", "must be a list of 1 to \(Segments.emailLimit) addresses")
            return []
        }
        var emails: [String] = []
        for (position, value) in values.enumerated() {
            if let email = value.stringValue.flatMap({ AddressText.accepted($0) }) {
                emails.append(email)
            } else {
                report("emails.\(position)", "must be an email address")
            }
        }
        return emails
    }
}
