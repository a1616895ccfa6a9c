import JSONValue
import WorkflowModel

/// Steps and transitions as JSON: the form in which files have them and in which a version is stored. Read by
/// `WorkflowDocument.graph(fromDefinition:)`.
package enum WorkflowDefinition {
    /// In `next`, the name of the edge without a branch where there are others.
    static let untagged = "*"

    /// `{steps: {KEY: {type, name?, config?, position?, next?}}}`, in the order of the graph's steps.
    package static func json(of graph: WorkflowGraph) -> JSON {
        let steps = graph.steps.map { step -> (String, JSON) in
            var fields: JSONObject = ["type": .string(step.config.type.rawValue)]
            if let name = step.name { fields["name"] = .string(name) }
            if !step.options.isEmpty { fields["config"] = .object(step.options) }
            if let position = step.position {
                fields["position"] = ["x": .double(position.x), "y": .double(position.y)]
            }
            fields["next"] = next(graph.transitions(from: step.key))
            return (step.key, .object(fields))
        }
        return ["steps": .object(JSONObject(steps))]
    }

    private static func next(_ edges: [Transition]) -> JSON? {
        guard let first = edges.first else { return nil }
        if edges.count == 1, first.branch == nil { return target(first) }
        return .object(JSONObject(edges.map { ($0.branch ?? untagged, target($0)) }))
    }

    private static func target(_ edge: Transition) -> JSON {
        if edge.priority == 0 { return .string(edge.to) }
        return ["step": .string(edge.to), "priority": .int(Int64(edge.priority))]
    }
}
