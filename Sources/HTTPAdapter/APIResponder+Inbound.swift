import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Mail that became no event, the newest first.
    func inboundOutcomes(_ exchange: Exchange) async throws -> Response {
        let project = try authorize(exchange).projectID
        let request = try CursorRequest<Identifier>(exchange, usual: 50, most: 100)
        let (position, limit) = (request.position, request.limit)
        let rows = try await context.store.read {
            try $0.inboundOutcomes(in: project, before: position, limit: limit + 1)
        }
        let page = rows.prefix(request.limit)
        let next = rows.count > request.limit ? page.last?.id : nil
        return Self.response(json: request.page(page.map(\.json), next: next))
    }
}

extension InboundOutcome {
    var json: JSON {
        [
            "id": .string("\(id)"), "at": .string("\(at)"), "kind": .string(kind.rawValue),
            "recipient": .string(recipient), "sender": .string(sender), "queueId": .string(queueID),
            "detail": .object(detail),
        ]
    }
}
