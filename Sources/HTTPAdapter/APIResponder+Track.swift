import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Records an event. The answer comes after the commit, so 200 means that the event and all it brought about are
    /// durable.
    func track(_ exchange: inout Exchange) async throws -> Response {
        let key = try await authorize(exchange, publicKeyWillDo: true)
        let body = try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
        let fields = try TrackFields(body, dataLimit: context.configuration.eventDataLimit)
        let tracked = try await Events(context: context).track(
            Events.TrackRequest(
                projectID: key.projectID, event: fields.event, email: fields.email, subscribed: fields.subscribed,
                data: fields.data))
        return Self.response(json: [
            "success": true,
            "data": [
                "contact": .string("\(tracked.contactID)"), "event": .string("\(tracked.eventID)"),
                "timestamp": .string("\(tracked.at)"),
            ],
        ])
    }
}

/// The body of a track request, checked: every problem is found before the first is reported.
struct TrackFields {
    private(set) var event = ""
    private(set) var email = ""
    private(set) var subscribed: Bool?
    private(set) var data: JSONObject = [:]
    private var problems: [APIError.Problem] = []

    private static let keys: Set<String> = ["event", "email", "subscribed", "data"]

    /// - Parameter dataLimit: bytes of JSON that `data` may have.
    /// - Throws: `APIError` 422.
    init(_ body: JSON, dataLimit: Int) throws {
        guard let object = body.objectValue else {
            throw APIError.invalid([.init(field: "", message: "the body must be an object")])
        }
        for key in object.keys where !Self.keys.contains(key) { report(key, "is not known") }
        readEvent(object["event"])
        readEmail(object["email"])
        readSubscribed(object["subscribed"])
        readData(object["data"], limit: dataLimit)
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        guard !EventName.isReserved(event) else {
            throw APIError(
                .reservedEvent, "events named \(event) are recorded by the system alone",
                problems: [.init(field: "event", message: "is reserved")])
        }
    }

    private mutating func report(_ field: String, _ message: String) {
        problems.append(.init(field: field, message: message))
    }

    private mutating func readEvent(_ value: JSON?) {
        guard let value else { return report("event", "is missing") }
        guard let text = value.stringValue, !text.isEmpty else {
            return report("event", "must be a text that is not empty")
        }
        guard text.utf8.count <= EventName.lengthLimit else {
            return report("event", "must not be longer than \(EventName.lengthLimit) bytes")
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
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
        guard JSONWriter.bytes(value).count <= limit else {
            return report("data", "must not be longer than \(limit) bytes of JSON")
        }
        data = object
    }
}
