import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    func workflows(_ exchange: Exchange) async throws -> Response {
        let key = try await authorize(exchange)
        let request = try PageRequest(exchange)
        let all = try await Workflows(context: context).list(project: key.projectID)
        let rows = all.dropFirst(request.offset).prefix(request.size).map(\.json)
        return Self.response(json: request.page(rows, total: all.count))
    }

    func executions(_ exchange: Exchange) async throws -> Response {
        let key = try await authorize(exchange)
        let request = try PageRequest(exchange)
        let status = try status(exchange)
        let page = try await Workflows(context: context).executions(
            of: try identifier(exchange, at: 0, of: "workflow"), project: key.projectID, status: status,
            limit: request.size, offset: request.offset)
        let rows = page.rows.map { JSON.object($0.fields(in: page.workflow)) }
        return Self.response(json: request.page(rows, total: page.total, alias: "executions"))
    }

    func execution(_ exchange: Exchange) async throws -> Response {
        let key = try await authorize(exchange)
        let detail = try await Workflows(context: context).execution(
            try identifier(exchange, at: 1, of: "execution"), of: try identifier(exchange, at: 0, of: "workflow"),
            project: key.projectID)
        return Self.response(json: detail.json)
    }

    /// A text that is no id names nothing, which is what the client wants to know.
    private func identifier(_ exchange: Exchange, at position: Int, of thing: String) throws -> Identifier {
        guard exchange.parameters.indices.contains(position), let id = Identifier(exchange.parameters[position]) else {
            throw APIError(.notFound, "there is no such \(thing)")
        }
        return id
    }

    private func status(_ exchange: Exchange) throws -> Execution.Status? {
        guard let text = exchange.query("status"), !text.isEmpty else { return nil }
        guard let status = Execution.Status(rawValue: text.uppercased()) else {
            let names = Execution.Status.allCases.map(\.rawValue).joined(separator: ", ")
            throw APIError.invalid([.init(field: "status", message: "must be one of \(names)")])
        }
        return status
    }
}
