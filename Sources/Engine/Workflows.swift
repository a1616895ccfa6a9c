import JSONValue
import WorkflowModel

/// Workflows as people and clients handle them: put in place from a document, listed, looked into.
package struct Workflows: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    // MARK: Putting in place

    /// What applying a document did.
    package enum Applied: Sendable, Hashable {
        case created(version: Int)
        /// New steps or transitions: new executions take this version.
        case changed(version: Int)
        /// Only names, switches or templates changed.
        case updated
        case unchanged
    }

    /// Makes the project's workflow and templates be as the document says; applying it again changes nothing.
    ///
    /// - Throws: `UseCaseError`: `invalid` with every problem, `notFound` for the project, `workflowLocked` when steps
    ///   would change while executions are under way, `triggerLocked` when the trigger would change after the first.
    package func apply(_ document: WorkflowDocument) async throws -> Applied {
        for template in document.templates { try Self.check(template) }
        return try await context.transact { transaction in
            guard let project = transaction.catalog.project(slug: document.project) else {
                throw UseCaseError(.notFound, "there is no project \(document.project)")
            }
            let templatesChanged = try Self.applyTemplates(document, project: project, in: transaction)
            let known = transaction.catalog.workflows.first { $0.projectID == project.id && $0.slug == document.slug }
            try Self.checkReferences(document, project: project, in: transaction)
            return try Self.applyWorkflow(
                document, known: known, project: project, templatesChanged: templatesChanged, in: transaction)
        }
    }

    /// A template that does not parse is refused here, with line and column, and never reaches a mail.
    private static func check(_ template: WorkflowDocument.Template) throws {
        do {
            _ = try CompiledTemplate(template.content)
        } catch {
            throw UseCaseError(
                .invalid, "template \(template.slug) has an error",
                problems: [.init(path: "templates.\(template.slug)", message: "\(error)")])
        }
    }

    private static func checkReferences(
        _ document: WorkflowDocument, project: Project, in transaction: EngineTransaction
    ) throws {
        let own = Set(document.templates.map(\.slug))
        let problems = document.graph.steps.compactMap { step -> WorkflowProblem? in
            guard case .sendEmail(let send) = step.config, !own.contains(send.template),
                transaction.catalog.template(send.template, in: project.id) == nil
            else { return nil }
            return .init(path: "steps.\(step.key).config.template", message: "there is no template \(send.template)")
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the workflow has errors", problems: problems) }
    }

    private static func applyTemplates(
        _ document: WorkflowDocument, project: Project, in transaction: EngineTransaction
    ) throws -> Bool {
        var changed = false
        for template in document.templates {
            let known = transaction.catalog.template(template.slug, in: project.id)
            if let known, known.current.content == template.content, known.current.kind == template.kind { continue }
            let id = known?.id ?? transaction.makeID()
            let version = TemplateVersion(
                id: transaction.makeID(), templateID: id, kind: template.kind, content: template.content)
            try transaction.store.save(
                Catalog.TemplateRecord(id: id, projectID: project.id, slug: template.slug, current: version),
                at: transaction.now)
            changed = true
        }
        return changed
    }

    private static func applyWorkflow(
        _ document: WorkflowDocument, known: WorkflowRecord?, project: Project, templatesChanged: Bool,
        in transaction: EngineTransaction
    ) throws -> Applied {
        let trigger = document.trigger
        guard let known else {
            let record = WorkflowRecord(
                id: transaction.makeID(), projectID: project.id, slug: document.slug, name: document.name,
                isEnabled: document.isEnabled, allowsReentry: document.allowsReentry, trigger: trigger,
                versionID: transaction.makeID(), versionNumber: 1, graph: document.graph,
                createdAt: transaction.now, updatedAt: transaction.now)
            try transaction.store.save(record, definition: document.definition)
            return .created(version: 1)
        }
        if known.trigger != trigger, try transaction.store.hasExecutions(of: known.id) {
            throw UseCaseError(
                .triggerLocked,
                "\(known.slug) has had executions, so its trigger stays: apply the file under another workflow name")
        }
        var record = known
        record.name = document.name
        record.isEnabled = document.isEnabled
        record.allowsReentry = document.allowsReentry
        record.trigger = trigger
        record.updatedAt = transaction.now
        let isStructural = known.graph != document.graph || known.trigger != trigger
        if isStructural {
            let active = try transaction.store.activeExecutionCount(workflow: known.id)
            guard active == 0 else {
                throw UseCaseError(
                    .workflowLocked,
                    "\(known.slug) has \(active) executions under way: apply again when they have ended, or under another workflow name"
                )
            }
            record.versionID = transaction.makeID()
            record.versionNumber += 1
            record.graph = document.graph
        }
        let isUpdated =
            known.name != record.name || known.isEnabled != record.isEnabled
            || known.allowsReentry != record.allowsReentry
        guard isStructural || isUpdated else { return templatesChanged ? .updated : .unchanged }
        try transaction.store.save(record, definition: document.definition)
        return isStructural ? .changed(version: record.versionNumber) : .updated
    }

    // MARK: Looking

    package struct Listing: Sendable {
        package var workflow: WorkflowRecord
        package var executionCounts: [Execution.Status: Int]
    }

    /// The project's workflows, newest first.
    package func list(project: Identifier) async throws -> [Listing] {
        try await context.store.read { reader in
            let counts = try reader.executionCounts(in: project)
            return try reader.loadCatalog().workflows.filter { $0.projectID == project }
                .sorted { ($1.createdAt, $1.id) < ($0.createdAt, $0.id) }
                .map { Listing(workflow: $0, executionCounts: counts[$0.id] ?? [:]) }
        }
    }

    package struct ExecutionPage: Sendable {
        package var workflow: WorkflowRecord
        package var rows: [ExecutionListing]
        package var total: Int
    }

    /// Newest start first.
    /// - Throws: `UseCaseError.notFound`, also for a workflow of another project.
    package func executions(
        of workflow: Identifier, project: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) async throws -> ExecutionPage {
        try await context.store.read { reader in
            let record = try Self.find(workflow, project: project, in: reader)
            let (rows, total) = try reader.executions(of: workflow, status: status, limit: limit, offset: offset)
            return ExecutionPage(workflow: record, rows: rows, total: total)
        }
    }

    package struct ExecutionDetail: Sendable {
        package var workflow: WorkflowRecord
        package var execution: ExecutionListing
        package var steps: [StepExecution]
    }

    /// - Throws: `UseCaseError.notFound`, also for anything of another project.
    package func execution(
        _ id: Identifier, of workflow: Identifier, project: Identifier
    ) async throws -> ExecutionDetail {
        try await context.store.read { reader in
            let record = try Self.find(workflow, project: project, in: reader)
            guard let execution = try reader.execution(id, workflow: workflow) else {
                throw UseCaseError(.notFound, "there is no execution \(id) of this workflow")
            }
            return ExecutionDetail(workflow: record, execution: execution, steps: try reader.steps(of: id))
        }
    }

    private static func find(
        _ id: Identifier, project: Identifier, in reader: any StoreReader
    ) throws -> WorkflowRecord {
        guard let record = try reader.loadCatalog().workflow(id), record.projectID == project else {
            throw UseCaseError(.notFound, "there is no workflow \(id)")
        }
        return record
    }
}
