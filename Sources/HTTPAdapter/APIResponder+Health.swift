import Engine
import Hummingbird
import JSONValue

extension APIResponder {
    /// 200 while the database answers; what it counts is in the body. No key is needed, so that a load balancer may ask;
    /// the numbers name nobody.
    func health() async throws -> Response {
        let health = try await Health.read(context)
        // Only what the store counts: the final states would be a scan of everything ever sent.
        let outbox = OutboxEntry.Status.allCases.compactMap { status in
            health.outbox[status].map { (status.rawValue, JSON.int(Int64($0))) }
        }
        let webhooks = WebhookCall.Status.allCases.map { ($0.rawValue, JSON.int(Int64(health.webhooks[$0] ?? 0))) }
        let deliveries = [WebhookDelivery.Status.pending, .claimed].map {
            ($0.rawValue, JSON.int(Int64(health.deliveries[$0] ?? 0)))
        }
        var body: JSONObject = [
            "status": "ok", "outbox": .object(JSONObject(outbox)), "webhooks": .object(JSONObject(webhooks)),
            "deliveries": .object(JSONObject(deliveries)),
            "counters": Self.json(health.counters),
        ]
        for (room, numbers) in health.gauges.sorted(by: { $0.key < $1.key }) { body[room] = Self.json(numbers) }
        return Self.response(json: .object(body))
    }

    private static func json(_ numbers: [String: Int]) -> JSON {
        .object(JSONObject(numbers.sorted { $0.key < $1.key }.map { ($0.key, JSON.int(Int64($0.value))) }))
    }
}
