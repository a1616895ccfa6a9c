import JSONValue
import WorkflowModel

/// Executions as people and clients handle them: started, looked at, cancelled, retried.
package struct Executions: Sendable {
    package let context: EngineContext
    /// Executions that one transaction of `cancelAll` cancels: everybody else waits for it.
    static let batchSize = 200

    package init(context: EngineContext) { self.context = context }

    // MARK: Starting

    /// Starts an execution of any workflow that is enabled, whatever its trigger.
    ///
    /// - Parameter values: what templates and conditions see as `context.*` and `event.*`; wrappers are unwrapped.
    /// - Throws: `UseCaseError`: `notFound` for workflow or contact, `invalid` for too large a context,
    ///   `workflowDisabled`, `reentryForbidden`, `executionActive`.
    package func start(
        _ workflow: Identifier, contact: Identifier, context values: JSONObject, project: Identifier
    ) async throws -> ExecutionListing {
        let values = values.unwrappingTransientValues()
        let limit = context.configuration.eventDataLimit
        guard JSONWriter.bytes(.object(values)).count <= limit else {
            throw UseCaseError(
                .invalid, "the context is larger than \(limit / 1024) KiB",
                problems: [.init(path: "context", message: "must not be larger than \(limit / 1024) KiB")])
        }
        // A refusal is counted, so it must not undo its transaction.
        let result = try await context.transact { transaction -> Result<Identifier, UseCaseError> in
            let record = try Self.find(workflow, project: project, in: transaction.catalog)
            guard try transaction.store.contact(contact, in: project) != nil else {
                throw UseCaseError(.notFound, "there is no contact \(contact)")
            }
            guard record.isEnabled else {
                throw UseCaseError(.workflowDisabled, "\(record.slug) is disabled: enable it to start executions")
            }
            let entry = record.entry(trigger: nil, context: values)
            if entry == .withoutValue, let key = record.reentryKey { throw Self.missing(key, of: record) }
            let recorder = EventRecorder(transaction: transaction, projectID: project)
            if let id = try recorder.start(record, contact: contact, trigger: nil, context: values) {
                try transaction.audit(
                    "execution.started", "\(id)", in: project,
                    details: ["workflow": .string("\(workflow)"), "contact": .string("\(contact)")])
                return .success(id)
            }
            return .failure(try Self.refusal(record, contact: contact, value: entry.value, in: transaction))
        }
        return try await found(try result.get(), of: workflow)
    }

    private static func missing(_ key: ReentryKey, of workflow: WorkflowRecord) -> UseCaseError {
        UseCaseError(
            .invalid, "\(workflow.slug) lets nobody in without a value of its re-entry key",
            problems: [
                .init(
                    path: "context.\(key.path)",
                    message:
                        "must be a number or a text of at most \(ReentryKey.valueLimit) bytes: it is the re-entry key")
            ])
    }

    private static func refusal(
        _ workflow: WorkflowRecord, contact: Identifier, value: String?, in transaction: EngineTransaction
    ) throws -> UseCaseError {
        let isActive = try transaction.store.hasExecution(
            of: workflow.id, contact: contact, value: value, onlyActive: true)
        let what = value == nil ? "" : " with this value of \(workflow.reentryKey?.path ?? "its re-entry key")"
        return isActive
            ? UseCaseError(.executionActive, "the contact has an execution of \(workflow.slug) under way\(what)")
            : UseCaseError(
                .reentryForbidden,
                "the contact has been in \(workflow.slug)\(what), which lets nobody in twice (allowReentry)")
    }

    // MARK: Cancelling

    /// The `exitReason` of what a person cancelled, and of what was cancelled with all others.
    package static let cancelReason = "cancelled"
    package static let cancelAllReason = "cancelled_all"

    /// Ends an execution; its timer, waits and webhook call go in the same transaction.
    /// - Throws: `UseCaseError`: `notFound`, `executionFinal` for one that has ended.
    package func cancel(
        _ id: Identifier, of workflow: Identifier, project: Identifier
    ) async throws -> ExecutionListing {
        try await context.transact { transaction in
            _ = try Self.find(workflow, project: project, in: transaction.catalog)
            let recorder = EventRecorder(transaction: transaction, projectID: project)
            do {
                let stored = try transaction.store.execution(id)
                guard let execution = stored?.execution, execution.workflowID == workflow else {
                    throw Self.missing(id)
                }
                try Self.refuseOfErased(execution, in: transaction)
                guard try recorder.advance(id, input: .cancelled(reason: Self.cancelReason)) else {
                    throw UseCaseError(
                        .executionFinal, "the execution has ended as \(execution.status.rawValue)")
                }
            } catch let error as StoreError where error.code == .damaged {
                try recorder.fail(id, error)
            }
            try transaction.audit("execution.cancelled", "\(id)", in: project)
        }
        return try await found(id, of: workflow)
    }

    /// Ends every execution of a workflow that is under way, a batch at a time.
    /// - Returns: how many.
    /// - Throws: `UseCaseError.notFound`.
    package func cancelAll(of workflow: Identifier, project: Identifier) async throws -> Int {
        var cancelled = 0
        var last: ActiveExecution?
        repeat {
            let after = last
            let batch = try await context.transact { transaction in
                _ = try Self.find(workflow, project: project, in: transaction.catalog)
                let batch = try transaction.store.activeExecutions(of: workflow, after: after, limit: Self.batchSize)
                let recorder = EventRecorder(transaction: transaction, projectID: project)
                for execution in batch {
                    do {
                        try recorder.advance(execution.id, input: .cancelled(reason: Self.cancelAllReason))
                    } catch let error as StoreError where error.code == .damaged {
                        try recorder.fail(execution.id, error)
                    }
                }
                if after == nil { try transaction.audit("workflow.executions_cancelled", "\(workflow)", in: project) }
                return batch
            }
            cancelled += batch.count
            last = batch.last
        } while last != nil
        return cancelled
    }

    /// What has ended of a contact that is gone is still to be removed, and is not there any more.
    private static func refuseOfErased(_ execution: Execution, in transaction: EngineTransaction) throws {
        guard execution.status.isFinal, try transaction.store.contact(execution.contactID) == nil else { return }
        throw missing(execution.id)
    }

    // MARK: Retrying

    /// Goes on with a failed execution at the step it failed at.
    /// - Throws: `UseCaseError`: `notFound`, `executionNotFailed`, `executionActive` when another execution of the contact
    ///   is under way here, `conflict` when its stored data cannot be read.
    package func retry(
        _ id: Identifier, of workflow: Identifier, project: Identifier
    ) async throws -> ExecutionListing {
        try await context.transact { transaction in
            let record = try Self.find(workflow, project: project, in: transaction.catalog)
            do {
                guard let stored = try transaction.store.execution(id), stored.execution.workflowID == workflow
                else { throw Self.missing(id) }
                let execution = stored.execution
                try Self.refuseOfErased(execution, in: transaction)
                guard execution.status == .failed else {
                    throw UseCaseError(
                        .executionNotFailed,
                        "only a FAILED execution can be retried; it is \(execution.status.rawValue)")
                }
                let contact = execution.contactID
                // Of a workflow that has lost its key, every execution of the contact counts again.
                let value = record.reentryKey == nil ? nil : stored.reentryValue
                guard
                    try !transaction.store.hasExecution(of: workflow, contact: contact, value: value, onlyActive: true)
                else { throw try Self.refusal(record, contact: contact, value: value, in: transaction) }
                try EventRecorder(transaction: transaction, projectID: project).advance(id, input: .retried)
                try transaction.audit("execution.retried", "\(id)", in: project)
            } catch let error as StoreError where error.code == .damaged {
                throw UseCaseError(.conflict, "the execution cannot be retried: \(error.description)")
            }
        }
        return try await found(id, of: workflow)
    }

    // MARK: Looking

    /// Newest start first.
    /// - Throws: `UseCaseError.notFound`, also for a workflow of another project.
    package func list(
        of workflow: Identifier, project: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) async throws -> Workflows.ExecutionPage {
        try await context.store.read { reader in
            let record = try Self.find(workflow, project: project, in: try reader.loadCatalog())
            let (rows, total) = try reader.executions(of: workflow, status: status, limit: limit, offset: offset)
            return Workflows.ExecutionPage(workflow: record, rows: rows, total: total)
        }
    }

    /// With every step that was executed, each with its input: the options of its step where nothing else was given.
    /// - Throws: `UseCaseError.notFound`, also for anything of another project.
    package func inspect(
        _ id: Identifier, of workflow: Identifier, project: Identifier
    ) async throws -> Workflows.ExecutionDetail {
        try await context.store.read { reader in
            let record = try Self.find(workflow, project: project, in: try reader.loadCatalog())
            guard let execution = try reader.execution(id, workflow: workflow) else { throw Self.missing(id) }
            let graph = try reader.graph(ofExecution: id)
            let steps = try reader.steps(of: id).map { step in
                guard step.input.isNull, let config = graph?.step(step.step)?.config else { return step }
                var step = step
                step.input = .object(config.json)
                return step
            }
            return Workflows.ExecutionDetail(workflow: record, execution: execution, steps: steps)
        }
    }

    private func found(_ id: Identifier, of workflow: Identifier) async throws -> ExecutionListing {
        try await context.store.read { reader in
            guard let listing = try reader.execution(id, workflow: workflow) else { throw Self.missing(id) }
            return listing
        }
    }

    private static func missing(_ id: Identifier) -> UseCaseError {
        UseCaseError(.notFound, "there is no execution \(id) of this workflow")
    }

    private static func find(
        _ id: Identifier, project: Identifier, in catalog: Catalog
    ) throws -> WorkflowRecord {
        try catalog.find(id, in: project)
    }
}
