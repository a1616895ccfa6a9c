import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Segments and their members. Wherever a path has a segment's id, its slug will do.
    func answerSegments(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let segments = Segments(context: context, projectID: key.projectID)
        let reference = exchange.parameters.first ?? ""
        switch (endpoint, exchange.request.method) {
        case (.segments, .post):
            let announces = try isAnnounced(exchange, default: false)
            let new = try Segments.New(try await json(&exchange))
            return Self.response(.created, json: try await segments.create(new, announces: announces).json)
        case (.segments, _):
            let request = try PageRequest(exchange)
            let page = try await segments.list(
                search: exchange.query("search")?.strippedOfBlanks ?? "", limit: request.size, offset: request.offset)
            return Self.response(json: request.page(page.rows.map(\.json), total: page.total))
        case (.segmentPreview, _):
            let request = try SegmentPreview(try await json(&exchange))
            let preview = try await segments.preview(request.filter, path: request.path, limit: request.limit)
            return Self.response(
                json: ["count": .int(Int64(preview.count)), "data": .array(preview.contacts.map(\.json))])
        case (.segmentContacts, _):
            let request = try PageRequest(exchange)
            let page = try await segments.members(of: reference, limit: request.size, offset: request.offset)
            return Self.response(json: request.page(page.rows.map(\.json), total: page.total))
        case (.segmentCompute, _):
            try await readNoBody(&exchange)
            let announces = try isAnnounced(exchange, default: false)
            return Self.response(.accepted, json: try await segments.compute(reference, announces: announces).json)
        case (.segmentRefresh, _):
            try await readNoBody(&exchange)
            return Self.response(json: try await segments.refresh(reference).json)
        case (.segmentMembers, _): return try await changeMembers(&exchange, segments)
        case (_, .patch):
            let announces = try isAnnounced(exchange, default: false)
            let changes = try Segments.Changes(try await json(&exchange))
            return Self.response(json: try await segments.change(reference, changes, announces: announces).json)
        case (_, .delete):
            try await segments.delete(reference)
            return Self.noContent
        default: return Self.response(json: try await segments.segment(reference).json)
        }
    }

    private func changeMembers(_ exchange: inout Exchange, _ segments: Segments) async throws -> Response {
        let reference = exchange.parameters.first ?? ""
        let announces = try isAnnounced(exchange, default: true)
        if exchange.request.method == .delete {
            let emails = try SegmentRemoval(try await json(&exchange)).emails
            return Self.response(json: try await segments.remove(emails, from: reference, announces: announces).json)
        }
        let admission = try Segments.Admission(try await json(&exchange))
        return Self.response(json: try await segments.add(admission, to: reference, announces: announces).json)
    }

    /// Whether entries and exits that the request causes are events.
    private func isAnnounced(_ exchange: Exchange, default fallback: Bool) throws -> Bool {
        switch exchange.query("events") ?? "" {
        case "": return fallback
        case "true": return true
        case "false": return false
        default: throw APIError.invalid([.init(field: "events", message: "must be true or false")])
        }
    }
}
