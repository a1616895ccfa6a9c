import JSONValue

/// A step of a workflow. Its key is unique within the workflow and stable over edits.
package struct Step: Hashable, Sendable {
    package var key: String
    /// For people; nil shows the key.
    package var name: String?
    package var config: StepConfig
    /// What `config` was read from, as it was written: what clients and files see again.
    package var options: JSONObject
    /// Where it stands on a canvas; says nothing about what it does.
    package var position: Position?

    /// A place on a canvas, in whatever unit the canvas has.
    package struct Position: Hashable, Sendable {
        package var x: Double
        package var y: Double

        package init(x: Double, y: Double) {
            self.x = x
            self.y = y
        }
    }

    package init(
        key: String, name: String? = nil, config: StepConfig, options: JSONObject = [:], position: Position? = nil
    ) {
        self.key = key
        self.name = name
        self.config = config
        self.options = options
        self.position = position
    }

    /// Keys and names of workflows, steps and templates: lower-case letters, digits, `-` and `_`, at most 64.
    package static func isKey(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy {
                $0 &- UInt8(ascii: "a") < 26 || $0 &- UInt8(ascii: "0") < 10 || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: "_")
            }
    }
}

/// An edge of the graph. `branch` is nil for a plain "next".
package struct Transition: Hashable, Sendable {
    package var from: String
    package var to: String
    package var branch: String?
    /// Ascending order of examination.
    package var priority: Int

    package init(from: String, to: String, branch: String? = nil, priority: Int = 0) {
        self.from = from
        self.to = to
        self.branch = branch
        self.priority = priority
    }

    /// Unique in its workflow, because a branch of a step has one edge at most: `from:branch`, or `from` without a branch.
    package var id: String { branch.map { "\(from):\($0)" } ?? from }
}

/// The steps and transitions of one version of a workflow: one TRIGGER, no cycles.
package struct WorkflowGraph: Hashable, Sendable {
    package let steps: [Step]
    package let transitions: [Transition]
    package let triggerKey: String
    private let stepIndex: [String: Int]
    private let outgoing: [String: [Transition]]

    /// Steps and transitions of one workflow, at most.
    package static let stepLimit = 500

    /// - Throws: `[WorkflowProblem]` wrapped in `Invalid`, every problem at once.
    package init(steps: [Step], transitions: [Transition]) throws(Invalid) {
        var problems: [WorkflowProblem] = []
        var index: [String: Int] = [:]
        for (position, step) in steps.enumerated() {
            if index.updateValue(position, forKey: step.key) != nil {
                problems.append(.init(path: "steps.\(step.key)", message: "is there twice"))
            }
        }
        if steps.count > Self.stepLimit {
            problems.append(.init(path: "steps", message: "must not be more than \(Self.stepLimit)"))
        }
        let triggers = steps.filter { $0.config == .trigger }
        if triggers.count != 1 {
            problems.append(.init(path: "steps", message: "must have exactly one TRIGGER, not \(triggers.count)"))
        }
        let edges = Dictionary(grouping: transitions, by: \.from).mapValues { edges in
            edges.sorted { ($0.priority, $0.branch ?? "") < ($1.priority, $1.branch ?? "") }
        }
        problems += Self.problems(of: transitions, steps: steps, index: index)
        if problems.isEmpty, let cycle = Self.cycle(steps: steps, edges: edges) {
            problems.append(.init(path: "transitions", message: "form a cycle through \(cycle)"))
        }
        guard problems.isEmpty else { throw Invalid(problems: problems) }
        self.steps = steps
        self.transitions = transitions
        triggerKey = triggers[0].key
        stepIndex = index
        outgoing = edges
    }

    /// Why steps and transitions make no workflow.
    package struct Invalid: Error, Hashable, CustomStringConvertible {
        package var problems: [WorkflowProblem]

        package init(problems: [WorkflowProblem]) { self.problems = problems }

        package var description: String { problems.map(\.description).joined(separator: "\n") }
    }

    package func step(_ key: String) -> Step? { stepIndex[key].map { steps[$0] } }

    /// The step after `key` for a branch: the edge of that branch, else an untagged one; nil when neither is there.
    package func successor(of key: String, branch: String?) -> Step? {
        guard let edges = outgoing[key] else { return nil }
        let edge = branch.flatMap { branch in edges.first { $0.branch == branch } } ?? edges.first { $0.branch == nil }
        return edge.flatMap { step($0.to) }
    }

    /// The edges out of a step, in the order in which they are examined.
    package func transitions(from key: String) -> [Transition] { outgoing[key] ?? [] }

    /// Whether executions go the same ways through both and find the same in every step: names and positions do not
    /// count, nor does the spelling of options.
    package func hasSameStructure(as other: WorkflowGraph) -> Bool {
        func structure(_ graph: WorkflowGraph) -> [String: StepConfig] {
            Dictionary(uniqueKeysWithValues: graph.steps.map { ($0.key, $0.config) })
        }
        return structure(self) == structure(other) && Set(transitions) == Set(other.transitions)
    }

    package func hasSuccessor(_ key: String) -> Bool { outgoing[key]?.isEmpty == false }

    // MARK: Validation

    /// The branches a step's edges may be tagged with; empty for plain steps.
    package static func branches(of config: StepConfig) -> [String] {
        switch config {
        case .condition(let condition): condition.branchIDs
        case .waitForEvent(let wait): wait.timeout == nil ? ["event"] : ["event", "timeout"]
        default: []
        }
    }

    private static func problems(
        of transitions: [Transition], steps: [Step], index: [String: Int]
    ) -> [WorkflowProblem] {
        var problems: [WorkflowProblem] = []
        var seen: Set<[String]> = []
        for edge in transitions {
            let path = "transitions.\(edge.from)->\(edge.to)"
            func report(_ message: String) { problems.append(.init(path: path, message: message)) }
            guard let from = index[edge.from].map({ steps[$0] }) else {
                report("there is no step \(edge.from)")
                continue
            }
            guard let to = index[edge.to].map({ steps[$0] }) else {
                report("there is no step \(edge.to)")
                continue
            }
            if edge.from == edge.to { report("leads a step to itself") }
            if case .trigger = to.config { report("leads back to the trigger") }
            if case .exit = from.config { report("leads out of an EXIT") }
            let branches = Self.branches(of: from.config)
            if let branch = edge.branch, !branches.contains(branch) {
                report(
                    branches.isEmpty
                        ? "has the branch \(branch), but \(edge.from) does not branch"
                        : "has the branch \(branch); possible are \(branches.joined(separator: ", "))")
            }
            if case .condition = from.config, edge.branch == nil {
                report("leaves a CONDITION and needs a branch: \(branches.joined(separator: " or "))")
            }
            if !seen.insert([edge.from, edge.branch ?? ""]).inserted {
                report("is the second way out of \(edge.from)" + (edge.branch.map { " for \($0)" } ?? ""))
            }
        }
        return problems
    }

    /// A step on a cycle, found by removing steps without incoming edges until none is left; nil without a cycle.
    private static func cycle(steps: [Step], edges: [String: [Transition]]) -> String? {
        var incoming: [String: Int] = [:]
        for edge in edges.values.joined() { incoming[edge.to, default: 0] += 1 }
        var free = steps.map(\.key).filter { incoming[$0, default: 0] == 0 }
        var removed = 0
        while let key = free.popLast() {
            removed += 1
            for edge in edges[key] ?? [] {
                incoming[edge.to, default: 0] -= 1
                if incoming[edge.to] == 0 { free.append(edge.to) }
            }
        }
        return removed == steps.count ? nil : steps.map(\.key).first { incoming[$0, default: 0] > 0 }
    }
}
