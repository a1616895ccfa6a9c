import WorkflowModel

/// Reports and complaints as people look at them.
package struct InboundReports: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Page: Sendable {
        package var reports: [InboundReport]
        /// Where the next page begins; nil when this is the last.
        package var next: Identifier?
    }

    /// The newest first.
    package func page(_ selection: ReportSelection) async throws -> Page {
        var wider = selection
        wider.limit += 1
        let asked = wider
        let found = try await context.store.read { try $0.reports(asked) }
        let page = Array(found.prefix(selection.limit))
        return Page(reports: page, next: found.count > selection.limit ? page.last?.id : nil)
    }
}
