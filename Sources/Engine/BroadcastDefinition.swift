import JSONValue
import WorkflowModel

/// What a broadcast says, and to which part of its audience.
package struct BroadcastDefinition: Hashable, Sendable {
    /// Where a mail's words come from: a template, words of its own, or a template with some of its words replaced.
    package struct Content: Hashable, Sendable {
        package var template: Identifier?
        /// Number of the template's version; nil takes the current one when the broadcast begins.
        package var templateVersion: Int?
        package var subject: String?
        /// HTML, in the place of the template's bodies.
        package var body: String?
        /// An address with a name or without; nil: the template's, else the configuration's.
        package var from: String?
        package var replyTo: String?

        package init(
            template: Identifier? = nil, templateVersion: Int? = nil, subject: String? = nil, body: String? = nil,
            from: String? = nil, replyTo: String? = nil
        ) {
            self.template = template
            self.templateVersion = templateVersion
            self.subject = subject
            self.body = body
            self.from = from
            self.replyTo = replyTo
        }

        /// What the other says counts; with another template nothing stays of the words here.
        func overlaid(by other: Content) -> Content {
            var result = self
            if other.template != nil {
                result.template = other.template
                result.templateVersion = other.templateVersion
                (result.subject, result.body) = (nil, nil)
            }
            result.subject = other.subject ?? result.subject
            result.body = other.body ?? result.body
            result.from = other.from ?? result.from
            result.replyTo = other.replyTo ?? result.replyTo
            return result
        }
    }

    package struct Variant: Hashable, Sendable {
        package var name: String
        /// What is different.
        package var content: Content

        package init(name: String, content: Content) {
            self.name = name
            self.content = content
        }
    }

    /// A part of the audience gets the variants, everybody else the best of them.
    package struct Test: Hashable, Sendable {
        /// What makes a variant the winner. The raw values are stored and shown.
        package enum Rule: String, Hashable, Sendable, CaseIterable {
            /// Most opened, of those that were sent.
            case opens
            case clicks
            /// Somebody says it.
            case manual
        }

        /// Percent of the audience.
        package var share: Int
        package var rule: Rule
        /// Seconds from the last mail of the test to the decision; 0 where somebody decides.
        package var duration: Int64

        package init(share: Int, rule: Rule, duration: Int64 = 0) {
            self.share = share
            self.rule = rule
            self.duration = duration
        }

        package static let shareRange: ClosedRange<Int64> = 1...99
        package static let durationRange: ClosedRange<Int64> = 60...30 * 86_400
    }

    package var content: Content
    /// Empty or at least two.
    package var variants: [Variant]
    /// Nil with variants: each goes to an equal part of the audience.
    package var test: Test?
    package var window: SendWindow?
    /// Values for the template beside the contact's.
    package var data: JSONObject

    package init(
        content: Content = Content(), variants: [Variant] = [], test: Test? = nil, window: SendWindow? = nil,
        data: JSONObject = [:]
    ) {
        self.content = content
        self.variants = variants
        self.test = test
        self.window = window
        self.data = data
    }

    package static let nameLimit = 100
    package static let variantRange = 2...10
    package static let variantNameLimit = 50
    /// Bytes of JSON.
    package static let dataLimit = 64 * 1024

    /// What each variant says; one without variants.
    package var contents: [Content] {
        variants.isEmpty ? [content] : variants.map { content.overlaid(by: $0.content) }
    }

    var variantCount: Int { max(1, variants.count) }

    /// Nil where there are no variants.
    package func variantName(at position: Int?) -> String? {
        position.flatMap { variants.indices.contains($0) ? variants[$0].name : nil }
    }
}

// MARK: As it is stored

extension BroadcastDefinition {
    package var json: JSONObject {
        var object = content.json
        if !variants.isEmpty {
            object["variants"] = .array(
                variants.map { variant in
                    var object = variant.content.json
                    object["name"] = .string(variant.name)
                    return .object(object)
                })
        }
        if let test {
            object["test"] = [
                "share": .int(Int64(test.share)), "winner": .string(test.rule.rawValue),
                "duration": .int(test.duration),
            ]
        }
        object["window"] = window.map(\.json)
        if !data.isEmpty { object["data"] = .object(data) }
        return object
    }

    /// Nil for what cannot be read.
    package init?(_ json: JSON) {
        guard let content = Content(json) else { return nil }
        var variants: [Variant] = []
        for value in json["variants"]?.arrayValue ?? [] {
            guard let name = value["name"]?.stringValue, let content = Content(value) else { return nil }
            variants.append(Variant(name: name, content: content))
        }
        var test: Test?
        if let value = json["test"] {
            guard let share = value["share"]?.intValue, Test.shareRange.contains(share), !variants.isEmpty,
                let rule = value["winner"]?.stringValue.flatMap(Test.Rule.init)
            else { return nil }
            test = Test(share: Int(share), rule: rule, duration: value["duration"]?.intValue ?? 0)
        }
        self.init(
            content: content, variants: variants, test: test,
            window: json["window"].flatMap { SendWindow.read($0, path: "window", zones: nil).window },
            data: json["data"]?.objectValue ?? [:])
    }
}

extension BroadcastDefinition.Content {
    fileprivate var json: JSONObject {
        var object: JSONObject = [:]
        object["template"] = template.map { .string("\($0)") }
        object["templateVersion"] = templateVersion.map { .int(Int64($0)) }
        object["subject"] = subject.map { .string($0) }
        object["body"] = body.map { .string($0) }
        object["from"] = from.map { .string($0) }
        object["replyTo"] = replyTo.map { .string($0) }
        return object
    }

    fileprivate init?(_ json: JSON) {
        guard json.objectValue != nil else { return nil }
        if let text = json["template"]?.stringValue, Identifier(text) == nil { return nil }
        self.init(
            template: json["template"]?.stringValue.flatMap { Identifier($0) },
            templateVersion: json["templateVersion"]?.intValue.map { Int($0) }, subject: json["subject"]?.stringValue,
            body: json["body"]?.stringValue, from: json["from"]?.stringValue, replyTo: json["replyTo"]?.stringValue)
    }
}

extension Broadcast.Pinned {
    package var json: JSON {
        let names = partials.sorted { $0.key < $1.key }.map { ($0.key, JSON.string("\($0.value)")) }
        return ["version": .string("\(version)"), "partials": .object(JSONObject(names))]
    }

    /// Nil for what cannot be read.
    package init?(_ json: JSON) {
        guard let version = json["version"]?.stringValue.flatMap({ Identifier($0) }) else { return nil }
        var partials: [String: Identifier] = [:]
        for (name, value) in json["partials"]?.objectValue ?? [:] {
            partials[name] = value.stringValue.flatMap { Identifier($0) }
        }
        self.init(version: version, partials: partials)
    }
}
