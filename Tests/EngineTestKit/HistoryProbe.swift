import Engine
import WorkflowModel

/// Looks at the history of contacts through the store, page by page.
package struct HistoryProbe {
    package let store: any Store
    package let project: Identifier

    package init(store: any Store, project: Identifier) {
        self.store = store
        self.project = project
    }

    /// Everything that happened to a contact, the newest first, read in pages of that many.
    package func timeline(
        of contact: Identifier, kinds: Set<HistoryKind> = Set(HistoryKind.allCases), pages limit: Int = 7
    ) async throws -> [TimelineItem] {
        var items: [TimelineItem] = []
        var position: TimelinePosition? = TimelinePosition()
        while let before = position {
            let page = try await store.read { [project] in
                try $0.timeline(of: contact, in: project, kinds: kinds, before: before, limit: limit)
            }
            items += page.items
            // The text is what clients hand back.
            position = page.next.flatMap { TimelinePosition($0.description) }
        }
        return items
    }
}

extension TimelineItem {
    /// The id of the event, execution or mail.
    package var id: Identifier {
        switch self {
        case .event(let event): event.id
        case .execution(let execution): execution.id
        case .mail(let mail): mail.id
        }
    }
}
