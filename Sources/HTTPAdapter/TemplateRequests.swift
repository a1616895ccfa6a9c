import Engine
import JSONValue
import WorkflowModel

// The bodies of requests about templates, checked. Whether the parts parse is the engine's business.

extension TemplateSummary.Kind {
    static let rule = "must be one of \(allCases.map(\.rawValue).joined(separator: ", "))"
}

extension BodyReader {
    static let contentKeys: Set<String> = [
        "type", "subject", "html", "body", "text", "markdown", "from", "fromName", "replyTo", "trackOpens",
        "trackClicks",
    ]

    mutating func kind() -> TemplateSummary.Kind? {
        guard let value = value("type") else { return nil }
        guard let kind = value.stringValue.flatMap(TemplateSummary.Kind.init) else {
            report("type", TemplateSummary.Kind.rule)
            return nil
        }
        return kind
    }

    /// The source of a part as it was sent. An inner nil is null or a blank text.
    mutating func source(_ key: String) -> String?? {
        guard let value = value(key) else { return nil }
        if value.isNull { return .some(nil) }
        guard let text = value.stringValue else {
            report(key, "must be a text or null")
            return nil
        }
        guard text.utf8.count <= NewTemplate.sourceLimit else {
            report(key, "must not be longer than \(NewTemplate.sourceLimit) bytes")
            return nil
        }
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        guard isPlain else {
            report(key, "must not have control characters other than line ends and tabs")
            return nil
        }
        return .some(text.strippedOfBlanks.isEmpty ? nil : text)
    }

    /// `body` is what clients of Plunk call `html`.
    mutating func htmlSource() -> String?? {
        guard has("body") else { return source("html") }
        if has("html"), value("html") != value("body") {
            report("body", "is another name of html, which says otherwise")
        }
        return source("body")
    }

    /// A text of one line. An inner nil is null or a blank text.
    mutating func line(_ key: String, limit: Int) -> String?? {
        guard let value = value(key) else { return nil }
        if value.isNull || value.stringValue?.strippedOfBlanks.isEmpty == true { return .some(nil) }
        return text(key, limit: limit).map { .some($0) }
    }

    /// What is recorded of readers. An inner nil is null.
    mutating func optionalMode(_ key: String) -> TrackingMode?? {
        guard let value = value(key) else { return nil }
        if value.isNull { return .some(nil) }
        guard let mode = TrackingMode(value) else {
            report(key, TrackingMode.rule)
            return nil
        }
        return .some(mode)
    }

    mutating func templateChanges() -> TemplateChanges {
        var changes = TemplateChanges()
        changes.kind = kind()
        if value("subject") != nil {
            changes.subject = line("subject", limit: NewTemplate.subjectLimit).map { $0 ?? "" }
        }
        changes.html = htmlSource()
        changes.text = source("text")
        changes.markdown = source("markdown")
        changes.from = line("from", limit: NewTemplate.addressLimit)
        changes.fromName = line("fromName", limit: NewTemplate.nameLimit)
        changes.replyTo = line("replyTo", limit: NewTemplate.addressLimit)
        changes.tracksOpens = optionalMode("trackOpens")
        changes.tracksClicks = optionalMode("trackClicks")
        return changes
    }
}

extension NewTemplate {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: BodyReader.contentKeys.union(["name", "description", "slug"]))
        let name = body.text("name", limit: NewTemplate.nameLimit, required: true)
        let description = body.note("description", limit: NewTemplate.descriptionLimit)
        let slug = body.text("slug", limit: 64)
        let changes = body.templateChanges()
        try body.finish()
        self.init(
            name: name ?? "", description: description ?? nil, slug: slug, kind: changes.kind ?? .marketing,
            content: changes.content)
    }
}

extension TemplateChanges {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: BodyReader.contentKeys.union(["name", "description"]))
        let name = body.text("name", limit: NewTemplate.nameLimit)
        let description = body.note("description", limit: NewTemplate.descriptionLimit)
        self = body.templateChanges()
        self.name = name
        self.description = description
        try body.finish()
    }
}

/// Several templates at once.
struct TemplateIDs {
    let ids: [Identifier]

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["ids"])
        ids = body.identifiers("ids", upTo: BulkUpdate.limit)
        try body.finish()
    }
}

extension BodyReader {
    static let previewKeys: Set<String> = ["contactId", "email", "data", "event", "context"]

    mutating func preview() -> PreviewRequest {
        var request = PreviewRequest()
        if let value = value("contactId"), !value.isNull {
            request.contactID = value.stringValue.flatMap { Identifier($0) }
            if request.contactID == nil { report("contactId", "must be an id") }
        }
        if has("email") { request.email = address("email") }
        if request.contactID != nil, request.email != nil { report("email", "cannot stand beside contactId") }
        request.data = object("data") ?? [:]
        request.event = object("event") ?? [:]
        request.context = object("context") ?? [:]
        return request
    }

    /// One plain mail address.
    mutating func address(_ key: String, required: Bool = false) -> String? {
        guard let text = text(key, limit: 320, required: required) else { return nil }
        guard let address = AddressText.accepted(text) else {
            report(key, "must be a mail address")
            return nil
        }
        return address
    }
}

extension PreviewRequest {
    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: BodyReader.previewKeys.union(["version"]))
        self = body.preview()
        version = body.integer("version", in: 1...Int64(Int32.max))
        try body.finish()
    }
}

/// A template that is not saved, and for whom it is shown.
struct UnsavedPreview {
    var kind: TemplateSummary.Kind
    var content: TemplateContent
    var preview: PreviewRequest

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: BodyReader.contentKeys.union(BodyReader.previewKeys))
        let changes = body.templateChanges()
        preview = body.preview()
        try body.finish()
        kind = changes.kind ?? .marketing
        content = changes.content
    }
}

/// To whom a test goes, and for whom it is written.
struct TestRequest {
    var recipient: String
    var preview: PreviewRequest

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: BodyReader.previewKeys.union(["to", "version"]))
        recipient = body.address("to", required: true) ?? ""
        preview = body.preview()
        preview.version = body.integer("version", in: 1...Int64(Int32.max))
        try body.finish()
    }
}
