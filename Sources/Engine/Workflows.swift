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

        /// For the audit log.
        var word: String {
            switch self {
            case .created(let version): "created version \(version)"
            case .changed(let version): "changed to version \(version)"
            case .updated: "updated"
            case .unchanged: "unchanged"
            }
        }
    }

    /// Makes the project's workflow and templates be as the document says; applying it again changes nothing.
    ///
    /// - Parameter asNewVersion: publishes changed steps beside the current version: executions under way finish on theirs,
    ///   new ones take the new one.
    /// - Throws: `UseCaseError`: `invalid` with every problem, `notFound` for the project, `workflowLocked` when steps
    ///   would change while executions are under way, `triggerLocked` when the trigger would change after the first.
    package func apply(_ document: WorkflowDocument, asNewVersion: Bool = false) async throws -> Applied {
        try Self.check(document)
        return try await context.transact { transaction in
            guard let project = transaction.catalog.project(slug: document.project) else {
                throw UseCaseError(.notFound, "there is no project \(document.project)")
            }
            let templatesChanged = try Self.applyTemplates(document, project: project, in: transaction)
            let known = transaction.catalog.workflows.first { $0.projectID == project.id && $0.slug == document.slug }
            try Self.checkReferences(
                document, project: project, catalog: transaction.catalog,
                destinations: context.configuration.webhookDestinations)
            let applied = try Self.applyWorkflow(
                document, known: known, project: project, templatesChanged: templatesChanged,
                asNewVersion: asNewVersion, in: transaction)
            if applied != .unchanged {
                try transaction.audit(
                    "workflow.applied", document.slug, in: project.id, details: ["result": .string(applied.word)])
            }
            return applied
        }
    }

    /// Templates and options that do not parse are refused here, with line and column, and never reach a mail.
    /// - Throws: `UseCaseError.invalid` with every one of them.
    package static func check(_ document: WorkflowDocument) throws {
        var problems = document.templates.flatMap { template in
            CompiledTemplate.problems(in: template.content).map {
                WorkflowProblem(path: "templates.\(template.slug)", message: $0.message, place: $0.place)
            }
        }
        let cache = TemplateCache()
        for step in document.graph.steps {
            let path = "steps.\(step.key).config"
            problems += StepCheck.syntaxProblems(.object(step.options), path: path, templates: cache)
        }
        guard problems.isEmpty else {
            throw UseCaseError(.invalid, "the workflow has errors", problems: problems)
        }
    }

    private static func checkReferences(
        _ document: WorkflowDocument, project: Project, catalog: Catalog, destinations: WebhookDestinations
    ) throws {
        let own = Set(document.templates.filter { $0.kind != .partial }.map(\.slug))
        var problems = document.graph.steps.compactMap { step -> WorkflowProblem? in
            guard case .sendEmail(let send) = step.config, !own.contains(send.template),
                catalog.template(send.template, in: project.id) == nil
            else { return nil }
            return .init(path: "steps.\(step.key).config.template", message: "there is no template \(send.template)")
        }
        let segments = SegmentCheck(catalog, project.id)
        problems += segments.problems(of: document.trigger, path: "trigger")
        problems += document.graph.steps.flatMap { segments.problems(of: $0.config, path: "steps.\($0.key).config") }
        problems += document.graph.steps.flatMap {
            StepCheck.destinationProblems($0.config, path: "steps.\($0.key).config", destinations)
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the workflow has errors", problems: problems) }
    }

    private static func applyTemplates(
        _ document: WorkflowDocument, project: Project, in transaction: EngineTransaction
    ) throws -> Bool {
        try checkTemplates(document, project: project, in: transaction)
        var changed = false
        for template in document.templates {
            let known = transaction.catalog.templates.first {
                $0.projectID == project.id && $0.slug == template.slug
            }
            if let known, known.current.content == template.content, known.current.kind == template.kind { continue }
            // One that cannot be read is mended by the new version.
            let damaged = transaction.catalog.damagedTemplates.first {
                $0.projectID == project.id && $0.slug == template.slug
            }
            let id = known?.id ?? damaged?.id ?? transaction.makeID()
            let newest = try transaction.store.newestTemplateVersion(of: id)
            let version = TemplateVersion(
                id: transaction.makeID(), templateID: id, number: newest + 1, kind: template.kind,
                content: template.content, createdAt: transaction.now)
            try transaction.store.save(
                Catalog.TemplateRecord(
                    id: id, projectID: project.id, slug: template.slug, name: known?.name,
                    description: known?.description, current: version, createdAt: known?.createdAt ?? transaction.now,
                    updatedAt: transaction.now),
                at: transaction.now)
            changed = true
        }
        return changed
    }

    /// The rules of every template, with the document's partials in front of the project's.
    /// - Throws: `UseCaseError`: `invalid` with every problem, `conflict` when other templates could not be rendered any
    ///   more with a partial of the document.
    private static func checkTemplates(
        _ document: WorkflowDocument, project: Project, in transaction: EngineTransaction
    ) throws {
        let (catalog, templates) = (transaction.catalog, transaction.context.templates)
        var partials: [String: CompiledTemplate?] = [:]
        var problems: [WorkflowProblem] = []
        for template in document.templates {
            // A template that is no partial takes the name of one away.
            partials[template.slug] = .some(
                template.kind == .partial ? try? CompiledTemplate(template.content) : nil)
            let known = catalog.templates.first { $0.projectID == project.id && $0.slug == template.slug }
            if let known, (known.current.kind == .partial) != (template.kind == .partial) {
                problems.append(
                    .init(
                        path: "templates.\(template.slug).type",
                        message: "a partial stays one, and nothing else becomes one"))
            }
        }
        let check = TemplateCheck(catalog, project: project.id, templates: templates, changed: partials)
        for template in document.templates {
            problems += check.problems(of: template.content, kind: template.kind, slug: template.slug).map {
                .init(path: "templates.\(template.slug).\($0.path)", message: $0.message, place: $0.place)
            }
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the workflow has errors", problems: problems) }
        let own = Set(document.templates.map(\.slug))
        for template in document.templates where template.kind == .partial {
            let dependents = TemplateCheck.dependents(
                on: template.slug, in: catalog, project: project.id, templates: templates)
            try TemplateCheck.refuseToBreak(
                dependents.filter { !own.contains($0.slug) }, check: check, templates: templates)
        }
    }

    private static func applyWorkflow(
        _ document: WorkflowDocument, known: WorkflowRecord?, project: Project, templatesChanged: Bool,
        asNewVersion: Bool, in transaction: EngineTransaction
    ) throws -> Applied {
        guard let known else {
            let damaged = transaction.catalog.damagedWorkflows.first {
                $0.projectID == project.id && $0.slug == document.slug
            }
            if let damaged { throw damaged.refusal(of: "workflow") }
            let record = WorkflowRecord(
                id: transaction.makeID(), projectID: project.id, slug: document.slug, name: document.name,
                description: document.description, isEnabled: document.isEnabled,
                allowsReentry: document.allowsReentry, reentryKey: document.reentryKey, trigger: document.trigger,
                versionID: transaction.makeID(), versionNumber: 1, graph: document.graph, timers: document.timers,
                createdAt: transaction.now,
                updatedAt: transaction.now)
            try transaction.store.save(record, definition: document.definition)
            return .created(version: 1)
        }
        let change = WorkflowChange(
            document, to: known,
            facts: .init(
                active: try transaction.store.activeExecutionCount(workflow: known.id),
                hasExecutions: try transaction.store.hasExecutions(of: known.id),
                isVersionUsed: try transaction.store.isUsed(version: known.versionID)), catalog: transaction.catalog)
        let applied = try change.decide(asNewVersion: asNewVersion)
        guard applied != .unchanged else { return templatesChanged ? .updated : .unchanged }
        let record = change.record(applied, in: transaction)
        let definition = WorkflowDefinition.json(of: record.graph)
        try transaction.store.save(record, definition: definition)
        if record.versionID == known.versionID,
            record.graph.steps != known.graph.steps || applied == .changed(version: known.versionNumber)
        {
            try transaction.store.replaceDefinition(definition, ofVersion: known.versionID)
        }
        return applied
    }

    // MARK: Comparing

    /// How a document and what is stored under its name differ.
    package struct Comparison: Sendable {
        /// Nil when there is no such workflow yet.
        package var stored: WorkflowDocument?
        /// 0 without one.
        package var storedVersion: Int
        /// What applying the document would do, or why it would be refused.
        package var outcome: Result<Applied, UseCaseError>
    }

    /// - Throws: `UseCaseError.notFound` for the project; `invalid` when the document names a template that is not there.
    package func compare(_ document: WorkflowDocument, asNewVersion: Bool = false) async throws -> Comparison {
        let destinations = context.configuration.webhookDestinations
        return try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            guard let project = catalog.project(slug: document.project) else {
                throw UseCaseError(.notFound, "there is no project \(document.project)")
            }
            try Self.checkReferences(document, project: project, catalog: catalog, destinations: destinations)
            guard
                let known = catalog.workflows.first(where: {
                    $0.projectID == project.id && $0.slug == document.slug
                })
            else { return Comparison(stored: nil, storedVersion: 0, outcome: .success(.created(version: 1))) }
            let change = WorkflowChange(
                document, to: known,
                facts: .init(
                    active: try reader.activeExecutionCount(workflow: known.id),
                    hasExecutions: try reader.hasExecutions(of: known.id),
                    isVersionUsed: try reader.isUsed(version: known.versionID)), catalog: catalog)
            let outcome: Result<Applied, UseCaseError>
            do {
                outcome = .success(try change.decide(asNewVersion: asNewVersion))
            } catch let error as UseCaseError {
                outcome = .failure(error)
            }
            var stored = WorkflowDocument(known, catalog: catalog)
            // Templates that only the file names, because no mail of the stored version is made from them.
            for template in document.templates where !stored.templates.contains(where: { $0.slug == template.slug }) {
                let known = catalog.templates.first { $0.projectID == project.id && $0.slug == template.slug }
                guard let record = known else { continue }
                stored.templates.append(
                    .init(slug: record.slug, kind: record.current.kind, content: record.current.content))
            }
            return Comparison(stored: stored, storedVersion: known.versionNumber, outcome: outcome)
        }
    }

    /// A stored workflow as a document that applies back unchanged, its templates included.
    /// - Throws: `UseCaseError.notFound`.
    package func export(_ slug: String, project: String) async throws -> WorkflowDocument {
        let catalog = try await context.store.read { try $0.loadCatalog() }
        guard let project = catalog.project(slug: project) else {
            throw UseCaseError(.notFound, "there is no project \(project)")
        }
        let workflows = catalog.workflows.filter { $0.projectID == project.id }
        guard let record = workflows.first(where: { $0.slug == slug }) else {
            let known = workflows.map(\.slug).sorted().joined(separator: ", ")
            throw UseCaseError(
                .notFound,
                "there is no workflow \(slug)" + (known.isEmpty ? "" : "; known are \(known)"))
        }
        return WorkflowDocument(record, catalog: catalog)
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
        try reader.loadCatalog().find(id, in: project)
    }
}
