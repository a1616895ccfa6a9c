import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// The list of addresses that get no more mail.
    func suppressions(_ exchange: inout Exchange) async throws -> Response {
        let key = try authorize(exchange)
        let suppressions = Suppressions(context: context)
        switch exchange.request.method {
        case .post:
            let body = try await exchange.readJSON(upTo: configuration.bodyLimit, within: configuration.bodyTimeout)
            let additions = try SuppressionAdditions(body, now: context.clock.now()).additions
            let added = try await suppressions.add(additions, to: key.projectID)
            return Self.response(.created, json: ["data": .array(added.map(\.json))])
        case .delete:
            let query = try SuppressionQuery(exchange, needsAddress: true)
            try await suppressions.remove(query.address ?? "", reason: query.reason, from: key.projectID)
            return Self.noContent
        default:
            let query = try SuppressionQuery(exchange, needsAddress: false)
            let page = try await suppressions.page(
                in: key.projectID, reason: query.reason, address: query.address, after: query.position,
                limit: query.limit)
            return Self.response(json: [
                "data": .array(page.suppressions.map(\.json)),
                "cursor": page.next.map { .string("\($0)") } ?? .null, "hasMore": .bool(page.next != nil),
            ])
        }
    }
}

/// What is asked of the list.
private struct SuppressionQuery {
    private static let usualLimit = 50
    private static let mostLimit = 500

    let address: String?
    let reason: Suppression.Reason?
    let position: SuppressionPosition?
    let limit: Int

    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange, needsAddress: Bool) throws {
        var problems: [APIError.Problem] = []
        func text(_ name: String) -> String? { exchange.query(name).flatMap { $0.isEmpty ? nil : $0 } }
        address = text("email").flatMap(AddressText.accepted)
        if address == nil, needsAddress || text("email") != nil {
            problems.append(.init(field: "email", message: "must be a mail address"))
        }
        reason = text("reason").flatMap(Suppression.Reason.init)
        if reason == nil, text("reason") != nil {
            problems.append(.init(field: "reason", message: Suppression.Reason.rule))
        }
        position = text("cursor").flatMap(SuppressionPosition.init)
        if position == nil, text("cursor") != nil {
            problems.append(.init(field: "cursor", message: "must be the cursor of an earlier page"))
        }
        let number = text("limit").map { Int($0) ?? 0 } ?? Self.usualLimit
        if number < 1 { problems.append(.init(field: "limit", message: "must be a whole number from 1")) }
        limit = min(number, Self.mostLimit)
        guard problems.isEmpty else { throw APIError.invalid(problems) }
    }
}

/// What is added to the list: one address or several.
struct SuppressionAdditions {
    static let limit = 1000
    static let noteLimit = 1000

    let additions: [Suppressions.Addition]

    /// - Throws: `APIError` 422.
    init(_ json: JSON, now: Timestamp) throws {
        var body = try BodyReader(json, keys: ["email", "emails", "reason", "note", "expiresAt"])
        var reason = Suppression.Reason.manual
        if let text = body.text("reason", limit: 20) {
            if let known = Suppression.Reason(rawValue: text) {
                reason = known
            } else {
                body.report("reason", Suppression.Reason.rule)
            }
        }
        let note = body.note("note", limit: Self.noteLimit) ?? nil
        let end = Self.end(&body, now: now)
        let addresses = Self.addresses(&body)
        try body.finish()
        additions = addresses.map { .init(address: $0, reason: reason, note: note, expiresAt: end) }
    }

    private static func addresses(_ body: inout BodyReader) -> [String] {
        if !body.has("emails") {
            let text = body.text("email", limit: 320, required: true)
            if let address = text.flatMap(AddressText.accepted) { return [address] }
            if text != nil { body.report("email", "must be a mail address") }
            return []
        }
        if body.has("email") { body.report("email", "cannot be given beside emails") }
        guard let values = body.value("emails")?.arrayValue, (1...limit).contains(values.count) else {
            body.report("emails", "must be a list of 1 to \(limit) mail addresses")
            return []
        }
        return values.enumerated().compactMap { position, value in
            guard let address = value.stringValue.flatMap(AddressText.accepted) else {
                body.report("emails.\(position)", "must be a mail address")
                return nil
            }
            return address
        }
    }

    private static func end(_ body: inout BodyReader, now: Timestamp) -> Timestamp? {
        guard let text = body.text("expiresAt", limit: 40) else { return nil }
        guard let end = Timestamp(rfc3339: text), end > now else {
            body.report("expiresAt", "must be a later time, as RFC 3339 writes it")
            return nil
        }
        return end
    }
}

extension Suppression.Reason {
    static let rule = "must be one of " + allCases.map(\.rawValue).joined(separator: ", ")
}

extension Suppression {
    var json: JSON {
        [
            "email": .string(address), "reason": .string(reason.rawValue), "evidence": .object(evidence),
            "createdAt": .string("\(createdAt)"), "expiresAt": expiresAt.map { .string("\($0)") } ?? .null,
        ]
    }
}
