extension WorkflowGraph {
    /// Whatever a graph may have and its author hardly means: it runs, and this says where a run would end early or never
    /// come.
    package var warnings: [WorkflowProblem] {
        let reachable = keys(reachableFrom: triggerKey)
        return steps.flatMap { step -> [WorkflowProblem] in
            let path = "steps.\(step.key)"
            guard reachable.contains(step.key) else {
                return [.init(path: path, message: "nothing leads to it from the trigger")]
            }
            if case .trigger = step.config, !hasSuccessor(step.key) {
                return [.init(path: path, message: "leads nowhere: every execution completes at once")]
            }
            return branchesWithoutEdge(of: step).map {
                .init(path: path, message: "has no transition for \($0): an execution that takes it completes there")
            }
        }
    }

    private func branchesWithoutEdge(of step: Step) -> [String] {
        let edges = transitions(from: step.key)
        // A wait may well be the last step; a condition that leads nowhere decides nothing.
        if case .waitForEvent = step.config, edges.isEmpty { return [] }
        if edges.contains(where: { $0.branch == nil }) { return [] }
        return Self.branches(of: step.config).filter { branch in !edges.contains { $0.branch == branch } }
    }

    /// The step and all that can come after it.
    package func keys(reachableFrom start: String) -> Set<String> {
        var reached: Set<String> = [start]
        var open = [start]
        while let key = open.popLast() {
            for edge in transitions(from: key) where reached.insert(edge.to).inserted { open.append(edge.to) }
        }
        return reached
    }
}
