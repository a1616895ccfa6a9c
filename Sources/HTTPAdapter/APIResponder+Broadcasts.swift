import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Broadcasts: written and looked at.
    func answerBroadcasts(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let broadcasts = Broadcasts(context: context, projectID: key.projectID)
        switch (endpoint, exchange.request.method) {
        case (.broadcasts, .post):
            let body = try await json(&exchange)
            let new = try NewBroadcast(body, zones: context.zones).changes
            return Self.response(.created, json: try await broadcasts.create(new).json)
        case (.broadcasts, _):
            let request = try PageRequest(exchange)
            let page = try await broadcasts.list(
                status: try Self.broadcastStatus(exchange), limit: request.size, offset: request.offset)
            return Self.response(json: request.page(page.rows.map(\.json), total: page.total))
        case (.broadcastStats, _):
            return Self.response(json: try await broadcasts.stats(of: try broadcastID(exchange)).json)
        case (.broadcastEstimate, _):
            return Self.response(json: try await broadcasts.estimate(try broadcastID(exchange)).json)
        case (_, .patch):
            let id = try broadcastID(exchange)
            let body = try await json(&exchange)
            let changes = try BroadcastChanges(body, zones: context.zones).changes
            return Self.response(json: try await broadcasts.change(id, changes).json)
        case (_, .delete):
            try await broadcasts.delete(try broadcastID(exchange))
            return Self.noContent
        default: return Self.response(json: try await broadcasts.broadcast(try broadcastID(exchange)).json)
        }
    }

    /// What is done with one.
    func answerBroadcast(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let broadcasts = Broadcasts(context: context, projectID: key.projectID)
        let id = try broadcastID(exchange)
        switch endpoint {
        case .broadcastSchedule where exchange.request.method == .delete:
            return Self.response(json: try await broadcasts.unschedule(id).json)
        case .broadcastSchedule:
            let time = try BroadcastTime(try await json(&exchange)).at
            return Self.response(json: try await broadcasts.schedule(id, at: time).json)
        case .broadcastWinner:
            let variant = try WinnerChoice(try await json(&exchange)).variant
            return Self.response(json: try await broadcasts.choose(variant, for: id).json)
        case .broadcastTest:
            let request = try BroadcastTest(try await json(&exchange)).request
            // Who reads a contact through a mail reads a contact.
            let scope = KeyScope(.contacts, .read)
            guard request.contactID == nil || key.allows(scope) else { throw APIError.forbidden(scope) }
            return Self.response(.accepted, json: try await broadcasts.sendTest(of: id, request).json)
        default: break
        }
        try await readNoBody(&exchange)
        switch endpoint {
        case .broadcastSend: return Self.response(json: try await broadcasts.send(id).json)
        case .broadcastPause: return Self.response(json: try await broadcasts.pause(id).json)
        case .broadcastResume: return Self.response(json: try await broadcasts.resume(id).json)
        case .broadcastCancel: return Self.response(json: try await broadcasts.cancel(id).json)
        default: return Self.response(.created, json: try await broadcasts.duplicate(id).json)
        }
    }

    private func broadcastID(_ exchange: Exchange) throws -> Identifier {
        try identifier(exchange, at: 0, of: "broadcast")
    }

    private static func broadcastStatus(_ exchange: Exchange) throws -> Broadcast.Status? {
        guard let text = exchange.query("status"), !text.isEmpty else { return nil }
        if let status = Broadcast.Status(rawValue: text) { return status }
        let known = Broadcast.Status.allCases.map(\.rawValue).joined(separator: ", ")
        throw APIError.invalid([.init(field: "status", message: "must be one of \(known)")])
    }
}
