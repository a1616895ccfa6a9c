import JSONValue
import WorkflowModel

/// Workflows under a client's hands: made, changed, copied and taken away, as wholes and step by step.
///
/// Every call is one transaction: what it looks at cannot change before it writes, so an edit sees every execution that
/// was started before it, and an execution that is started after it takes what it wrote.
package struct WorkflowEditor: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// - Parameter projectID: nobody sees or changes workflows of other projects; they are `notFound`.
    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    // MARK: Whole workflows

    /// - Throws: `UseCaseError.invalid` when it is to be enabled and could not run.
    package func create(_ new: NewWorkflow) async throws -> WorkflowDetail {
        try await context.transact { transaction in
            let event = try TriggerReader.eventName(new.eventName, path: "eventName")
            let trigger = Step(
                key: "trigger", name: WorkflowRevision.triggerName(event), config: .trigger,
                options: ["eventName": .string(event)], position: .init(x: 100, y: 100))
            let record = WorkflowRecord(
                id: transaction.makeID(), projectID: projectID, slug: freeSlug(for: new.name, transaction),
                name: new.name, description: new.description, isEnabled: new.isEnabled,
                allowsReentry: new.allowsReentry, reentryKey: new.reentryKey, trigger: .event(event),
                versionID: transaction.makeID(), versionNumber: 1, graph: try Self.graph(of: [trigger]),
                createdAt: transaction.now,
                updatedAt: transaction.now)
            return try insert(record, transaction, noting: "workflow.created")
        }
    }

    private static func graph(of steps: [Step]) throws -> WorkflowGraph {
        do {
            return try WorkflowGraph(steps: steps, transitions: [])
        } catch {
            throw UseCaseError(.invalidGraph, "\(error)", problems: error.problems)
        }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func workflow(_ id: Identifier) async throws -> WorkflowDetail {
        try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            return WorkflowDetail(
                try find(id, in: catalog), catalog: catalog, configuration: context.configuration)
        }
    }

    /// Changes what is given.
    /// - Throws: `UseCaseError`: `workflowLocked` and `triggerLocked` for the trigger, `invalid` with every problem when it
    ///   is to be enabled and could not run.
    package func change(_ id: Identifier, _ changes: WorkflowChanges) async throws -> WorkflowDetail {
        try await revise(id, noting: "workflow.updated") { revision in
            if let name = changes.name { revision.after.name = name }
            if let description = changes.description { revision.after.description = description }
            if let allowsReentry = changes.allowsReentry { revision.after.allowsReentry = allowsReentry }
            if let reentryKey = changes.reentryKey { revision.after.reentryKey = reentryKey }
            if let timers = changes.timers { revision.after.timers = timers }
            if changes.triggerType != nil || changes.triggerConfig != nil {
                try revision.setTrigger(
                    try TriggerReader.read(
                        type: changes.triggerType, config: changes.triggerConfig, known: revision.before.trigger,
                        zones: context.zones))
            }
            if let isEnabled = changes.isEnabled { revision.after.isEnabled = isEnabled }
        }.detail
    }

    /// Takes a workflow away; its finished executions stay as history that no route shows.
    /// One that cannot be read goes too, and its executions under way fail.
    /// - Throws: `UseCaseError`: `notFound`, `workflowLocked` while executions are under way.
    package func delete(_ id: Identifier) async throws { _ = try await delete([id]) }

    /// Takes workflows away, all or none of them.
    /// - Returns: how many; an id that is named twice counts once.
    package func delete(_ ids: [Identifier]) async throws -> Int {
        try await context.transact { transaction in
            let ids = Self.unique(ids)
            for id in ids {
                if let damage = transaction.catalog.damagedWorkflow(id, in: projectID) {
                    try Self.failExecutions(of: damage, transaction)
                } else {
                    try WorkflowRevision.refuseWhileUnderWay(find(id, in: transaction.catalog), transaction)
                }
            }
            for id in ids {
                try transaction.store.delete(workflow: id, at: transaction.now)
                try transaction.audit("workflow.deleted", "\(id)", in: projectID)
            }
            return ids.count
        }
    }

    /// Nothing can move the executions of a workflow that cannot be read, and nobody can cancel them.
    private static func failExecutions(of damage: Catalog.Damage, _ transaction: EngineTransaction) throws {
        var last: ActiveExecution?
        repeat {
            let batch = try transaction.store.activeExecutions(of: damage.id, after: last, limit: 1000)
            for execution in batch {
                try transaction.store.failExecution(
                    execution.id, reason: EventRecorder.damageReason, at: transaction.now)
            }
            last = batch.last
        } while last != nil
    }

    /// - Throws: `UseCaseError.notFound` when one of them is not there.
    package func require(_ ids: [Identifier]) async throws {
        try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            for id in Self.unique(ids) { _ = try find(id, in: catalog) }
        }
    }

    /// A disabled copy without executions.
    package func duplicate(_ id: Identifier) async throws -> WorkflowDetail {
        try await context.transact { transaction in
            var copy = try find(id, in: transaction.catalog)
            copy.id = transaction.makeID()
            copy.name = WorkflowRecord.copyName(of: copy.name)
            copy.slug = freeSlug(for: copy.name, transaction)
            copy.isEnabled = false
            copy.versionID = transaction.makeID()
            copy.versionNumber = 1
            copy.createdAt = transaction.now
            copy.updatedAt = transaction.now
            return try insert(copy, transaction, noting: "workflow.duplicated")
        }
    }

    // MARK: Steps

    /// - Throws: `UseCaseError`: `invalid` for its options, `invalidGraph`, `conflict` for a taken id, `workflowLocked`.
    package func add(_ new: NewStep, to workflow: Identifier) async throws -> StepDetail {
        try await reviseStep(workflow, noting: "workflow.step_added", of: new.name) { revision in
            let step = try revision.step(from: new)
            try revision.edit { (draft) throws(GraphRefusal) in try draft.add(step, connecting: new.connects) }
            return step.key
        }
    }

    /// Puts a step into a transition; see `GraphDraft.insert`.
    package func insert(_ new: NewStep, into transition: String, of workflow: Identifier) async throws -> StepDetail {
        try await reviseStep(workflow, noting: "workflow.step_added", of: new.name) { revision in
            try revision.require(transition: transition)
            let step = try revision.step(from: new)
            try revision.edit { (draft) throws(GraphRefusal) in try draft.insert(step, into: transition) }
            return step.key
        }
    }

    /// Name and position are free at any time; options that mean something else are a structural edit.
    package func change(_ key: String, of workflow: Identifier, _ changes: StepChanges) async throws -> StepDetail {
        try await reviseStep(workflow, noting: "workflow.step_changed", of: key) { revision in
            let step = try revision.step(key, changedBy: changes)
            try revision.edit { (draft) throws(GraphRefusal) in try draft.replace(step) }
            return key
        }
    }

    /// - Parameter splicing: lead its predecessors to its successor; nil leaves the graph disconnected there.
    package func remove(_ key: String, of workflow: Identifier, splicing: Splice?) async throws {
        _ = try await revise(workflow, noting: "workflow.step_removed", of: key) { revision in
            try revision.edit { (draft) throws(GraphRefusal) in
                if let splicing {
                    try draft.splice(key, keeping: splicing.branch)
                } else {
                    try draft.remove(key)
                }
            }
        }
    }

    package struct Splice: Sendable {
        /// The way to keep of a step that branches.
        package var branch: String?

        package init(branch: String?) { self.branch = branch }
    }

    // MARK: Transitions

    package func connect(_ transition: Transition, in workflow: Identifier) async throws {
        _ = try await revise(workflow, noting: "workflow.transition_added", of: transition.from) { revision in
            try revision.edit { (draft) throws(GraphRefusal) in try draft.connect(transition) }
        }
    }

    package func disconnect(_ transition: String, in workflow: Identifier) async throws {
        _ = try await revise(workflow, noting: "workflow.transition_removed", of: transition) { revision in
            try revision.edit { (draft) throws(GraphRefusal) in try draft.disconnect(transition) }
        }
    }

    // MARK: The way of every edit

    private struct Revised<Value: Sendable>: Sendable {
        var value: Value
        var detail: WorkflowDetail
    }

    private func revise<Value: Sendable>(
        _ id: Identifier, noting action: String, of part: String? = nil,
        _ body: @escaping @Sendable (inout WorkflowRevision) throws -> Value
    ) async throws -> Revised<Value> {
        try await context.transact { transaction in
            let record = try find(id, in: transaction.catalog)
            var revision = WorkflowRevision(of: record, in: transaction)
            let value = try body(&revision)
            try revision.store()
            try transaction.audit(
                action, "\(id)", in: projectID, details: part.map { ["part": .string($0)] } ?? [:])
            return Revised(
                value: value,
                detail: WorkflowDetail(
                    revision.after, catalog: transaction.catalog, configuration: context.configuration))
        }
    }

    private func reviseStep(
        _ id: Identifier, noting action: String, of part: String? = nil,
        _ body: @escaping @Sendable (inout WorkflowRevision) throws -> String
    ) async throws -> StepDetail {
        let revised = try await revise(id, noting: action, of: part, body)
        return StepDetail(workflow: revised.detail, key: revised.value)
    }

    private func insert(
        _ record: WorkflowRecord, _ transaction: EngineTransaction, noting action: String
    ) throws -> WorkflowDetail {
        if record.isEnabled { try StepCheck(transaction, projectID).refuseUnlessRunnable(record.graph) }
        try transaction.store.save(record, definition: WorkflowDefinition.json(of: record.graph))
        try transaction.audit(action, "\(record.id)", in: projectID, details: ["name": .string(record.name)])
        return WorkflowDetail(record, catalog: transaction.catalog, configuration: context.configuration)
    }

    private func find(_ id: Identifier, in catalog: Catalog) throws -> WorkflowRecord {
        try catalog.find(id, in: projectID)
    }

    private func freeSlug(for name: String, _ transaction: EngineTransaction) -> String {
        let catalog = transaction.catalog
        let taken = Set(catalog.workflows.lazy.filter { $0.projectID == projectID }.map(\.slug))
            .union(catalog.damagedWorkflows.lazy.filter { $0.projectID == projectID }.map(\.slug))
        return KeyMaker.key(for: name, or: "workflow") { taken.contains($0) }
    }

    private static func unique(_ ids: [Identifier]) -> [Identifier] {
        var seen: Set<Identifier> = []
        return ids.filter { seen.insert($0).inserted }
    }
}
