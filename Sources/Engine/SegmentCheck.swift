import WorkflowModel

/// Whether the segments that filters and options name are there.
struct SegmentCheck {
    private let catalog: Catalog
    private let projectID: Identifier
    private let own: SegmentRecord?

    /// - Parameter own: one that is about to be stored.
    init(_ catalog: Catalog, _ projectID: Identifier, beside own: SegmentRecord? = nil) {
        self.catalog = catalog
        self.projectID = projectID
        self.own = own
    }

    func isKnown(_ reference: String) -> Bool {
        if let own, reference == own.slug || reference == "\(own.id)" { return true }
        return catalog.segment(reference, in: projectID) != nil
    }

    private func problem(_ reference: String, path: String) -> WorkflowProblem? {
        isKnown(reference) ? nil : .init(path: path, message: "there is no segment \(reference) in this project")
    }

    /// - Throws: `UseCaseError.invalid` with every segment that is not there.
    func refuseUnlessKnown(_ filter: Filter, path: String) throws {
        let problems = problems(of: filter, path: path)
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the filter is invalid", problems: problems) }
    }

    func problems(of filter: Filter, path: String) -> [WorkflowProblem] {
        filter.placedConditions(at: path).compactMap { placed in
            placed.condition.segment.flatMap { problem($0, path: "\(placed.path).field") }
        }
    }

    func problems(of config: StepConfig, path: String) -> [WorkflowProblem] {
        config.segmentReferences(at: path).compactMap { problem($0.reference, path: $0.path) }
    }

    func problems(of trigger: WorkflowRecord.Trigger, path: String) -> [WorkflowProblem] {
        guard case .schedule(let schedule) = trigger else { return [] }
        switch schedule.audience {
        case .all: return []
        case .segment(let reference): return problem(reference, path: "\(path).segmentId").map { [$0] } ?? []
        case .filter(let filter): return problems(of: filter, path: "\(path).filter")
        }
    }
}

/// What asks for a segment, in words that name it.
struct SegmentUses {
    /// Whatever asks for it, by id or slug.
    private(set) var all: [String] = []
    /// What names its slug, events included.
    private(set) var bySlug: [String] = []

    init(of segment: SegmentRecord, in catalog: Catalog) {
        let slug: Set<String> = [segment.slug]
        let names: Set<String> = [segment.slug, "\(segment.id)"]
        let events: Set<String> = [segment.entryEvent, segment.exitEvent]
        for other in catalog.segments[segment.projectID]?.segments ?? [] where other.id != segment.id {
            guard let filter = other.filter else { continue }
            note(
                "the segment \(other.slug)", asks: !filter.segments.isDisjoint(with: names),
                names: !filter.segments.isDisjoint(with: slug) || !filter.lookedBackEvents.isDisjoint(with: events))
        }
        for workflow in catalog.workflows where workflow.projectID == segment.projectID {
            let references = workflow.segmentReferences
            note(
                "the workflow \(workflow.slug)", asks: !references.isDisjoint(with: names),
                names: !references.isDisjoint(with: slug) || events.contains { workflow.uses(event: $0) })
        }
    }

    private mutating func note(_ user: String, asks: Bool, names: Bool) {
        if asks { all.append(user) }
        if names { bySlug.append(user) }
    }
}

extension StepConfig {
    struct SegmentReference {
        var path: String
        /// Id or slug.
        var reference: String
    }

    /// The segments that a step asks for, and where its options name them.
    func segmentReferences(at path: String) -> [SegmentReference] {
        func placed(_ filter: Filter, _ key: String) -> [SegmentReference] {
            filter.placedConditions(at: "\(path).\(key)").compactMap { placed in
                placed.condition.segment.map { SegmentReference(path: "\(placed.path).field", reference: $0) }
            }
        }
        switch self {
        case .condition(.single(let condition)):
            return condition.segment.map { [SegmentReference(path: "\(path).field", reference: $0)] } ?? []
        case .condition(.filter(let filter)): return placed(filter, "filter")
        case .condition(.multi(_, let branches, _)):
            return branches.compactMap { $0.condition.segment }.map {
                SegmentReference(path: "\(path).field", reference: $0)
            }
        case .waitForEvent(let wait): return wait.filter.map { placed($0, "filter") } ?? []
        default: return []
        }
    }
}

extension WorkflowRecord {
    /// Ids and slugs of the segments that its steps and its schedule ask for.
    var segmentReferences: Set<String> {
        var references = Set(graph.steps.flatMap { $0.config.segmentReferences(at: "") }.map(\.reference))
        if case .schedule(let schedule) = trigger {
            switch schedule.audience {
            case .all: break
            case .segment(let reference): references.insert(reference)
            case .filter(let filter): references.formUnion(filter.segments)
            }
        }
        return references
    }
}
