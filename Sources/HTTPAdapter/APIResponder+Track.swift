import Engine
import Hummingbird
import JSONValue
import NIOCore
import WorkflowModel

extension APIResponder {
    /// Records an event. The answer comes after the commit, so 200 means that the event and all it brought about are
    /// durable.
    func track(_ exchange: inout Exchange) async throws -> Response {
        let key = try authorize(exchange, publicKeyWillDo: true)
        let body = try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
        let fields = try TrackFields(body, dataLimit: context.configuration.eventDataLimit)
        context.willAnswer { (tracked: Events.Tracked) in tracked.answer }
        let tracked = try await Events(context: context).track(
            Events.TrackRequest(
                projectID: key.projectID, event: fields.event, email: fields.email, subscribed: fields.subscribed,
                data: fields.data))
        return Self.response(content: tracked.content)
    }

    /// Records many events. Each is valid or not on its own, and is answered in its place; the answer comes when all that
    /// are valid are durable.
    func trackBatch(_ exchange: inout Exchange) async throws -> Response {
        let key = try authorize(exchange, publicKeyWillDo: true)
        let body = try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
        let items = try Self.batch(body)
        exchange.standing = countMore(items.count - 1, key, at: .trackBatch, .post) ?? exchange.standing
        let read = items.enumerated().map { position, item in
            Result {
                try TrackFields(
                    item, dataLimit: context.configuration.eventDataLimit, path: "events[\(position)]")
            }
        }
        let batch = read.enumerated().compactMap { position, item in
            (try? item.get()).map { fields in
                Events.BatchItem(
                    position: position,
                    request: Events.TrackRequest(
                        projectID: key.projectID, event: fields.event, email: fields.email,
                        subscribed: fields.subscribed, data: fields.data))
            }
        }
        var recorded = try await Events(context: context).track(batch)[...]
        var results: [JSON] = []
        for (position, item) in read.enumerated() {
            let outcome = item.flatMap { _ in recorded.popFirst() ?? .failure(APIError.unexpected) }
            results.append(result(outcome, at: position, exchange))
        }
        let failed = results.count { $0["success"] == .bool(false) }
        exchange.deservesRepetition = results.contains { ($0["error"]?["statusCode"]?.intValue ?? 0) >= 500 }
        return Self.response(json: [
            "success": true,
            "data": [
                "results": .array(results), "recorded": .int(Int64(results.count - failed)),
                "failed": .int(Int64(failed)),
            ],
        ])
    }

    static let batchLimit = 1000

    /// - Throws: `APIError` 422 for a body that is no list of events, whatever is in them.
    private static func batch(_ body: JSON) throws -> [JSON] {
        var reader = try BodyReader(body, keys: ["events"])
        let items = reader.value("events")?.arrayValue
        if let items, items.isEmpty || items.count > batchLimit {
            reader.report("events", "must have from 1 to \(batchLimit) events")
        } else if items == nil {
            reader.report("events", reader.has("events") ? "must be a list" : "is missing")
        }
        try reader.finish()
        return items ?? []
    }

    private func result(_ outcome: Result<Events.Tracked, any Error>, at position: Int, _ exchange: Exchange) -> JSON {
        switch outcome {
        case .success(let tracked): return ["success": true, "data": tracked.json]
        case .failure(let failure):
            var error = apiError(for: failure, in: exchange)
            // What the engine complains about has no place in the batch yet.
            if failure is UseCaseError {
                error.problems = error.problems.map {
                    .init(field: "events[\(position)].\($0.field)", message: $0.message)
                }
            }
            return error.body(requestID: exchange.id)
        }
    }
}

extension Events.Tracked {
    fileprivate var json: JSON {
        ["contact": .string("\(contactID)"), "event": .string("\(eventID)"), "timestamp": .string("\(at)")]
    }

    fileprivate var answer: JSON { ["success": true, "data": json] }

    /// `answer` as text.
    fileprivate var content: ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(192)
        text.writeStaticString(#"{"success":true,"data":{"contact":""#)
        text.writeString(contactID.description)
        text.writeStaticString(#"","event":""#)
        text.writeString(eventID.description)
        text.writeStaticString(#"","timestamp":""#)
        text.writeString(at.description)
        text.writeStaticString(#""}}"#)
        return text
    }
}

/// The body of a track request, checked: every problem is found before the first is reported.
struct TrackFields {
    private(set) var event = ""
    private(set) var email = ""
    private(set) var subscribed: Bool?
    private(set) var data: JSONObject = [:]
    private var problems: [APIError.Problem] = []
    /// Before the names of members, where the body is a part of another one.
    private let prefix: String

    /// - Parameters:
    ///   - dataLimit: bytes of JSON that `data` may have.
    ///   - path: where in the request the body is; empty for all of it.
    /// - Throws: `APIError` 422.
    init(_ body: JSON, dataLimit: Int, path: String = "") throws {
        prefix = path.isEmpty ? "" : path + "."
        guard let object = body.objectValue else {
            throw APIError.invalid([
                .init(field: path, message: path.isEmpty ? "the body must be an object" : "must be an object")
            ])
        }
        for key in object.keys {
            switch key {
            case "event", "email", "subscribed", "data": break
            default: report(key, "is not known")
            }
        }
        readEvent(object["event"])
        readEmail(object["email"])
        readSubscribed(object["subscribed"])
        readData(object["data"], limit: dataLimit)
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        guard !EventName.isReserved(event) else {
            throw APIError(
                .reservedEvent, "events named \(event) are recorded by the system alone",
                problems: [.init(field: prefix + "event", message: "is reserved")])
        }
    }

    private mutating func report(_ field: String, _ message: String) {
        problems.append(.init(field: prefix + field, message: message))
    }

    private mutating func readEvent(_ value: JSON?) {
        guard let value else { return report("event", "is missing") }
        guard let text = value.stringValue, !EventName.isBlank(text) else {
            return report("event", "must be a text that is not blank")
        }
        guard text.utf8.count <= EventName.lengthLimit else {
            return report("event", "must not be longer than \(EventName.lengthLimit) bytes")
        }
        // Controls beyond ASCII are U+0080 to U+009F.
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || 0x7F...0x9F ~= $0.value }) else {
            return report("event", "must not have control characters")
        }
        event = text
    }

    private mutating func readEmail(_ value: JSON?) {
        guard let value else { return report("email", "is missing") }
        guard let text = value.stringValue, let address = AddressText.accepted(text) else {
            return report("email", "must be a mail address")
        }
        email = address
    }

    private mutating func readSubscribed(_ value: JSON?) {
        guard let value else { return }
        guard let flag = value.boolValue else { return report("subscribed", "must be true or false") }
        subscribed = flag
    }

    private mutating func readData(_ value: JSON?, limit: Int) {
        guard let value, !value.isNull else { return }
        guard let object = value.objectValue else { return report("data", "must be an object") }
        guard JSONWriter.largestCount(value) <= limit || JSONWriter.bytes(value).count <= limit else {
            return report("data", "must not be longer than \(limit) bytes of JSON")
        }
        data = object
    }
}
