import JSONValue
import WorkflowModel

/// Mail templates and partials under a client's hands. Every change of what a mail would say makes a version, and versions
/// never change; mails refer to the version they were asked for with.
package struct Templates: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// - Parameter projectID: nobody sees or changes templates of other projects; they are `notFound`.
    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    // MARK: Making and changing

    /// - Throws: `UseCaseError`: `invalid` with every problem, `conflict` for a slug that is taken.
    package func create(_ new: NewTemplate) async throws -> TemplateDetail {
        try refuseSyntaxErrors(new.content)
        let record = try await context.transact { transaction in
            let id = transaction.makeID()
            let record = Catalog.TemplateRecord(
                id: id, projectID: projectID, slug: try slug(for: new, transaction), name: new.name,
                description: new.description,
                current: TemplateVersion(
                    id: transaction.makeID(), templateID: id, kind: new.kind, content: new.content,
                    createdAt: transaction.now),
                createdAt: transaction.now, updatedAt: transaction.now)
            try check(record, transaction)
            try save(record, transaction)
            try transaction.audit("template.created", "\(id)", in: projectID, details: ["slug": .string(record.slug)])
            return record
        }
        return try await detail(record)
    }

    /// Changes what is given; another content or kind becomes a new version.
    /// - Throws: `UseCaseError`: `notFound`, `invalid` with every problem, `conflict` when templates that include this
    ///   partial could not be rendered any more.
    package func change(_ id: Identifier, _ changes: TemplateChanges) async throws -> TemplateDetail {
        // Long sources with mistakes are refused before the database waits for them.
        try refuseSyntaxErrors(changes.content)
        let record = try await context.transact { transaction in
            var record = try transaction.catalog.findTemplate(id, in: projectID)
            let before = record
            if let name = changes.name { record.name = name }
            if let description = changes.description { record.description = description }
            try replace(
                changes.applied(to: record.current.content), changes.kind ?? record.current.kind, of: &record,
                transaction)
            guard
                record.current.id != before.current.id || record.name != before.name
                    || record.description != before.description
            else { return record }
            record.updatedAt = transaction.now
            try save(record, isNewVersion: record.current.id != before.current.id, transaction)
            try transaction.audit(
                "template.updated", "\(id)", in: projectID,
                details: ["slug": .string(record.slug), "version": .int(Int64(record.current.number))])
            return record
        }
        return try await detail(record)
    }

    /// Makes the content of an older version the newest version.
    /// - Throws: `UseCaseError`: `notFound`, and what a change can be refused for.
    package func restore(_ number: Int, of id: Identifier) async throws -> TemplateDetail {
        let record = try await context.transact { transaction in
            var record = try transaction.catalog.findTemplate(id, in: projectID)
            guard let version = try transaction.store.templateVersion(number, of: id) else {
                throw Self.noVersion(number)
            }
            let before = record.current.id
            try replace(version.content, version.kind, of: &record, transaction)
            guard record.current.id != before else { return record }
            record.updatedAt = transaction.now
            try save(record, transaction)
            try transaction.audit(
                "template.restored", "\(id)", in: projectID,
                details: ["slug": .string(record.slug), "from": .int(Int64(number))])
            return record
        }
        return try await detail(record)
    }

    /// A copy with a history of its own.
    /// - Throws: `UseCaseError.notFound`.
    package func duplicate(_ id: Identifier) async throws -> TemplateDetail {
        let record = try await context.transact { transaction in
            var copy = try transaction.catalog.findTemplate(id, in: projectID)
            copy.id = transaction.makeID()
            copy.name = WorkflowRecord.copyName(of: copy.name)
            copy.slug = freeSlug(for: copy.name, transaction)
            copy.current.id = transaction.makeID()
            copy.current.templateID = copy.id
            copy.current.number = 1
            (copy.current.createdAt, copy.createdAt, copy.updatedAt) = (
                transaction.now, transaction.now, transaction.now
            )
            try check(copy, transaction)
            try save(copy, transaction)
            try transaction.audit(
                "template.created", "\(copy.id)", in: projectID,
                details: ["slug": .string(copy.slug), "copyOf": .string("\(id)")])
            return copy
        }
        return try await detail(record)
    }

    /// Takes templates away, all or none of them. Their versions stay for the mails that refer to them.
    /// - Returns: how many; an id that is named twice counts once.
    /// - Throws: `UseCaseError`: `notFound`; `conflict` naming every step and template that uses one of them.
    @discardableResult
    package func delete(_ ids: [Identifier]) async throws -> Int {
        try await context.transact { transaction in
            let catalog = transaction.catalog
            let ids = Set(ids)
            let damaged = catalog.damagedTemplates.filter { ids.contains($0.id) && $0.projectID == projectID }
            var records: [Catalog.TemplateRecord] = []
            for id in ids.subtracting(damaged.map(\.id)).sorted() {
                records.append(try catalog.findTemplate(id, in: projectID))
            }
            let slugs = damaged.map { (id: $0.id, slug: $0.slug) } + records.map { ($0.id, $0.slug) }
            try refuseWhileUsed(slugs, records, catalog, try transaction.store.openBroadcasts(in: projectID))
            for (id, slug) in slugs {
                try transaction.store.delete(template: id)
                try transaction.audit("template.deleted", "\(id)", in: projectID, details: ["slug": .string(slug)])
            }
            return slugs.count
        }
    }

    private func refuseWhileUsed(
        _ slugs: [(id: Identifier, slug: String)], _ records: [Catalog.TemplateRecord], _ catalog: Catalog,
        _ broadcasts: [Broadcast]
    ) throws {
        let ids = Set(slugs.map(\.id))
        var problems: [WorkflowProblem] = []
        for (id, slug) in slugs {
            problems += Self.steps(sending: slug, id, of: projectID, in: catalog).map {
                .init(
                    path: "workflows.\($0.workflow.slug).steps.\($0.key)",
                    message:
                        "the step \($0.name ?? $0.key) of the workflow \($0.workflow.name) sends the template \(slug)")
            }
        }
        // What has begun has its versions.
        for broadcast in broadcasts where broadcast.startedAt == nil {
            let named = Set(broadcast.definition.contents.compactMap(\.template))
            problems += slugs.filter { named.contains($0.id) }.map {
                .init(
                    path: "broadcasts.\(broadcast.id)",
                    message: "the broadcast \(broadcast.name) sends the template \($0.slug)")
            }
        }
        for record in records where record.current.kind == .partial {
            let users = TemplateCheck.dependents(
                on: record.slug, in: catalog, project: projectID, templates: context.templates)
            problems += users.filter { !ids.contains($0.id) }.map {
                .init(path: "templates.\($0.slug)", message: "\($0.name) includes the partial \(record.slug)")
            }
        }
        guard problems.isEmpty else {
            throw UseCaseError(
                .conflict, problems.count == 1 ? problems[0].message : "templates are in use", problems: problems)
        }
    }

    // MARK: Looking

    /// - Throws: `UseCaseError.notFound`.
    package func template(_ id: Identifier) async throws -> Catalog.TemplateRecord {
        try await context.store.read { try $0.loadCatalog().findTemplate(id, in: projectID) }
    }

    /// Newest first.
    /// - Throws: `UseCaseError.notFound`.
    package func versions(
        of id: Identifier, limit: Int, offset: Int
    ) async throws -> (template: Catalog.TemplateRecord, rows: [TemplateVersion], total: Int) {
        try await context.store.read { reader in
            let record = try reader.loadCatalog().findTemplate(id, in: projectID)
            let (rows, total) = try reader.templateVersions(of: id, limit: limit, offset: offset)
            return (record, rows, total)
        }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func version(
        _ number: Int, of id: Identifier
    ) async throws -> (template: Catalog.TemplateRecord, version: TemplateVersion) {
        try await context.store.read { reader in
            let record = try reader.loadCatalog().findTemplate(id, in: projectID)
            guard let version = try reader.templateVersion(number, of: id) else { throw Self.noVersion(number) }
            return (record, version)
        }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func usage(of id: Identifier) async throws -> TemplateUsage {
        try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            let record = try catalog.findTemplate(id, in: projectID)
            let templates =
                record.current.kind == .partial
                ? TemplateCheck.dependents(
                    on: record.slug, in: catalog, project: projectID, templates: context.templates) : []
            return TemplateUsage(
                steps: Self.steps(sending: record.slug, id, of: projectID, in: catalog), templates: templates,
                mails: try reader.mailCount(ofTemplate: id, among: TemplateUsage.mailsLookedAt))
        }
    }

    private static func steps(
        sending slug: String, _ id: Identifier, of project: Identifier, in catalog: Catalog
    ) -> [TemplateUsage.Step] {
        let names = [slug, "\(id)"]
        return catalog.workflows.filter { $0.projectID == project }.flatMap { workflow in
            workflow.graph.steps.compactMap { step in
                guard case .sendEmail(let send) = step.config, names.contains(send.template) else { return nil }
                let naming = WorkflowRecord.Naming(id: workflow.id, slug: workflow.slug, name: workflow.name)
                return TemplateUsage.Step(workflow: naming, key: step.key, name: step.name)
            }
        }
    }

    // MARK: The way of every change

    /// A new version, if there is anything new.
    private func replace(
        _ content: TemplateContent, _ kind: TemplateSummary.Kind, of record: inout Catalog.TemplateRecord,
        _ transaction: EngineTransaction
    ) throws {
        guard content != record.current.content || kind != record.current.kind else { return }
        guard (kind == .partial) == (record.current.kind == .partial) else {
            throw UseCaseError(
                .invalid, "the template is invalid",
                problems: [.init(path: "type", message: "a partial stays one, and nothing else becomes one")])
        }
        record.current = TemplateVersion(
            id: transaction.makeID(), templateID: record.id, number: record.current.number + 1, kind: kind,
            content: content, createdAt: transaction.now)
        try check(record, transaction)
    }

    private func check(_ record: Catalog.TemplateRecord, _ transaction: EngineTransaction) throws {
        let (catalog, templates) = (transaction.catalog, context.templates)
        let plain = TemplateCheck(catalog, project: projectID, templates: templates)
        let problems = plain.problems(of: record.current.content, kind: record.current.kind, slug: record.slug)
        guard problems.isEmpty else { throw Self.invalid(problems) }
        guard record.current.kind == .partial else { return }
        let changed = TemplateCheck(
            catalog, project: projectID, templates: templates,
            changed: [record.slug: try? CompiledTemplate(record.current.content)])
        let dependents = TemplateCheck.dependents(
            on: record.slug, in: catalog, project: projectID, templates: templates)
        try TemplateCheck.refuseToBreak(dependents, check: changed, templates: templates)
    }

    private func save(
        _ record: Catalog.TemplateRecord, isNewVersion: Bool = true, _ transaction: EngineTransaction
    ) throws {
        if isNewVersion {
            try transaction.store.save(record, at: transaction.now)
        } else {
            try transaction.store.rename(record)
        }
    }

    func refuseSyntaxErrors(_ content: TemplateContent) throws {
        let problems = CompiledTemplate.problems(in: content)
        guard problems.isEmpty else { throw Self.invalid(problems) }
    }

    static func invalid(_ problems: [WorkflowProblem]) -> UseCaseError {
        UseCaseError(.invalid, "the template is invalid", problems: problems)
    }

    static func noVersion(_ number: Int) -> UseCaseError {
        UseCaseError(.notFound, "there is no version \(number) of this template")
    }

    private func detail(_ record: Catalog.TemplateRecord) async throws -> TemplateDetail {
        TemplateDetail(
            template: record,
            warnings: try await warnings(about: record.current.content, isPartial: record.current.kind == .partial))
    }

    // MARK: Slugs

    private func slug(for new: NewTemplate, _ transaction: EngineTransaction) throws -> String {
        guard let slug = new.slug else { return freeSlug(for: new.name, transaction) }
        guard Step.isKey(slug) else {
            throw Self.invalid([
                .init(path: "slug", message: "must be lower-case letters, digits, - and _, at most 64")
            ])
        }
        guard !takenSlugs(transaction.catalog).contains(slug) else {
            throw UseCaseError(
                .conflict, "there is a template \(slug) already",
                problems: [.init(path: "slug", message: "is taken")])
        }
        return slug
    }

    private func freeSlug(for name: String, _ transaction: EngineTransaction) -> String {
        let taken = takenSlugs(transaction.catalog)
        return KeyMaker.key(for: name, or: "template") { taken.contains($0) }
    }

    private func takenSlugs(_ catalog: Catalog) -> Set<String> {
        Set(catalog.templates.lazy.filter { $0.projectID == projectID }.map(\.slug))
            .union(catalog.damagedTemplates.lazy.filter { $0.projectID == projectID }.map(\.slug))
    }
}
