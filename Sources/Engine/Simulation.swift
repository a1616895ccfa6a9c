import JSONValue
import WorkflowModel

/// Says what a workflow would do: the machine of production on a time of its own. What it needs is read from one snapshot;
/// nothing is written, nothing is sent.
package struct Simulation: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// Simulates the version of a stored workflow that new executions take.
    /// - Throws: `UseCaseError`: `notFound` for workflow or contact, also of another project; `invalid`.
    package func run(
        _ request: SimulationRequest, workflow: Identifier, project: Identifier
    ) async throws -> SimulationReport {
        let snapshot = try await context.store.read { reader in
            let record = try reader.loadCatalog().find(workflow, in: project)
            return try SimulationSnapshot(
                record, document: nil, request: request, project: project, context: context, reader: reader)
        }
        return try simulate(request, snapshot)
    }

    /// Simulates a document as if it had been applied, its templates included.
    /// - Throws: `UseCaseError`: `notFound` for project or contact; `invalid`, also when a template has an error.
    package func run(_ request: SimulationRequest, document: WorkflowDocument) async throws -> SimulationReport {
        let snapshot = try await context.store.read { reader in
            guard let project = try reader.loadCatalog().project(slug: document.project) else {
                throw UseCaseError(.notFound, "there is no project \(document.project)")
            }
            let now = Timestamp(seconds: 0)
            let record = WorkflowRecord(
                id: SimulatedIdentifiers.workflow, projectID: project.id, slug: document.slug, name: document.name,
                isEnabled: document.isEnabled, allowsReentry: document.allowsReentry,
                reentryKey: document.reentryKey, trigger: document.trigger,
                versionID: SimulatedIdentifiers.workflow, versionNumber: 0, graph: document.graph,
                timers: document.timers, createdAt: now, updatedAt: now)
            return try SimulationSnapshot(
                record, document: document, request: request, project: project.id, context: context,
                reader: reader)
        }
        return try simulate(request, snapshot)
    }

    private func simulate(_ request: SimulationRequest, _ snapshot: SimulationSnapshot) throws -> SimulationReport {
        let start = request.startAt ?? context.clock.now()
        let horizon = request.horizon.time(from: start)
        guard horizon >= start, horizon <= start.adding(seconds: SimulationRequest.longestHorizon * 86_400) else {
            throw UseCaseError(
                .invalid, "the simulation cannot be done as asked",
                problems: [
                    .init(
                        path: "horizon",
                        message: "must be after the start, by at most \(SimulationRequest.longestHorizon) days")
                ])
        }
        for step in request.answers.keys.sorted() where snapshot.workflow.graph.step(step) == nil {
            throw UseCaseError(
                .invalid, "the simulation cannot be done as asked",
                problems: [.init(path: "webhooks.\(step)", message: "there is no such step")])
        }
        let environment = try SimulatedEnvironment(snapshot, context: context)
        var run = SimulatedRun(request, snapshot: snapshot, environment: environment, start: start, horizon: horizon)
        run.run()
        return run.report
    }
}

/// Ids of what exists only in a simulation: the same in every run, and of no version that a stored row can have.
enum SimulatedIdentifiers {
    static let workflow = Identifier(high: 0, low: 1)
    static let contact = Identifier(high: 0, low: 2)
    static let execution = Identifier(high: 0, low: 3)

    static func made(_ number: UInt64) -> Identifier { Identifier(high: 0, low: 0x1_0000 + number) }
}

/// What a simulation reads, all of it at one moment.
struct SimulationSnapshot: Sendable {
    var workflow: WorkflowRecord
    var catalog: Catalog
    /// Templates of the document, in front of those of the project.
    var templates: [WorkflowDocument.Template]
    var contact: Contact
    var isStoredContact: Bool
    /// Whether re-entry would refuse the contact.
    var isRefused: Bool
    /// What re-entry goes by, for the run that is simulated.
    var entry: WorkflowRecord.Entry
    /// When the contact last had the events that the workflow looks back on, of those that are kept.
    var occurrences: [String: Timestamp] = [:]
    /// The segments that the contact is in at the start, with the values that it has in the simulation.
    var memberships: Set<Identifier> = []
    /// What stands against mail to the contact.
    var suppressions: [Suppression]

    init(
        _ workflow: WorkflowRecord, document: WorkflowDocument?, request: SimulationRequest, project: Identifier,
        context: EngineContext, reader: any StoreReader
    ) throws {
        let now = context.clock.now()
        self.workflow = workflow
        catalog = try reader.loadCatalog()
        templates = document?.templates ?? []
        let stored: Contact?
        if let id = request.contact.id {
            stored = try reader.contact(id, in: project)
            guard stored != nil else { throw UseCaseError(.notFound, "there is no contact \(id)") }
        } else {
            stored = try request.contact.email.flatMap {
                try reader.contact(email: AddressText.normal($0), in: project)
            }
        }
        isStoredContact = stored != nil
        contact =
            stored
            ?? Contact(
                id: SimulatedIdentifiers.contact, email: request.contact.email.map(AddressText.normal) ?? "",
                isSubscribed: true,
                data: [:], createdAt: request.startAt ?? Timestamp(seconds: 0),
                updatedAt: request.startAt ?? Timestamp(seconds: 0))
        if let email = request.contact.email.map(AddressText.normal) { contact.email = email }
        if let isSubscribed = request.contact.isSubscribed { contact.isSubscribed = isSubscribed }
        if let data = request.contact.data { contact.data = data.unwrappingTransientValues() }
        suppressions =
            try reader.suppressions(of: contact.email, in: project)
            + reader.keptSuppressions(of: contact.email, in: project, context)
        if let stored {
            for name in workflow.lookedBackEvents {
                occurrences[name] = try reader.lastOccurrence(of: name, contact: stored.id)
            }
        }
        entry = Self.entry(into: workflow, request)
        let value = entry.value
        isRefused =
            try stored.map {
                try reader.hasExecution(
                    of: workflow.id, contact: $0.id, value: value, onlyActive: workflow.allowsReentry)
            } ?? false
        try findMemberships(of: stored, at: request.startAt ?? now, reader)
    }

    private static func entry(into workflow: WorkflowRecord, _ request: SimulationRequest) -> WorkflowRecord.Entry {
        let data: JSONObject
        switch workflow.trigger {
        case .event: data = request.triggerData.unwrappingTransientValues()
        case .manual: data = request.context
        // The tick is the start of the simulation.
        case .schedule:
            let tick: JSONObject = ["schedule": ["at": "the start"]]
            data = tick.merging(request.context)
        }
        return workflow.entry(trigger: nil, context: data)
    }

    private mutating func findMemberships(of stored: Contact?, at now: Timestamp, _ reader: any StoreReader) throws {
        guard let index = catalog.segments[workflow.projectID] else { return }
        let known = try stored.map { try reader.memberships(of: $0.id) } ?? []
        var last: [String: Timestamp] = [:]
        if let stored {
            for name in Set(index.segments.flatMap { $0.filter?.lookedBackEvents ?? [] }) {
                last[name] = try reader.lastOccurrence(of: name, contact: stored.id)
            }
        }
        for segment in index.segments {
            guard let filter = segment.filter else {
                if known.contains(segment.id) { memberships.insert(segment.id) }
                continue
            }
            let (occurrences, members) = (last, memberships)
            let scope = ContactScope(
                contact, now: now, lastOccurrence: { occurrences[$0] },
                isMember: { name in index.segment(name).map { members.contains($0.id) } ?? false })
            if filter.isSatisfied(in: scope) { memberships.insert(segment.id) }
        }
    }
}
