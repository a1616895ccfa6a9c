import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Steps and transitions.
    func answerGraph(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let editor = WorkflowEditor(context: context, projectID: key.projectID)
        switch (endpoint, exchange.request.method) {
        case (.steps, _):
            let new = try NewStep(try await json(&exchange), connects: true)
            return Self.response(.created, json: try await editor.add(new, to: try workflowID(exchange)).json)
        case (.step, .patch):
            let changes = try StepChanges(try await json(&exchange))
            let step = try await editor.change(parameter(exchange), of: try workflowID(exchange), changes)
            return Self.response(json: step.json)
        case (.step, _):
            let splice = try splice(exchange)
            try await editor.remove(parameter(exchange), of: try workflowID(exchange), splicing: splice)
            return Self.noContent
        case (.transitions, _):
            let transition = try Transition(try await json(&exchange))
            let workflow = try workflowID(exchange)
            try await editor.connect(transition, in: workflow)
            return Self.response(.created, json: transition.json(in: workflow))
        case (.insertStep, _):
            let new = try NewStep(try await json(&exchange), connects: false)
            let step = try await editor.insert(new, into: parameter(exchange), of: try workflowID(exchange))
            return Self.response(.created, json: step.json)
        default:
            try await editor.disconnect(parameter(exchange), in: try workflowID(exchange))
            return Self.noContent
        }
    }

    /// The key of a step or the id of a transition. Clients that encode the colon of `step:branch` are right too.
    private func parameter(_ exchange: Exchange) -> String {
        (exchange.parameters.last ?? "").replacing("%3A", with: ":").replacing("%3a", with: ":")
    }

    private func splice(_ exchange: Exchange) throws -> WorkflowEditor.Splice? {
        let branch = exchange.query("branch").flatMap { $0.isEmpty ? nil : $0 }
        switch exchange.query("splice") ?? "" {
        case "true": return .init(branch: branch)
        case "", "false":
            guard branch == nil else {
                throw APIError.invalid([.init(field: "branch", message: "goes with splice=true only")])
            }
            return nil
        default: throw APIError.invalid([.init(field: "splice", message: "must be true or false")])
        }
    }
}
