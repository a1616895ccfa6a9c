import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// The project's mail that waits: how much, what is paused, and how the relays are.
    func answerOutbox(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let key = try authorize(exchange)
        let control = OutboxControl(context: context)
        if endpoint != .outbox {
            let isPause = endpoint == .outboxPause
            let body = try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
            let request = try OutboxPauseRequest(body, takesNote: isPause)
            if isPause {
                try await control.pause(request.object, in: key.projectID, note: request.note)
            } else if request.isForReplies {
                try await control.resumeReplies(for: key.projectID)
            } else {
                try await control.resume(request.object, in: key.projectID)
            }
        }
        let status = try await control.status(in: key.projectID)
        return Self.response(json: [
            "queues": .array(status.queues.map(\.json)), "pauses": .array(status.pauses.map(\.json)),
            "relays": .array(status.relays.map(\.json)), "replyStop": status.replyStop?.json ?? .null,
        ])
    }
}

/// What is paused or goes on: all mail of the project, or a part of it.
struct OutboxPauseRequest {
    static let noteLimit = 1000

    let object: OutboxPause.Object
    let note: String?
    /// A stop of automatic replies is meant, and no pause.
    let isForReplies: Bool

    /// - Throws: `APIError` 422.
    init(_ json: JSON, takesNote: Bool) throws {
        var body = try BodyReader(json, keys: ["relay", "domain", takesNote ? "note" : "replies"])
        let relay = body.text("relay", limit: 32)
        let domain = body.text("domain", limit: 253)
        note = takesNote ? body.note("note", limit: Self.noteLimit) ?? nil : nil
        isForReplies = takesNote ? false : body.flag("replies") ?? false
        if isForReplies, relay != nil || domain != nil {
            body.report("replies", "cannot be given beside relay or domain")
        }
        if relay != nil, domain != nil { body.report("domain", "cannot be given beside relay") }
        try body.finish()
        if let relay {
            object = .relay(relay)
        } else if let domain {
            object = .domain(domain)
        } else {
            object = .everything
        }
    }
}

extension OutboxControl.QueueStatus {
    fileprivate var json: JSON {
        [
            "kind": .string(queue.isBulk ? "bulk" : "direct"), "pending": .int(Int64(pending)),
            "isCounted": .bool(pending < OutboxControl.countLimit),
            "firstDueAt": firstDueAt.map { .string("\($0)") } ?? .null,
        ]
    }
}

extension OutboxPause {
    fileprivate var json: JSON {
        [
            "kind": .string(object.kind.rawValue), "name": object.name.isEmpty ? .null : .string(object.name),
            "scope": .string(projectID == nil ? "installation" : "project"), "pausedAt": .string("\(pausedAt)"),
            "note": note.map { .string($0) } ?? .null,
        ]
    }
}

extension RelayHealth {
    fileprivate var json: JSON {
        [
            "name": .string(name), "state": .string(state.rawValue), "connections": .int(Int64(connections)),
            "running": .int(Int64(running)), "delivered": .int(Int64(delivered)), "failures": .int(Int64(failures)),
            "retryAt": retryAt.map { .string("\($0)") } ?? .null,
        ]
    }
}

extension ReplyStop {
    fileprivate var json: JSON { ["stoppedAt": .string("\(openedAt)"), "until": .string("\(until)")] }
}
