import WorkflowModel

extension Templates {
    /// Which templates a list shows, and in which order.
    package struct Selection: Sendable {
        package enum Order: String, Sendable, CaseIterable {
            case name, createdAt, updatedAt
        }

        /// Part of name, slug, description or subject, whatever the case; empty takes all.
        package var search = ""
        package var kind: TemplateSummary.Kind?
        package var order = Order.createdAt
        package var isAscending = false

        package init() {}

        func contains(_ template: Catalog.TemplateRecord) -> Bool {
            if let kind, template.current.kind != kind { return false }
            if search.isEmpty { return true }
            let part = search.lowercased()
            let texts = [template.name, template.slug, template.description ?? "", template.current.content.subject]
            return texts.contains { $0.lowercased().contains(part) }
        }

        /// Equal ones come in the order in which they were made.
        func isInOrder(_ left: Catalog.TemplateRecord, _ right: Catalog.TemplateRecord) -> Bool {
            isAscending ? precedes(left, right) : precedes(right, left)
        }

        private func precedes(_ left: Catalog.TemplateRecord, _ right: Catalog.TemplateRecord) -> Bool {
            switch order {
            case .name:
                (left.name.lowercased(), left.createdAt, left.id) < (right.name.lowercased(), right.createdAt, right.id)
            case .createdAt: (left.createdAt, left.id) < (right.createdAt, right.id)
            case .updatedAt:
                (left.updatedAt, left.createdAt, left.id) < (right.updatedAt, right.createdAt, right.id)
            }
        }
    }

    package func list(
        _ selection: Selection, limit: Int, offset: Int
    ) async throws -> (rows: [Catalog.TemplateRecord], total: Int) {
        try await context.store.read { reader in
            let all = try reader.loadCatalog().templates.filter { $0.projectID == projectID && selection.contains($0) }
            let rows = all.sorted(by: selection.isInOrder).dropFirst(offset).prefix(limit)
            return (Array(rows), all.count)
        }
    }
}
