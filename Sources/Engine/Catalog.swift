import JSONValue
import WorkflowModel

/// A workflow as it is now: its name and switches, and the version that new executions take.
package struct WorkflowRecord: Sendable {
    package var id: Identifier
    package var projectID: Identifier
    package var slug: String
    package var name: String
    package var description: String?
    package var isEnabled: Bool
    package var allowsReentry: Bool
    /// Nil where re-entry goes by the contact alone.
    package var reentryKey: ReentryKey?
    package var trigger: Trigger
    package var versionID: Identifier
    package var versionNumber: Int
    package var graph: WorkflowGraph
    package var timers: TimerPolicy
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: Identifier, projectID: Identifier, slug: String, name: String, description: String? = nil,
        isEnabled: Bool, allowsReentry: Bool, reentryKey: ReentryKey? = nil, trigger: Trigger, versionID: Identifier,
        versionNumber: Int, graph: WorkflowGraph, timers: TimerPolicy = TimerPolicy(), createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.slug = slug
        self.name = name
        self.description = description
        self.isEnabled = isEnabled
        self.allowsReentry = allowsReentry
        self.reentryKey = reentryKey
        self.trigger = trigger
        self.versionID = versionID
        self.versionNumber = versionNumber
        self.graph = graph
        self.timers = timers
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

extension WorkflowRecord {
    /// Canonical names of the events whose history it asks for.
    package var lookedBackEvents: Set<String> {
        guard case .schedule(let schedule) = trigger, case .filter(let filter) = schedule.audience else {
            return graph.lookedBackEvents
        }
        return graph.lookedBackEvents.union(filter.lookedBackEvents)
    }
}

/// All projects, workflows and current templates, as of one catalog version. Small and read for every event, so it is
/// kept in memory and loaded anew when the database's catalog version has moved.
package final class Catalog: Sendable {
    /// What is stored and cannot be read.
    package struct Damage: Sendable, Hashable {
        package var id: Identifier
        package var projectID: Identifier
        package var slug: String
        package var reason: String

        package init(id: Identifier, projectID: Identifier, slug: String, reason: String) {
            self.id = id
            self.projectID = projectID
            self.slug = slug
            self.reason = reason
        }

        func refusal(of thing: String) -> UseCaseError {
            UseCaseError(.conflict, "the \(thing) \(slug) (\(id)) cannot be read: \(reason)")
        }
    }

    package let version: Int64
    package let projects: [Project]
    package let workflows: [WorkflowRecord]
    package let templates: [TemplateRecord]
    /// By project: the events whose occurrences are kept.
    package let keptEvents: [Identifier: Set<String>]
    /// By project: those of them that happened before they were kept and are still to be found.
    package let unfinishedEvents: [Identifier: Set<String>]
    /// Workflows and templates whose rows cannot be read.
    package let damagedWorkflows: [Damage]
    package let damagedTemplates: [Damage]
    /// By project.
    package let segments: [Identifier: SegmentIndex]
    package let damagedSegments: [Damage]
    package let subscriptions: [WebhookSubscription]
    private let listeners: SubscriptionIndex
    private let triggered: [String: [Int]]
    private let workflowIndex: [Identifier: Int]
    private let templateIndex: [TemplateKey: Int]
    private let partialIndex: [TemplateKey: Int]

    private struct TemplateKey: Hashable {
        var projectID: Identifier
        var reference: String
    }

    package init(
        version: Int64, projects: [Project], workflows: [WorkflowRecord], templates: [TemplateRecord],
        keptEvents: [Identifier: Set<String>] = [:], unfinishedEvents: [Identifier: Set<String>] = [:],
        damagedWorkflows: [Damage] = [],
        damagedTemplates: [Damage] = [], segments: [SegmentRecord] = [], damagedSegments: [Damage] = [],
        subscriptions: [WebhookSubscription] = []
    ) {
        self.segments = Dictionary(grouping: segments, by: \.projectID).mapValues { SegmentIndex($0) }
        self.damagedSegments = damagedSegments
        self.subscriptions = subscriptions
        listeners = SubscriptionIndex(subscriptions)
        self.keptEvents = keptEvents
        self.unfinishedEvents = unfinishedEvents
        self.damagedWorkflows = damagedWorkflows
        self.damagedTemplates = damagedTemplates
        self.version = version
        self.projects = projects
        self.workflows = workflows
        self.templates = templates
        var triggered: [String: [Int]] = [:]
        var workflowIndex: [Identifier: Int] = [:]
        for (position, workflow) in workflows.enumerated() {
            workflowIndex[workflow.id] = position
            if case .event(let name) = workflow.trigger, workflow.isEnabled {
                triggered[name, default: []].append(position)
            }
        }
        var templateIndex: [TemplateKey: Int] = [:]
        var partialIndex: [TemplateKey: Int] = [:]
        for (position, template) in templates.enumerated() {
            guard template.current.kind != .partial else {
                partialIndex[TemplateKey(projectID: template.projectID, reference: template.slug)] = position
                continue
            }
            templateIndex[TemplateKey(projectID: template.projectID, reference: template.slug)] = position
            templateIndex[TemplateKey(projectID: template.projectID, reference: "\(template.id)")] = position
        }
        self.triggered = triggered
        self.workflowIndex = workflowIndex
        self.templateIndex = templateIndex
        self.partialIndex = partialIndex
    }

    /// The enabled workflows of a project that an event starts.
    package func workflows(triggeredBy name: String, in project: Identifier) -> [WorkflowRecord] {
        (triggered[name] ?? []).lazy.map { self.workflows[$0] }.filter { $0.projectID == project }
    }

    package func workflow(_ id: Identifier) -> WorkflowRecord? { workflowIndex[id].map { workflows[$0] } }

    /// - Throws: `UseCaseError`: `notFound`, also for a workflow of another project; `conflict` for one that cannot be read.
    func find(_ id: Identifier, in project: Identifier) throws -> WorkflowRecord {
        if let record = workflow(id), record.projectID == project { return record }
        if let damage = damagedWorkflow(id, in: project) { throw damage.refusal(of: "workflow") }
        throw UseCaseError(.notFound, "there is no workflow \(id)")
    }

    func damagedWorkflow(_ id: Identifier, in project: Identifier) -> Damage? {
        damagedWorkflows.first { $0.id == id && $0.projectID == project }
    }

    /// What `include` and `render` name.
    package func partial(_ name: String, in project: Identifier) -> TemplateRecord? {
        partialIndex[TemplateKey(projectID: project, reference: name)].map { templates[$0] }
    }

    /// What mail can be made from, by slug or id: no partial.
    package func template(_ reference: String, in project: Identifier) -> TemplateRecord? {
        templateIndex[TemplateKey(projectID: project, reference: reference)].map { templates[$0] }
    }

    /// By slug or id.
    package func segment(_ reference: String, in project: Identifier) -> SegmentRecord? {
        segments[project]?.segment(reference)
    }

    func segment(_ id: Identifier) -> SegmentRecord? {
        for index in segments.values {
            if let segment = index.segment("\(id)") { return segment }
        }
        return nil
    }

    /// Whether another segment's filter asks for it.
    func isAskedFor(_ segment: SegmentRecord) -> Bool {
        segments[segment.projectID]?.positions(asking: segment.id).isEmpty == false
    }

    /// Who is to be told of an event of that name.
    package func subscriptions(to event: String, in project: Identifier) -> [WebhookSubscription] {
        subscriptions.isEmpty ? [] : listeners.subscriptions(to: event, in: project)
    }

    package func subscription(_ id: Identifier) -> WebhookSubscription? { subscriptions.first { $0.id == id } }

    func isKept(_ event: String, in project: Identifier) -> Bool { keptEvents[project]?.contains(event) ?? false }

    /// Whether what is kept of the filter's events does not yet say all that happened.
    func isUnfinished(_ filter: Filter?, in project: Identifier) -> Bool {
        guard let filter, let names = unfinishedEvents[project] else { return false }
        return !filter.lookedBackEvents.isDisjoint(with: names)
    }

    /// Names that workflows and segments look back on and nobody keeps yet, by project.
    var missingKeptEvents: [Identifier: Set<String>] {
        var missing: [Identifier: Set<String>] = [:]
        func ask(_ names: Set<String>, in project: Identifier) {
            let names = names.subtracting(keptEvents[project] ?? [])
            if !names.isEmpty { missing[project, default: []].formUnion(names) }
        }
        for workflow in workflows { ask(workflow.lookedBackEvents, in: workflow.projectID) }
        for (project, index) in segments {
            for segment in index.segments { ask(segment.filter?.lookedBackEvents ?? [], in: project) }
        }
        return missing
    }

    /// The project's time zone.
    package func timezone(of project: Identifier) -> String { projects.first { $0.id == project }?.timezone ?? "UTC" }

    package func project(_ id: Identifier) -> Project? { projects.first { $0.id == id } }

    package func project(slug: String) -> Project? { projects.first { $0.slug == slug } }
}
