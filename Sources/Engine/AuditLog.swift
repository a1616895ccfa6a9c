import JSONValue
import WorkflowModel

/// A change that somebody made on purpose.
package struct AuditRecord: Hashable, Sendable {
    package var id: Identifier
    /// Nil for what concerns the whole installation.
    package var projectID: Identifier?
    package var at: Timestamp
    package var actor: Actor
    /// `<noun>.<verb in the past>`.
    package var action: String
    package var target: String
    package var details: JSONObject

    package init(
        id: Identifier, projectID: Identifier?, at: Timestamp, actor: Actor, action: String, target: String,
        details: JSONObject = [:]
    ) {
        self.id = id
        self.projectID = projectID
        self.at = at
        self.actor = actor
        self.action = action
        self.target = target
        self.details = details
    }
}

/// Which records of the audit log are asked for.
package struct AuditSelection: Hashable, Sendable {
    /// Nil for changes that concern the whole installation.
    package var projectID: Identifier?
    /// One action, or with a closing dot all of a noun.
    package var action: String?
    package var target: String?
    /// Only records older than this one.
    package var cursor: Identifier?
    package var limit: Int

    package init(
        projectID: Identifier?, action: String? = nil, target: String? = nil, cursor: Identifier? = nil, limit: Int
    ) {
        self.projectID = projectID
        self.action = action
        self.target = target
        self.cursor = cursor
        self.limit = limit
    }
}

extension EngineTransaction {
    /// Notes a change that somebody made on purpose, in the transaction of the change.
    /// - Parameters:
    ///   - action: what was done, `<noun>.<verb in the past>`: `template.updated`, `key.revoked`.
    ///   - target: id or name of what was changed.
    ///   - details: what one would ask next; never a secret and never the content of mail.
    func audit(_ action: String, _ target: String, in project: Identifier?, details: JSONObject = [:]) throws {
        try store.insert(
            AuditRecord(
                id: makeID(), projectID: project, at: now, actor: context.actor, action: action, target: target,
                details: details))
    }
}

/// The audit log as people read it.
package struct AuditLog: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Page: Sendable {
        package var records: [AuditRecord]
        package var hasMore: Bool
    }

    /// The newest first.
    package func page(_ selection: AuditSelection) async throws -> Page {
        var wider = selection
        wider.limit += 1
        let asked = wider
        let records = try await context.store.read { try $0.auditLog(asked) }
        return Page(records: Array(records.prefix(selection.limit)), hasMore: records.count > selection.limit)
    }
}

extension AuditRecord {
    /// As the API shows it.
    package var json: JSON {
        [
            "id": .string("\(id)"), "at": .string("\(at)"),
            "actor": ["kind": .string(actor.kind), "name": .string(actor.name)], "action": .string(action),
            "target": .string(target), "details": .object(details),
        ]
    }
}
