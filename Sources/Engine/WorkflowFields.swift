import JSONValue
import WorkflowModel

/// The fields that conditions and templates of a project can name: those that are always there, and those that its newest
/// contacts and events have.
package struct WorkflowFields: Sendable {
    package struct Field: Hashable, Sendable {
        package enum Category: String, Sendable {
            /// Of every contact.
            case contact
            /// Of the contact's own data.
            case data
            /// Of the event that last moved the execution.
            case event
            /// Of workflow and execution.
            case system
        }

        /// As conditions write it.
        package var name: String
        /// `string`, `number`, `boolean`, `date`, `object`, `array`, or `mixed` where values differ.
        package var type: String
        package var category: Category
    }

    /// How many of the newest contacts and events are looked at, of all projects together: an answer for an editor's menu
    /// must not read a database from end to end.
    package static let contactLimit = 1000
    package static let eventLimit = 2000
    /// Fields of each kind in the answer; the first seen stay.
    private static let fieldLimit = 500

    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// - Parameter eventName: take fields of events of this canonical name alone; nil takes all events.
    package func read(project: Identifier, eventName: String?) async throws -> [Field] {
        let (contacts, events) = try await context.store.read { reader in
            (
                try reader.newestContactData(in: project, among: Self.contactLimit),
                try reader.newestEventData(of: eventName, in: project, among: Self.eventLimit)
            )
        }
        return Self.contactFields + Self.fields(of: contacts, prefix: "data.", category: .data)
            + Self.fields(of: events, prefix: "event.", category: .event) + Self.systemFields
    }

    private static let contactFields: [Field] = [
        .init(name: "contact.id", type: "string", category: .contact),
        .init(name: "contact.email", type: "string", category: .contact),
        .init(name: "contact.subscribed", type: "boolean", category: .contact),
        .init(name: "contact.createdAt", type: "date", category: .contact),
        .init(name: "contact.updatedAt", type: "date", category: .contact),
    ]

    private static let systemFields: [Field] = [
        .init(name: "workflow.id", type: "string", category: .system),
        .init(name: "workflow.name", type: "string", category: .system),
        .init(name: "execution.id", type: "string", category: .system),
        .init(name: "execution.startedAt", type: "date", category: .system),
    ]

    private static func fields(of objects: [JSONObject], prefix: String, category: Field.Category) -> [Field] {
        var types: [String: String] = [:]
        for object in objects {
            for (key, value) in object where !value.isNull {
                let type = type(of: value)
                guard let known = types[key] else {
                    if types.count < fieldLimit { types[key] = type }
                    continue
                }
                if known != type { types[key] = "mixed" }
            }
        }
        return types.sorted { $0.key < $1.key }.map {
            Field(name: prefix + $0.key, type: $0.value, category: category)
        }
    }

    private static func type(of value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .int, .double: "number"
        case .string(let text): Timestamp(rfc3339: text) == nil ? "string" : "date"
        case .array: "array"
        case .object: "object"
        }
    }
}
