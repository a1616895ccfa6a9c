import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Workflows as wholes.
    func answerWorkflows(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let editor = WorkflowEditor(context: context, projectID: key.projectID)
        switch (endpoint, exchange.request.method) {
        case (.workflows, .post):
            let created = try await editor.create(try NewWorkflow(try await json(&exchange)))
            return Self.response(.created, json: created.json)
        case (.workflows, _): return try await list(exchange, key)
        case (.workflowFields, _):
            return Self.response(
                json: try await WorkflowFields(context: context).read(
                    project: key.projectID, eventName: try eventName(exchange)
                ).json)
        case (.bulkUpdate, _): return try await update(try BulkUpdate(try await json(&exchange)), with: editor)
        case (.duplicate, _):
            try await readNoBody(&exchange)
            return Self.response(.created, json: try await editor.duplicate(try workflowID(exchange)).json)
        case (_, .patch):
            let changes = try WorkflowChanges(try await json(&exchange))
            return Self.response(json: try await editor.change(try workflowID(exchange), changes).json)
        case (_, .delete):
            try await editor.delete(try workflowID(exchange))
            return Self.noContent
        default: return Self.response(json: try await editor.workflow(try workflowID(exchange)).json)
        }
    }

    private func list(_ exchange: Exchange, _ key: APIKey) async throws -> Response {
        let request = try PageRequest(exchange)
        let page = try await Workflows(context: context).list(
            project: key.projectID, try Workflows.Selection(exchange), limit: request.size, offset: request.offset)
        return Self.response(json: request.page(page.rows.map(\.json), total: page.total))
    }

    private func update(_ bulk: BulkUpdate, with editor: WorkflowEditor) async throws -> Response {
        if bulk.deletes {
            return Self.response(json: ["deleted": .int(Int64(try await editor.delete(bulk.ids)))])
        }
        // Deleting is all that it can do so far; the ids are looked at all the same.
        try await editor.require(bulk.ids)
        return Self.response(json: ["updated": 0])
    }

    private func eventName(_ exchange: Exchange) throws -> String? {
        guard let name = exchange.query("eventName"), !name.isEmpty else { return nil }
        guard name.utf8.count <= EventName.lengthLimit else {
            throw APIError.invalid([
                .init(field: "eventName", message: "must not be longer than \(EventName.lengthLimit) bytes")
            ])
        }
        return EventName.canonical(name)
    }

    // MARK: What routes about workflows share

    func json(_ exchange: inout Exchange) async throws -> JSON {
        try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
    }

    func readNoBody(_ exchange: inout Exchange) async throws {
        try await exchange.readNoBody(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
    }

    func workflowID(_ exchange: Exchange) throws -> Identifier { try identifier(exchange, at: 0, of: "workflow") }

    /// A text that is no id names nothing, which is what the client wants to know.
    func identifier(_ exchange: Exchange, at position: Int, of thing: String) throws -> Identifier {
        guard exchange.parameters.indices.contains(position), let id = Identifier(exchange.parameters[position]) else {
            throw APIError(.notFound, "there is no such \(thing)")
        }
        return id
    }
}

extension Workflows.Selection {
    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange) throws {
        self.init()
        var problems: [APIError.Problem] = []
        search = exchange.query("search")?.strippedOfBlanks ?? ""
        switch exchange.query("status") ?? "" {
        case "", "all": isEnabled = nil
        case "active": isEnabled = true
        case "disabled": isEnabled = false
        default: problems.append(.init(field: "status", message: "must be active, disabled or all"))
        }
        let sorting = SortRequest(exchange, usual: order)
        (order, isAscending) = (sorting.order, sorting.isAscending)
        problems += sorting.problems
        if !problems.isEmpty { throw APIError.invalid(problems) }
    }
}
