import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Runs of one workflow.
    func answerExecutions(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try await authorize(exchange)
        switch (endpoint, exchange.request.method) {
        case (.executions, .get), (.executions, .head): return try await listExecutions(exchange, key)
        case (.execution, .get), (.execution, .head): return try await execution(exchange, key)
        default: throw APIError(.notFound, "not yet")
        }
    }

    private func listExecutions(_ exchange: Exchange, _ key: APIKey) async throws -> Response {
        let request = try PageRequest(exchange)
        let page = try await Workflows(context: context).executions(
            of: try workflowID(exchange), project: key.projectID, status: try status(exchange), limit: request.size,
            offset: request.offset)
        let rows = page.rows.map { JSON.object($0.fields(in: page.workflow)) }
        return Self.response(json: request.page(rows, total: page.total, alias: "executions"))
    }

    private func execution(_ exchange: Exchange, _ key: APIKey) async throws -> Response {
        let detail = try await Workflows(context: context).execution(
            try identifier(exchange, at: 1, of: "execution"), of: try workflowID(exchange), project: key.projectID)
        return Self.response(json: detail.json)
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
