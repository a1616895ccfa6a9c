import WorkflowModel

/// API keys: made once and shown once, kept as hashes.
package struct Authentication: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// Makes a key.
    /// - Returns: its text, which nobody can see again.
    /// - Throws: `UseCaseError.notFound` for an unknown project.
    package func create(_ kind: APIKey.Kind, project slug: String) async throws -> String {
        let text = "\(kind.rawValue)_\(Base64URL.encode(context.cryptography.randomBytes(24)))"
        let hash = context.cryptography.digest(Array(text.utf8))
        try await context.transact { transaction in
            guard let project = transaction.catalog.project(slug: slug) else {
                throw UseCaseError(.notFound, "there is no project \(slug)")
            }
            try transaction.store.insert(
                APIKey(id: transaction.makeID(), projectID: project.id, kind: kind), hash: hash, at: transaction.now)
        }
        return text
    }

    /// The key of that text; nil when nobody has it.
    package func key(_ text: String) async throws -> APIKey? {
        guard text.hasPrefix("pk_") || text.hasPrefix("sk_"), text.utf8.count <= 128 else { return nil }
        let hash = context.cryptography.digest(Array(text.utf8))
        return try await context.store.read { try $0.key(hash: hash) }
    }
}

/// Why a request cannot be done: a closed code, and a sentence for the one who asked.
package struct UseCaseError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound = "not_found"
        case invalid = "validation_error"
        case reservedEvent = "reserved_event"
        case workflowLocked = "WORKFLOW_LOCKED"
        case triggerLocked = "TRIGGER_LOCKED"
        case workflowDisabled = "WORKFLOW_DISABLED"
        /// The contact has been here, and the workflow lets nobody in twice.
        case reentryForbidden = "REENTRY_FORBIDDEN"
        /// The contact has an execution under way here.
        case executionActive = "EXECUTION_ACTIVE"
        /// The execution has ended, and nothing changes it any more.
        case executionFinal = "EXECUTION_FINAL"
        /// Only a failed execution can be retried.
        case executionNotFailed = "EXECUTION_NOT_FAILED"
        case conflict = "conflict"
        /// The steps and transitions would break a rule of graphs.
        case invalidGraph = "invalid_graph"
    }

    package var code: Code
    package var description: String
    /// One entry for each offending value.
    package var problems: [WorkflowProblem]

    package init(_ code: Code, _ description: String, problems: [WorkflowProblem] = []) {
        self.code = code
        self.description = description
        self.problems = problems
    }
}
