import Engine
import Hummingbird
import JSONValue

extension APIResponder {
    /// 200 while the database answers; what it counts is in the body. No key is needed, so that a load balancer may ask;
    /// the numbers name nobody.
    func health() async throws -> Response {
        let health = try await Health.read(context)
        let outbox = OutboxEntry.Status.allCases.map { ($0.rawValue, JSON.int(Int64(health.outbox[$0] ?? 0))) }
        let counters = health.counters.sorted { $0.key < $1.key }.map { ($0.key, JSON.int(Int64($0.value))) }
        return Self.response(json: [
            "status": "ok", "outbox": .object(JSONObject(outbox)), "counters": .object(JSONObject(counters)),
        ])
    }
}
