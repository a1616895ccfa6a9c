import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Runs of one workflow, its numbers, and what a run would do.
    func answerExecutions(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let project = try authorize(exchange).projectID
        let workflow = try workflowID(exchange)
        let executions = Executions(context: context)
        switch (endpoint, exchange.request.method) {
        case (.executions, .post): return try await start(&exchange, workflow, project)
        case (.executions, _): return try await list(exchange, workflow, project)
        case (.cancelAll, _):
            try await readNoBody(&exchange)
            let cancelled = try await executions.cancelAll(of: workflow, project: project)
            return Self.response(json: ["cancelled": .int(Int64(cancelled))])
        case (.retry, _):
            try await readNoBody(&exchange)
            let id = try executionID(exchange)
            return try await show(
                try await executions.retry(id, of: workflow, project: project), workflow, project)
        case (.execution, .delete):
            let id = try executionID(exchange)
            return try await show(
                try await executions.cancel(id, of: workflow, project: project), workflow, project)
        case (.stats, _):
            let stats = try await Workflows(context: context).stats(of: workflow, project: project)
            return Self.response(json: stats.json)
        case (.migrate, _):
            let request = try MigrationRequest(exchange.hasUnreadBody ? try await json(&exchange) : [:])
            return Self.response(
                json: try await executions.migrate(workflow, dryRun: request.isDryRun, project: project).json)
        case (.simulate, _):
            let request = try SimulationRequest(json: try await json(&exchange))
            let report = try await Simulation(context: context).run(request, workflow: workflow, project: project)
            return Self.response(json: report.json)
        default:
            let detail = try await executions.inspect(try executionID(exchange), of: workflow, project: project)
            return Self.response(json: detail.json)
        }
    }

    private func executionID(_ exchange: Exchange) throws -> Identifier {
        try identifier(exchange, at: 1, of: "execution")
    }

    private func start(
        _ exchange: inout Exchange, _ workflow: Identifier, _ project: Identifier
    ) async throws -> Response {
        let request = try StartRequest(try await json(&exchange))
        guard let contact = Identifier(request.contact) else {
            throw APIError(.notFound, "there is no such contact")
        }
        let execution = try await Executions(context: context).start(
            workflow, contact: contact, context: request.context, project: project)
        return try await show(execution, workflow, project, status: .created)
    }

    private func show(
        _ execution: ExecutionListing, _ workflow: Identifier, _ project: Identifier,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let editor = WorkflowEditor(context: context, projectID: project)
        let record = try await editor.workflow(workflow).workflow
        return Self.response(status, json: .object(execution.fields(in: record)))
    }

    private func list(_ exchange: Exchange, _ workflow: Identifier, _ project: Identifier) async throws -> Response {
        let request = try PageRequest(exchange)
        let page = try await Executions(context: context).list(
            of: workflow, project: project, status: try status(exchange), limit: request.size, offset: request.offset)
        let rows = page.rows.map { JSON.object($0.fields(in: page.workflow)) }
        return Self.response(json: request.page(rows, total: page.total, alias: "executions"))
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

/// The body of a request to start an execution.
struct StartRequest {
    let contact: String
    let context: JSONObject

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["contactId", "context"])
        contact = body.text("contactId", limit: 100, required: true) ?? ""
        context = body.value("context")?.isNull == false ? body.object("context") ?? [:] : [:]
        try body.finish()
    }
}

/// The body of a request to move executions to the current version.
struct MigrationRequest {
    let isDryRun: Bool

    /// - Throws: `APIError` 422.
    init(_ json: JSON) throws {
        var body = try BodyReader(json, keys: ["dryRun"])
        isDryRun = body.flag("dryRun") ?? true
        try body.finish()
    }
}

extension Executions.Migration {
    fileprivate var json: JSON {
        [
            "dryRun": .bool(isDryRun), "version": .int(Int64(version)), "executions": .int(Int64(moved)),
            "current": .int(Int64(current)),
            "steps": .array(
                steps.sorted { $0.key < $1.key }.map {
                    ["stepId": .string($0.key), "executions": .int(Int64($0.value))]
                }),
            "obstacleCount": .int(Int64(obstacleCount)),
            "obstacles": .array(
                obstacles.map {
                    [
                        "executionId": .string("\($0.execution)"), "stepId": JSON($0.step),
                        "reason": .string($0.reason),
                    ]
                }),
        ]
    }
}
