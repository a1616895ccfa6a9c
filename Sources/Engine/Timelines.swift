import WorkflowModel

/// What happened to one contact.
package struct Timelines: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Page: Sendable {
        package var page: TimelinePage
        /// Names of the workflows that executions in it belong to; a deleted workflow has none.
        package var workflows: [Identifier: String]
    }

    /// The newest first.
    /// - Throws: `UseCaseError.notFound`, also for a contact of another project.
    package func page(
        of contact: Identifier, kinds: Set<HistoryKind>, before position: TimelinePosition, limit: Int,
        project: Identifier
    ) async throws -> Page {
        try await context.store.read { reader in
            guard try reader.contact(contact, in: project) != nil else {
                throw UseCaseError(.notFound, "there is no contact \(contact)")
            }
            let page = try reader.timeline(
                of: contact, in: project, kinds: kinds, before: position, limit: limit)
            let ids = Set(
                page.items.compactMap { if case .execution(let execution) = $0 { execution.workflowID } else { nil } })
            guard !ids.isEmpty else { return Page(page: page, workflows: [:]) }
            let workflows = try reader.loadCatalog().workflows.filter { ids.contains($0.id) }
            return Page(
                page: page, workflows: Dictionary(workflows.map { ($0.id, $0.name) }, uniquingKeysWith: { $1 }))
        }
    }
}
