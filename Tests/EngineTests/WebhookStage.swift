import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// What a stage of these tests shares: an engine, its subscriptions, and a receiver that answers what it is told.
struct WebhookStage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    let receiver = ScriptedReceiver()

    init() async throws {
        (engine, database) = try await makeEngine { $0.webhookDestinations = WebhookStage.destinations }
    }

    static let destinations = WebhookDestinations(allowedHosts: ["listed.example"])

    var webhooks: Webhooks { Webhooks(context: engine.context, projectID: engine.project.id) }

    func subscribe(_ events: [String] = ["*"], url: String = "https://hooks.example/in") async throws -> Identifier {
        try await webhooks.create(.init(url: url, events: events)).listing.subscription.id
    }

    /// Time passes between events, as it does.
    @discardableResult
    func track(_ event: String, _ email: String = "ann@example.org", data: JSONObject = [:]) async throws -> Identifier
    {
        engine.clock.advance(microseconds: 1000)
        return try await engine.track(event, email, data: data).eventID
    }

    func run() async throws { try await engine.runDeliveries(receiver, destinations: Self.destinations) }

    func deliveries(_ id: Identifier, _ status: WebhookDelivery.Status? = nil) async throws -> [WebhookDeliveryListing]
    {
        try await webhooks.deliveries(of: id, status: status, before: nil, limit: 1000)
    }

    /// The types of the events that came, in order; those of one host, or of all.
    func types(_ host: String? = nil) throws -> [String] {
        try receiver.calls.filter { host == nil || $0.url.host == host }.map { call in
            try JSONParser.parse(call.body ?? [])["type"]?.stringValue ?? ""
        }
    }

    /// Lets every retry come that is due within so many seconds.
    func pass(seconds: Int64) async throws {
        let end = engine.clock.now().adding(seconds: seconds)
        while true {
            try await run()
            let queues = try await engine.context.store.write { try $0.webhookQueues() }
            guard let next = queues.map(\.dueAt).filter({ $0 > engine.clock.now() }).min(), next <= end else { break }
            engine.clock.advance(microseconds: next.microseconds - engine.clock.now().microseconds)
        }
        engine.clock.advance(microseconds: end.microseconds - engine.clock.now().microseconds)
    }
}
