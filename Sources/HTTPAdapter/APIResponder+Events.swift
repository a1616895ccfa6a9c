import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Events of a project, and what happened to one contact.
    func answerEvents(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let project = try authorize(exchange).projectID
        let events = RecordedEvents(context: context, projectID: project)
        switch endpoint {
        case .timeline: return try await timeline(exchange, project)
        case .contactEvents: return try await contactEvents(exchange, project)
        case .eventTrack:
            let request = try EventRequest(try await json(&exchange), dataLimit: context.configuration.eventDataLimit)
            let recorded = try await events.track(
                request.name, contact: request.contact, mail: request.mail, data: request.data)
            return Self.response(.created, json: recorded.json)
        case .eventStats:
            let counts = try await events.stats(days: try DayRange(exchange).days)
            return Self.response(json: ["data": .array(counts.map(\.json))])
        case .eventNames:
            let counts = try await events.names()
            return Self.response(json: [
                "data": .array(counts.map(\.json)), "eventNames": .array(counts.map { .string($0.name) }),
            ])
        case .eventUsage: return Self.response(json: try await events.usage(of: try eventName(exchange)).json)
        case .event:
            try await readNoBody(&exchange)
            let deleted = try await events.delete(try eventName(exchange))
            return Self.response(json: ["deletedCount": .int(Int64(deleted))])
        default:
            let request = try CursorRequest<Int64>(exchange, usual: 100, most: 1000)
            let name = exchange.query("eventName").flatMap { $0.isEmpty ? nil : $0 }
            let page = try await events.list(named: name, before: request.position, limit: request.limit)
            return Self.response(json: request.page(page.events.map(\.json), next: page.next))
        }
    }

    private func eventName(_ exchange: Exchange) throws -> String {
        guard let name = exchange.parameters.first, EventName.isUsable(name) else {
            throw APIError(.notFound, "there is no event of that name")
        }
        return name
    }

    // MARK: One contact

    private func timeline(_ exchange: Exchange, _ project: Identifier) async throws -> Response {
        let contact = try identifier(exchange, at: 0, of: "contact")
        let request = try CursorRequest<TimelinePosition>(exchange, usual: 50, most: 100)
        let page = try await Timelines(context: context).page(
            of: contact, kinds: try Self.kinds(exchange), before: request.position ?? TimelinePosition(),
            limit: request.limit, project: project)
        return Self.response(
            json: request.page(page.page.items.map { $0.json(page.workflows) }, next: page.page.next))
    }

    private static func kinds(_ exchange: Exchange) throws -> Set<HistoryKind> {
        guard let text = exchange.query("kinds"), !text.isEmpty else { return Set(HistoryKind.allCases) }
        return try Set(
            text.split(separator: ",", omittingEmptySubsequences: false).map { part in
                guard let kind = HistoryKind.allCases.first(where: { $0.name == part }) else {
                    let names = HistoryKind.allCases.map(\.name).joined(separator: ", ")
                    throw APIError.invalid([.init(field: "kinds", message: "must be some of \(names)")])
                }
                return kind
            })
    }

    private func contactEvents(_ exchange: Exchange, _ project: Identifier) async throws -> Response {
        let contact = try identifier(exchange, at: 0, of: "contact")
        let request = try CursorRequest<TimelinePosition>(exchange, usual: 50, most: 1000)
        let page = try await Timelines(context: context).page(
            of: contact, kinds: [.event], before: request.position ?? TimelinePosition(), limit: request.limit,
            project: project
        ).page
        let rows = page.items.compactMap { item -> JSON? in
            guard case .event(let event) = item else { return nil }
            var fields = event.fields
            fields["contactId"] = .string("\(contact)")
            return .object(fields)
        }
        return Self.response(json: request.page(rows, next: page.next))
    }
}

/// The body of a request to record an event of a contact that is named by its id.
struct EventRequest {
    let name: String
    let contact: Identifier?
    let mail: Identifier?
    let data: JSONObject

    /// - Throws: `APIError` 422; 404 for what is no id.
    init(_ json: JSON, dataLimit: Int) throws {
        var body = try BodyReader(json, keys: ["name", "contactId", "emailId", "data"])
        let name = body.text("name", limit: EventName.lengthLimit, required: true)
        let contact = body.value("contactId")?.isNull == false ? body.text("contactId", limit: 100) : nil
        let mail = body.value("emailId")?.isNull == false ? body.text("emailId", limit: 100) : nil
        data = body.value("data")?.isNull == false ? body.object("data") ?? [:] : [:]
        if JSONWriter.bytes(.object(data)).count > dataLimit {
            body.report("data", "must not be longer than \(dataLimit) bytes of JSON")
        }
        if let name, !EventName.isUsable(name) { body.report("name", "must be \(EventName.rule)") }
        try body.finish()
        self.name = name ?? ""
        guard !EventName.isReserved(self.name) else {
            throw APIError(
                .reservedEvent, "events named \(self.name) are recorded by the system alone",
                problems: [.init(field: "name", message: "is reserved")])
        }
        self.contact = try contact.map { try Self.id($0, of: "contact") }
        self.mail = try mail.map { try Self.id($0, of: "mail") }
    }

    private static func id(_ text: String, of thing: String) throws -> Identifier {
        guard let id = Identifier(text) else { throw APIError(.notFound, "there is no such \(thing)") }
        return id
    }
}

/// Whole days (UTC) of `startDate` and `endDate` in the query: `2026-11-26`, or an RFC 3339 time, which stands for its day.
struct DayRange {
    /// Counted from 1970.
    let days: ClosedRange<Int64>

    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange) throws {
        var problems: [APIError.Problem] = []
        func read(_ name: String) -> Int64? {
            guard let text = exchange.query(name), !text.isEmpty else { return nil }
            let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z")
            if time == nil { problems.append(.init(field: name, message: "must be a date or an RFC 3339 time")) }
            return time.map { Self.day(of: $0) }
        }
        let start = read("startDate") ?? .min
        let end = read("endDate") ?? .max
        if problems.isEmpty, start > end {
            problems.append(.init(field: "endDate", message: "must not be before startDate"))
        }
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        days = start...end
    }

    private static func day(of time: Timestamp) -> Int64 {
        Int64((Double(time.microseconds) / 86_400_000_000).rounded(.down))
    }
}
