import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Mail templates and partials.
    func answerTemplates(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let templates = Templates(context: context, projectID: key.projectID)
        switch (endpoint, exchange.request.method) {
        case (.templates, .post):
            let created = try await templates.create(try NewTemplate(try await json(&exchange)))
            return Self.response(.created, json: created.json)
        case (.templates, _): return try await list(exchange, of: templates)
        case (.templateBulkDelete, _):
            let ids = try TemplateIDs(try await json(&exchange)).ids
            return Self.response(json: ["deleted": .int(Int64(try await templates.delete(ids)))])
        case (.templatePreviewUnsaved, _):
            let request = try UnsavedPreview(try await json(&exchange))
            try Self.checkContact(request.preview, key)
            let preview = try await templates.preview(request.content, kind: request.kind, request.preview)
            return Self.response(json: preview.json)
        case (_, .patch):
            let changes = try TemplateChanges(try await json(&exchange))
            return Self.response(json: try await templates.change(try templateID(exchange), changes).json)
        case (_, .delete):
            try await templates.delete([try templateID(exchange)])
            return Self.noContent
        default: return Self.response(json: .object(try await templates.template(try templateID(exchange)).fields))
        }
    }

    /// Below one template.
    func answerTemplate(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let templates = Templates(context: context, projectID: key.projectID)
        let id = try templateID(exchange)
        switch endpoint {
        case .templateDuplicate:
            try await readNoBody(&exchange)
            return Self.response(.created, json: try await templates.duplicate(id).json)
        case .templateUsage: return Self.response(json: try await templates.usage(of: id).json)
        case .templateVersions:
            let request = try PageRequest(exchange)
            let (template, rows, total) = try await templates.versions(
                of: id, limit: request.size, offset: request.offset)
            return Self.response(json: request.page(rows.map { $0.listing(in: template) }, total: total))
        case .templateVersion:
            let (template, version) = try await templates.version(try versionNumber(exchange), of: id)
            return Self.response(json: version.json(in: template))
        case .templateRestore:
            try await readNoBody(&exchange)
            return Self.response(json: try await templates.restore(try versionNumber(exchange), of: id).json)
        case .templatePreview:
            let request = try PreviewRequest(try await json(&exchange))
            try Self.checkContact(request, key)
            return Self.response(json: try await templates.preview(id, request).json)
        default:
            let request = try TestRequest(try await json(&exchange))
            try Self.checkContact(request.preview, key)
            return Self.response(
                .accepted, json: try await templates.sendTest(id, to: request.recipient, request.preview).json)
        }
    }

    private func list(_ exchange: Exchange, of templates: Templates) async throws -> Response {
        let request = try PageRequest(exchange)
        let (rows, total) = try await templates.list(
            try Templates.Selection(exchange), limit: request.size, offset: request.offset)
        return Self.response(json: request.page(rows.map(\.listing), total: total))
    }

    /// Who reads a contact through a template reads a contact.
    private static func checkContact(_ request: PreviewRequest, _ key: APIKey) throws {
        let scope = KeyScope(.contacts, .read)
        guard request.contactID == nil && request.email == nil || key.allows(scope) else {
            throw APIError.forbidden(scope)
        }
    }

    private func templateID(_ exchange: Exchange) throws -> Identifier {
        try identifier(exchange, at: 0, of: "template")
    }

    private func versionNumber(_ exchange: Exchange) throws -> Int {
        guard exchange.parameters.indices.contains(1), let number = Int(exchange.parameters[1]), number > 0 else {
            throw APIError(.notFound, "there is no such version")
        }
        return number
    }
}

extension Templates.Selection {
    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange) throws {
        self.init()
        var problems: [APIError.Problem] = []
        search = exchange.query("search")?.strippedOfBlanks ?? ""
        if let text = exchange.query("type"), !text.isEmpty {
            kind = TemplateSummary.Kind(rawValue: text)
            if kind == nil { problems.append(.init(field: "type", message: TemplateSummary.Kind.rule)) }
        }
        let sorting = SortRequest(exchange, usual: order)
        (order, isAscending) = (sorting.order, sorting.isAscending)
        problems += sorting.problems
        if !problems.isEmpty { throw APIError.invalid(problems) }
    }
}
