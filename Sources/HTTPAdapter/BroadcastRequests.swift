import Engine
import JSONValue
import WorkflowModel

// The bodies of requests about broadcasts, checked. Whether the words parse is the engine's business.

/// A draft to be made.
struct NewBroadcast {
    let changes: Broadcasts.Changes

    /// - Throws: `APIError` 422.
    init(_ json: JSON, zones: (any TimeZoneRules)? = nil) throws {
        var body = try BodyReader(json, keys: BodyReader.broadcastKeys)
        changes = body.broadcastChanges(nameIsRequired: true, zones: zones)
        try body.finish()
    }
}

/// What is to change about a draft.
struct BroadcastChanges {
    let changes: Broadcasts.Changes

    /// - Throws: `APIError` 422.
    init(_ json: JSON, zones: (any TimeZoneRules)? = nil) throws {
        var body = try BodyReader(json, keys: BodyReader.broadcastKeys)
        changes = body.broadcastChanges(nameIsRequired: false, zones: zones)
        try body.finish()
    }
}

/// When a broadcast shall begin.
struct BroadcastTime {
    let at: Timestamp

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["at"])
        let time = body.value("at")?.stringValue.flatMap { Timestamp(rfc3339: $0) }
        if time == nil {
            body.report("at", body.has("at") ? "must be a time, for example 2027-01-31T09:00:00Z" : "is missing")
        }
        try body.finish()
        at = time ?? Timestamp(seconds: 0)
    }
}

/// Which variant everybody else gets.
struct WinnerChoice {
    let variant: String

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["variant"])
        variant = body.text("variant", limit: BroadcastDefinition.variantNameLimit, required: true) ?? ""
        try body.finish()
    }
}

/// To whom a test goes, and for whom it is written.
struct BroadcastTest {
    let request: Broadcasts.TestRequest

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["to", "variant", "contactId"])
        let recipient = body.address("to", required: true) ?? ""
        let variant = body.text("variant", limit: BroadcastDefinition.variantNameLimit)
        var contact: Identifier?
        if let value = body.value("contactId"), !value.isNull {
            contact = value.stringValue.flatMap { Identifier($0) }
            if contact == nil { body.report("contactId", "must be an id") }
        }
        try body.finish()
        request = Broadcasts.TestRequest(recipient: recipient, variant: variant, contactID: contact)
    }
}

extension BodyReader {
    private static let broadcastContentKeys: Set<String> = [
        "template", "templateVersion", "subject", "body", "from", "replyTo",
    ]
    static let broadcastKeys = broadcastContentKeys.union(["name", "segmentId", "variants", "test", "window", "data"])

    fileprivate mutating func broadcastChanges(
        nameIsRequired: Bool, zones: (any TimeZoneRules)?
    ) -> Broadcasts.Changes {
        var changes = Broadcasts.Changes()
        changes.name = text("name", limit: BroadcastDefinition.nameLimit, required: nameIsRequired)
        changes.segment = line("segmentId", limit: 100)
        changes.content = broadcastContent()
        changes.variants = variants()
        changes.test = broadcastTest()
        changes.window = sendWindow(zones)
        if let data = value("data") {
            if let object = data.isNull ? [:] : data.objectValue {
                changes.data = object
                if JSONWriter.bytes(data).count > BroadcastDefinition.dataLimit {
                    report("data", "must not be longer than \(BroadcastDefinition.dataLimit) bytes of JSON")
                }
            } else {
                report("data", "must be an object")
            }
        }
        return changes
    }

    private mutating func broadcastContent() -> Broadcasts.Changes.Content {
        var content = Broadcasts.Changes.Content()
        content.template = line("template", limit: 100)
        if let value = value("templateVersion") {
            content.templateVersion =
                value.isNull ? .some(nil) : integer("templateVersion", in: 1...Int64(Int32.max)).map { .some($0) }
        }
        content.subject = line("subject", limit: NewTemplate.subjectLimit)
        content.body = source("body")
        content.from = line("from", limit: NewTemplate.addressLimit)
        content.replyTo = line("replyTo", limit: NewTemplate.addressLimit)
        return content
    }

    private mutating func variants() -> [(name: String, content: Broadcasts.Changes.Content)]?? {
        guard let value = value("variants") else { return nil }
        if value.isNull { return .some(nil) }
        let range = BroadcastDefinition.variantRange
        guard let list = value.arrayValue, list.isEmpty || range.contains(list.count) else {
            report("variants", "must be a list of \(range.lowerBound) to \(range.upperBound), or empty")
            return nil
        }
        var variants: [(name: String, content: Broadcasts.Changes.Content)] = []
        for (position, value) in list.enumerated() {
            guard var reader = try? BodyReader(value, keys: Self.broadcastContentKeys.union(["name"])) else {
                report("variants.\(position)", "must be an object")
                continue
            }
            let name = reader.text("name", limit: BroadcastDefinition.variantNameLimit, required: true) ?? ""
            if !name.isEmpty, variants.contains(where: { $0.name == name }) {
                reader.report("name", "is that of another variant")
            }
            variants.append((name, reader.broadcastContent()))
            report(reader, at: "variants.\(position)")
        }
        return .some(variants)
    }

    private mutating func broadcastTest() -> BroadcastDefinition.Test?? {
        guard let value = value("test") else { return nil }
        if value.isNull { return .some(nil) }
        guard var reader = try? BodyReader(value, keys: ["share", "winner", "duration"]) else {
            report("test", "must be an object or null")
            return nil
        }
        let share = reader.integer("share", in: BroadcastDefinition.Test.shareRange)
        if share == nil, !reader.has("share") { reader.report("share", "is missing") }
        let rule = reader.value("winner")?.stringValue.flatMap(BroadcastDefinition.Test.Rule.init)
        if rule == nil {
            let known = BroadcastDefinition.Test.Rule.allCases.map(\.rawValue).joined(separator: ", ")
            reader.report("winner", reader.has("winner") ? "must be one of \(known)" : "is missing")
        }
        var duration: Int?
        if rule == .manual {
            if reader.has("duration") { reader.report("duration", "is for a winner that nobody chooses") }
        } else {
            duration = reader.integer("duration", in: BroadcastDefinition.Test.durationRange)
            if duration == nil, !reader.has("duration") { reader.report("duration", "is missing") }
        }
        report(reader, at: "test")
        guard let share, let rule else { return nil }
        return .some(BroadcastDefinition.Test(share: share, rule: rule, duration: Int64(duration ?? 0)))
    }

    private mutating func sendWindow(_ zones: (any TimeZoneRules)?) -> SendWindow?? {
        guard let value = value("window") else { return nil }
        if value.isNull { return .some(nil) }
        let (window, problems) = SendWindow.read(value, path: "window", zones: zones)
        for problem in problems { report(problem.path, problem.message) }
        return window.map { .some($0) }
    }
}
