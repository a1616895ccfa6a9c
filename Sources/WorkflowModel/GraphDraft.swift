/// Steps and transitions under edit.
///
/// Between edits a draft is always a graph that `WorkflowGraph` takes: one TRIGGER, no cycles, known steps, one edge for
/// each branch, nothing out of an EXIT or into the TRIGGER, branches that the step has. Loose ends are fine: steps that
/// nothing leads to, branches that lead nowhere. An edit that would break a rule is refused and changes nothing.
package struct GraphDraft: Hashable, Sendable {
    package private(set) var graph: WorkflowGraph

    package init(_ graph: WorkflowGraph) { self.graph = graph }

    // MARK: Steps

    /// Adds a step at the end.
    /// - Parameter connecting: lead the youngest loose end to it; see `looseEnd`.
    package mutating func add(_ step: Step, connecting: Bool) throws(GraphRefusal) {
        try admit(step)
        let edges = connecting ? looseEnd.map { Self.edges(from: $0, to: step.key) } ?? [] : []
        try become(graph.steps + [step], graph.transitions + edges)
    }

    /// Puts a step into an edge: A to B becomes A to the step to B. The edge into the step keeps its branch and priority;
    /// out of it lead the branches that `automaticBranches` names.
    package mutating func insert(_ step: Step, into transition: String) throws(GraphRefusal) {
        let position = try index(of: transition)
        if case .exit = step.config {
            throw GraphRefusal(.refused, "type", "an EXIT ends the way, so it cannot be put between two steps")
        }
        try admit(step)
        var edges = graph.transitions
        let target = edges[position].to
        edges[position].to = step.key
        try become(graph.steps + [step], edges + Self.edges(from: step, to: target))
    }

    /// Replaces a step's name, options or position. Its type stays.
    package mutating func replace(_ step: Step) throws(GraphRefusal) {
        let position = try index(ofStep: step.key)
        guard graph.steps[position].config.type == step.config.type else {
            throw GraphRefusal(.refused, "type", "stays: delete the step and add another")
        }
        var steps = graph.steps
        steps[position] = step
        try become(steps, graph.transitions)
    }

    /// Takes a step away with its edges; what was before and after it is no longer connected.
    package mutating func remove(_ key: String) throws(GraphRefusal) {
        try refuseTrigger(key)
        try become(graph.steps.filter { $0.key != key }, graph.transitions.filter { $0.from != key && $0.to != key })
    }

    /// Takes a step away and leads its predecessors to its successor; without a successor their edges go too.
    ///
    /// - Parameter branch: the way to keep of a step that branches.
    package mutating func splice(_ key: String, keeping branch: String?) throws(GraphRefusal) {
        try refuseTrigger(key)
        let target = try successor(of: graph.steps[try index(ofStep: key)], keeping: branch)
        let edges = graph.transitions.compactMap { edge -> Transition? in
            if edge.from == key { return nil }
            guard edge.to == key else { return edge }
            return target.map { Transition(from: edge.from, to: $0, branch: edge.branch, priority: edge.priority) }
        }
        try become(graph.steps.filter { $0.key != key }, edges)
    }

    private func successor(of step: Step, keeping branch: String?) throws(GraphRefusal) -> String? {
        let edges = graph.transitions(from: step.key)
        if let branch {
            guard let edge = edges.first(where: { $0.branch == branch }) else {
                throw GraphRefusal(.refused, "branch", "\(step.key) has no transition for \(branch)")
            }
            return edge.to
        }
        let targets = Set(edges.map(\.to))
        if case .condition = step.config {
            throw GraphRefusal(
                .refused, "branch", "\(step.key) is a CONDITION: name the branch whose way is to be kept")
        }
        guard targets.count < 2 else {
            throw GraphRefusal(
                .refused, "branch", "\(step.key) leads to several steps: name the branch whose way is to be kept")
        }
        return targets.first
    }

    // MARK: Transitions

    package mutating func connect(_ edge: Transition) throws(GraphRefusal) {
        guard let from = graph.step(edge.from) else {
            throw GraphRefusal(.notFound, "fromStepId", "there is no step \(edge.from) in this workflow")
        }
        guard let to = graph.step(edge.to) else {
            throw GraphRefusal(.notFound, "toStepId", "there is no step \(edge.to) in this workflow")
        }
        if edge.from == edge.to { throw GraphRefusal(.refused, "toStepId", "a step cannot lead to itself") }
        if case .exit = from.config { throw GraphRefusal(.refused, "fromStepId", "nothing leads out of an EXIT") }
        if case .trigger = to.config { throw GraphRefusal(.refused, "toStepId", "nothing leads back to the TRIGGER") }
        try checkBranch(of: edge, from: from)
        if isReachable(edge.from, from: edge.to) {
            throw GraphRefusal(.refused, "toStepId", "\(edge.to) leads to \(edge.from) already: this would be a cycle")
        }
        try become(graph.steps, graph.transitions + [edge])
    }

    package mutating func disconnect(_ transition: String) throws(GraphRefusal) {
        var edges = graph.transitions
        edges.remove(at: try index(of: transition))
        try become(graph.steps, edges)
    }

    private func checkBranch(of edge: Transition, from: Step) throws(GraphRefusal) {
        let known = WorkflowGraph.branches(of: from.config)
        if let branch = edge.branch, !known.contains(branch) {
            throw GraphRefusal(
                .refused, "branch",
                known.isEmpty
                    ? "\(from.key) does not branch: leave it out"
                    : "\(from.key) has no branch \(branch); it has \(known.joined(separator: ", "))")
        }
        if case .condition = from.config, edge.branch == nil {
            throw GraphRefusal(
                .refused, "branch", "is required out of a CONDITION: one of \(known.joined(separator: ", "))")
        }
        guard let taken = graph.transitions(from: from.key).first(where: { $0.branch == edge.branch }) else { return }
        throw GraphRefusal(
            .refused, edge.branch == nil ? "fromStepId" : "branch",
            edge.branch == nil
                ? "\(from.key) leads to \(taken.to) already; only a CONDITION or a WAIT_FOR_EVENT has several ways out"
                : "\(from.key) leads to \(taken.to) for it already")
    }

    private func isReachable(_ key: String, from start: String) -> Bool {
        graph.keys(reachableFrom: start).contains(key)
    }

    // MARK: Automatic edges

    /// The step that a new one is connected to: of those without a way out the one added last. Never an EXIT.
    private var looseEnd: Step? {
        graph.steps.last { step in
            if case .exit = step.config { return false }
            return graph.transitions(from: step.key).isEmpty
        }
    }

    /// Branches of the edges that lead on from a step when nobody says which: `yes` of a CONDITION (its first branch where
    /// it has others), all of a wait.
    package static func automaticBranches(of config: StepConfig) -> [String?] {
        let known = WorkflowGraph.branches(of: config)
        switch config {
        case .condition: return [known.first]
        case .waitForEvent: return known
        default: return [nil]
        }
    }

    private static func edges(from step: Step, to target: String) -> [Transition] {
        automaticBranches(of: step.config).map { Transition(from: step.key, to: target, branch: $0) }
    }

    // MARK: Rules

    private func admit(_ step: Step) throws(GraphRefusal) {
        if case .trigger = step.config {
            throw GraphRefusal(.refused, "type", "a workflow has one TRIGGER, and this one has it")
        }
        guard graph.step(step.key) == nil else {
            throw GraphRefusal(.conflict, "id", "this workflow has a step \(step.key) already")
        }
    }

    private func refuseTrigger(_ key: String) throws(GraphRefusal) {
        guard case .trigger = graph.steps[try index(ofStep: key)].config else { return }
        throw GraphRefusal(.refused, "stepId", "the TRIGGER stays: a workflow has exactly one")
    }

    private func index(ofStep key: String) throws(GraphRefusal) -> Int {
        guard let index = graph.steps.firstIndex(where: { $0.key == key }) else {
            throw GraphRefusal(.notFound, "stepId", "there is no step \(key) in this workflow")
        }
        return index
    }

    private func index(of transition: String) throws(GraphRefusal) -> Int {
        guard let index = graph.transitions.firstIndex(where: { $0.id == transition }) else {
            throw GraphRefusal(.notFound, "transitionId", "there is no transition \(transition) in this workflow")
        }
        return index
    }

    private mutating func become(_ steps: [Step], _ transitions: [Transition]) throws(GraphRefusal) {
        do {
            graph = try WorkflowGraph(steps: steps, transitions: transitions)
        } catch {
            throw GraphRefusal(code: .refused, problems: error.problems)
        }
    }
}

/// Why an edit of a graph is refused. Paths are those of the API's bodies and parameters.
package struct GraphRefusal: Error, Hashable, Sendable {
    package enum Code: Sendable {
        /// There is no such step or transition.
        case notFound
        /// The key is taken.
        case conflict
        /// The graph would break a rule.
        case refused
    }

    package var code: Code
    /// At least one.
    package var problems: [WorkflowProblem]

    package init(code: Code, problems: [WorkflowProblem]) {
        self.code = code
        self.problems = problems
    }

    init(_ code: Code, _ path: String, _ message: String) {
        self.init(code: code, problems: [.init(path: path, message: message)])
    }
}
