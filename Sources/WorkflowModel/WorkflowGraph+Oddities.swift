extension WorkflowGraph {
    /// What a graph may have and hardly means: steps that no execution reaches, branches on which a run just ends.
    package var oddities: [WorkflowProblem] {
        let reached = reachableSteps
        return steps.flatMap { step -> [WorkflowProblem] in
            guard reached.contains(step.key) else {
                return [.init(path: "steps.\(step.key)", message: "is reached by no execution")]
            }
            return missingBranches(of: step)
        }
    }

    /// Keys of the steps that an execution may come to.
    package var reachableSteps: Set<String> {
        var reached: Set<String> = [triggerKey]
        var open = [triggerKey]
        while let key = open.popLast() {
            for edge in transitions(from: key) where reached.insert(edge.to).inserted { open.append(edge.to) }
        }
        return reached
    }

    private func missingBranches(of step: Step) -> [WorkflowProblem] {
        if case .trigger = step.config, !hasSuccessor(step.key) {
            return [.init(path: "steps.\(step.key)", message: "leads nowhere, so an execution ends at once")]
        }
        // Without any way on, a step is the last one, which is what its author wants.
        guard hasSuccessor(step.key) else { return [] }
        return Self.branches(of: step.config).filter { successor(of: step.key, branch: $0) == nil }.map { branch in
            .init(
                path: "steps.\(step.key).next",
                message: "has nothing for \(branch): an execution that takes it ends there, no_transition:\(branch)")
        }
    }
}
