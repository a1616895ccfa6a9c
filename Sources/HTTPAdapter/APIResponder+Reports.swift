import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Bounces and complaints that came in, believed or not, the newest first.
    func inboundReports(_ exchange: Exchange) async throws -> Response {
        let key = try authorize(exchange)
        let selection = try ReportQuery(exchange, project: key.projectID).selection
        let page = try await InboundReports(context: context).page(selection)
        return Self.response(json: [
            "data": .array(page.reports.map(\.json)), "cursor": page.next.map { .string("\($0)") } ?? .null,
            "hasMore": .bool(page.next != nil),
        ])
    }
}

/// What is asked of the list.
private struct ReportQuery {
    private static let usualLimit = 50
    private static let mostLimit = 200

    let selection: ReportSelection

    /// - Throws: `APIError` 422.
    init(_ exchange: Exchange, project: Identifier) throws {
        var problems: [APIError.Problem] = []
        func text(_ name: String) -> String? { exchange.query(name).flatMap { $0.isEmpty ? nil : $0 } }
        var selection = ReportSelection(projectID: project, limit: Self.usualLimit)
        switch text("verified") {
        case nil: break
        case "true": selection.isVerified = true
        case "false": selection.isVerified = false
        default: problems.append(.init(field: "verified", message: "must be true or false"))
        }
        if let outcome = text("outcome") {
            selection.outcome = outcome
            if !InboundReport.outcomes.contains(outcome) {
                problems.append(
                    .init(
                        field: "outcome", message: "must be one of " + InboundReport.outcomes.joined(separator: ", ")))
            }
        }
        if let email = text("email") {
            selection.address = AddressText.accepted(email).map(AddressText.normal)
            if selection.address == nil { problems.append(.init(field: "email", message: "must be a mail address")) }
        }
        if let cursor = text("cursor") {
            selection.cursor = Identifier(cursor)
            if selection.cursor == nil {
                problems.append(.init(field: "cursor", message: "must be what the page before it gave as cursor"))
            }
        }
        if let limit = text("limit") {
            if let number = Int(limit), number >= 1 {
                selection.limit = min(number, Self.mostLimit)
            } else {
                problems.append(.init(field: "limit", message: "must be a whole number from 1"))
            }
        }
        guard problems.isEmpty else { throw APIError.invalid(problems) }
        self.selection = selection
    }
}

extension InboundReport {
    /// As clients read it.
    var json: JSON {
        [
            "id": .string("\(id)"), "receivedAt": .string("\(at)"), "mailClass": .string(mailClass),
            "outcome": .string(outcome), "isVerified": .bool(isVerified),
            "matchedBy": matchedBy.map { .string($0) } ?? .null,
            "emailId": entryID.map { .string("\($0)") } ?? .null, "email": .string(address),
            "details": .object(details),
        ]
    }
}
