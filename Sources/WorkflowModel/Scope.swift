import JSONValue

/// What conditions and templates of one execution can see, looked up by dotted path.
///
/// `contact.*` (its fields, then its data), `data.*` (contact data), `event.*` (the event that last moved the
/// execution), `trigger.*` (the one that started it), `context.*`, `steps.<key>.*` (outputs), `workflow.*`,
/// `execution.*`. A bare name is looked up in the context, then in the starting event's data, then in the contact's
/// data.
package struct Scope: Sendable {
    package var contact: Contact
    package var execution: Execution
    package var workflowName: String

    package init(contact: Contact, execution: Execution, workflowName: String) {
        self.contact = contact
        self.execution = execution
        self.workflowName = workflowName
    }

    /// Nil when there is no such value.
    package func value(at path: String) -> JSON? {
        let (root, rest) = Self.split(path)
        switch root {
        case "contact": return contact.value(at: rest)
        case "data": return contact.dataValue(at: rest)
        case "event": return Self.value(in: eventData, rest)
        case "trigger": return Self.value(in: triggerData, rest)
        case "context": return Self.value(in: execution.context, rest)
        case "steps": return Self.value(in: execution.outputs, rest)
        case "workflow":
            return Self.value(in: ["id": .string("\(execution.workflowID)"), "name": .string(workflowName)], rest)
        case "execution":
            return Self.value(
                in: ["id": .string("\(execution.id)"), "startedAt": .string("\(execution.startedAt)")], rest)
        default: return bareValue(path)
        }
    }

    /// The values at the given paths, each at its place in one object: the variables that a template mentions.
    package func variables(at paths: some Sequence<[String]>) -> JSONObject {
        var object = JSONObject()
        for path in paths {
            if let value = value(at: path.joined(separator: ".")) { object.insert(value, at: path[...]) }
        }
        return object
    }

    private func bareValue(_ path: String) -> JSON? {
        switch path {
        case "email": return .string(contact.email)
        case "id": return .string("\(contact.id)")
        default: break
        }
        return JSON.object(execution.context)[path: path] ?? JSON.object(triggerData)[path: path]
            ?? JSON.object(contact.data)[path: path]
    }

    private var eventData: JSONObject { (execution.resumedBy ?? execution.trigger)?.data ?? execution.context }
    private var triggerData: JSONObject { execution.trigger?.data ?? [:] }

    private static func value(in object: JSONObject, _ rest: Substring?) -> JSON? {
        rest.map { JSON.object(object)[path: $0] } ?? .object(object)
    }

    static func split(_ path: String) -> (root: Substring, rest: Substring?) {
        guard let dot = path.firstDot else { return (path[...], nil) }
        return (path[..<dot], path[path.utf8.index(after: dot)...])
    }
}

extension JSONObject {
    /// Sets a value at a path, making objects on the way; a longer path under a value that is no object is dropped,
    /// because the shorter one already brought the whole value.
    fileprivate mutating func insert(_ value: JSON, at path: ArraySlice<String>) {
        guard let key = path.first else { return }
        let rest = path.dropFirst()
        if rest.isEmpty {
            self[key] = value
            return
        }
        switch self[key] {
        case nil:
            var inner = JSONObject()
            inner.insert(value, at: rest)
            self[key] = .object(inner)
        case .object(var inner)?:
            inner.insert(value, at: rest)
            self[key] = .object(inner)
        default: break
        }
    }
}
