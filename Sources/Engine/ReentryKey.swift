import JSONValue
import WorkflowModel

/// A path into the data of the event that starts an execution, such as `order.id`: what re-entry forbids is then forbidden
/// for each value of its own. A start by hand, or by the clock, has its value in the initial context.
package struct ReentryKey: Hashable, Sendable {
    package let path: String

    /// Nil for a path that is none.
    package init?(_ path: String) {
        let isPlain = path.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard (1...Self.pathLimit).contains(path.unicodeScalars.count), isPlain,
            path.split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ !$0.isEmpty })
        else { return nil }
        self.path = path
    }

    /// Unicode scalars.
    package static let pathLimit = 200
    /// Bytes of a value: it stands in an index.
    package static let valueLimit = 200

    /// A sentence without its subject.
    package static let rule =
        "must be a path into the event's data, such as order.id: names with dots between them, at most \(pathLimit) characters"

    /// The value in the data; a number counts as its text. Nil where there is none, and for what is no key: an empty or a
    /// long text, a flag, a list, an object.
    package func value(in data: JSONObject) -> String? {
        let text: String? =
            switch JSON.object(data)[path: path] {
            case .string(let text)?: text
            case .int(let number)?: String(number)
            case .double(let number)?:
                JSON.double(number).intValue.map(String.init) ?? JSONWriter.write(.double(number))
            default: nil
            }
        return text.flatMap { (1...Self.valueLimit).contains($0.utf8.count) ? $0 : nil }
    }

    /// As documents and requests write it; null and nothing at all are no key.
    package static func read(_ json: JSON?, path: String) -> (key: ReentryKey?, problems: [WorkflowProblem]) {
        guard let json, !json.isNull else { return (nil, []) }
        if let key = json.stringValue.flatMap({ ReentryKey($0) }) { return (key, []) }
        return (nil, [.init(path: path, message: rule)])
    }
}

extension WorkflowRecord {
    /// Which earlier executions of a contact count when somebody is about to enter.
    package enum Entry: Hashable, Sendable {
        /// Those of the contact, whatever their values.
        case ofContact
        /// Those of the contact with that value of the re-entry key.
        case ofValue(String)
        /// The workflow asks for a value and there is none: nobody enters.
        case withoutValue

        /// What the execution is stored with.
        package var value: String? { if case .ofValue(let value) = self { value } else { nil } }
    }

    /// - Parameters:
    ///   - trigger: the event that is about to start an execution; nil for a start by hand or by the clock.
    ///   - context: what it is to be started with.
    package func entry(trigger: Event?, context: JSONObject) -> Entry {
        guard let reentryKey else { return .ofContact }
        return reentryKey.value(in: trigger?.data ?? context).map { .ofValue($0) } ?? .withoutValue
    }
}
