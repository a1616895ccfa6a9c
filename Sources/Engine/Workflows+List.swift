import WorkflowModel

extension Workflows {
    /// Which workflows a list shows, and in which order.
    package struct Selection: Sendable {
        package enum Order: String, Sendable, CaseIterable {
            case name, createdAt, updatedAt
            /// By their number.
            case steps
        }

        /// Part of the name or the description, whatever the case; empty takes all.
        package var search = ""
        package var isEnabled: Bool?
        package var order = Order.createdAt
        package var isAscending = false

        package init() {}

        func contains(_ workflow: WorkflowRecord) -> Bool {
            if let isEnabled, workflow.isEnabled != isEnabled { return false }
            if search.isEmpty { return true }
            let part = search.lowercased()
            return workflow.name.lowercased().contains(part)
                || workflow.description?.lowercased().contains(part) == true
        }

        /// Equal ones come in the order in which they were made.
        func isInOrder(_ left: WorkflowRecord, _ right: WorkflowRecord) -> Bool {
            isAscending ? precedes(left, right) : precedes(right, left)
        }

        private func precedes(_ left: WorkflowRecord, _ right: WorkflowRecord) -> Bool {
            switch order {
            case .name:
                (left.name.lowercased(), left.createdAt, left.id) < (right.name.lowercased(), right.createdAt, right.id)
            case .createdAt: (left.createdAt, left.id) < (right.createdAt, right.id)
            case .updatedAt:
                (left.updatedAt, left.createdAt, left.id) < (right.updatedAt, right.createdAt, right.id)
            case .steps:
                (left.graph.steps.count, left.createdAt, left.id)
                    < (right.graph.steps.count, right.createdAt, right.id)
            }
        }
    }

    package struct ListPage: Sendable {
        package var rows: [Listing]
        package var total: Int
    }

    package func list(
        project: Identifier, _ selection: Selection, limit: Int, offset: Int
    ) async throws -> ListPage {
        try await context.store.read { reader in
            let all = try reader.loadCatalog().workflows.filter { $0.projectID == project && selection.contains($0) }
            let rows = all.sorted(by: selection.isInOrder).dropFirst(offset).prefix(limit)
            let counts = try reader.executionCounts(in: project)
            return ListPage(
                rows: rows.map { Listing(workflow: $0, executionCounts: counts[$0.id] ?? [:]) }, total: all.count)
        }
    }
}
