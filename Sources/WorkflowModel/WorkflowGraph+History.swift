extension WorkflowGraph {
    /// Canonical names of the events that some step looks back on.
    package var lookedBackEvents: Set<String> {
        steps.reduce(into: []) { names, step in
            switch step.config {
            case .waitForEvent(let wait):
                if wait.looksBack { names.formUnion(wait.eventNames) }
                names.formUnion(wait.filter?.lookedBackEvents ?? [])
            case .condition(.single(let condition)):
                if let name = condition.lookedBackEvent { names.insert(name) }
            case .condition(.filter(let filter)): names.formUnion(filter.lookedBackEvents)
            case .condition(.multi(_, let branches, _)):
                names.formUnion(branches.compactMap(\.condition.lookedBackEvent))
            default: break
            }
        }
    }
}
