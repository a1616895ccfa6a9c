import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Who changed what, the newest first.
    func audit(_ exchange: Exchange) async throws -> Response {
        let key = try authorize(exchange)
        var problems: [APIError.Problem] = []
        var selection = AuditSelection(projectID: key.projectID, limit: Self.auditPage)
        if let text = exchange.query("limit"), !text.isEmpty {
            if let limit = Int(text), limit >= 1 {
                selection.limit = min(limit, Self.auditPageLimit)
            } else {
                problems.append(.init(field: "limit", message: "must be a whole number from 1"))
            }
        }
        if let text = exchange.query("cursor"), !text.isEmpty {
            selection.cursor = Identifier(text)
            if selection.cursor == nil {
                problems.append(.init(field: "cursor", message: "must be what the page before it gave as cursor"))
            }
        }
        if let action = exchange.query("action"), !action.isEmpty { selection.action = action }
        if let target = exchange.query("target"), !target.isEmpty { selection.target = target }
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        let page = try await AuditLog(context: context).page(selection)
        return Self.response(json: [
            "data": .array(page.records.map(\.json)),
            "cursor": page.hasMore ? page.records.last.map { .string("\($0.id)") } ?? .null : .null,
            "hasMore": .bool(page.hasMore),
        ])
    }

    private static let auditPage = 50
    private static let auditPageLimit = 100
}
