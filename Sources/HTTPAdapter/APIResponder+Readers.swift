import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    private static let usualDays = 30

    /// What is recorded of the project's readers, and how often its anonymous mail was looked at.
    func readers(_ exchange: Exchange) async throws -> Response {
        let key = try authorize(exchange)
        var days = Self.usualDays
        if let text = exchange.query("days"), !text.isEmpty {
            guard let number = Int(text), (1...Opens.longestOverview).contains(number) else {
                throw APIError.invalid([
                    .init(field: "days", message: "must be a whole number from 1 to \(Opens.longestOverview)")
                ])
            }
            days = number
        }
        let overview = try await Opens(context: context).overview(of: key.projectID, days: days)
        return Self.response(json: [
            "opens": .string(overview.opens.rawValue), "clicks": .string(overview.clicks.rawValue),
            "days": .int(Int64(days)), "data": .array(overview.counts.map(\.json)),
        ])
    }
}

extension SharedHitCount {
    /// As clients read it.
    var json: JSON {
        [
            "kind": .string(link == nil ? "open" : "click"),
            "templateId": template.map { .string("\($0)") } ?? .null,
            "templateVersionId": version.map { .string("\($0)") } ?? .null,
            "stepId": step.isEmpty || broadcast != nil ? .null : .string(step), "broadcastId": JSON(broadcast),
            "link": link.map { .string($0) } ?? .null,
            "people": .int(Int64(people)), "machines": .int(Int64(machines)),
        ]
    }
}
