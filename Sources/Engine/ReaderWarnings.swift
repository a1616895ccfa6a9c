import WorkflowModel

/// Says where a workflow waits for what readers do although nothing tells of it: such a wait ends by its timeout or never.
struct ReaderWarnings {
    let opens: TrackingMode
    let clicks: TrackingMode

    /// - Parameter templates: of the mails that the workflow sends.
    init(_ configuration: EngineConfiguration, project: Project?, templates: [TemplateContent]) {
        /// The most that any of its mails lets be recorded. Without mails of its own it may wait for those of others.
        func most(_ member: (TemplateContent) -> TrackingMode?) -> TrackingMode {
            templates.map { member($0) ?? .on }.max() ?? .on
        }
        opens = min(configuration.opens(in: project), most(\.tracksOpens))
        clicks = min(configuration.clicks(in: project), most(\.tracksClicks))
    }

    func problems(of graph: WorkflowGraph, trigger: WorkflowRecord.Trigger) -> [WorkflowProblem] {
        var problems: [WorkflowProblem] = []
        if case .event(let name) = trigger, let reason = reason(name) {
            problems.append(.init(path: "trigger", message: "\(name) \(reason): nothing starts it"))
        }
        for step in graph.steps {
            guard case .waitForEvent(let wait) = step.config else { continue }
            let unheard = wait.eventNames.compactMap { name in reason(name).map { "\(name) \($0)" } }
            guard !unheard.isEmpty else { continue }
            let end =
                unheard.count < wait.eventNames.count
                ? "" : wait.timeout == nil ? ": the wait never ends" : ": the wait ends by its timeout"
            problems.append(.init(path: "steps.\(step.key)", message: unheard.joined(separator: ", ") + end))
        }
        return problems
    }

    /// Why the event never comes; nil when it may.
    private func reason(_ name: String) -> String? {
        let mode: TrackingMode
        switch name {
        case EventName.emailOpened: mode = opens
        case EventName.emailClicked: mode = clicks
        default: return nil
        }
        switch mode {
        case .on: return nil
        case .anonymous: return "never comes, because readers are only counted (anonymous)"
        case .off: return "never comes, because nothing is recorded of readers"
        }
    }
}

extension Workflows {
    /// What a document waits for although nothing tells of it.
    package func readerWarnings(of document: WorkflowDocument) async throws -> [WorkflowProblem] {
        let configuration = context.configuration
        return try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            let project = catalog.project(slug: document.project)
            let templates = document.graph.steps.compactMap { step -> TemplateContent? in
                guard case .sendEmail(let send) = step.config else { return nil }
                return document.templates.first { $0.slug == send.template }?.content
                    ?? project.flatMap { catalog.template(send.template, in: $0.id)?.current.content }
            }
            return ReaderWarnings(configuration, project: project, templates: templates)
                .problems(of: document.graph, trigger: document.trigger)
        }
    }
}
