import Engine
import Foundation
import ServerTestKit
import WebhookAdapter
import WorkflowModel

/// One receiver for all tests: its certificates take a second to make. Tests tell their calls apart by a mark in the query.
enum SharedReceiver {
    private static let receiver = Task {
        let directory = try ServerDirectory.temporary()
        return (try await WebhookReceiver(in: directory), directory)
    }

    static func get() async throws -> WebhookReceiver { try await receiver.value.0 }
}

/// Calls of one test.
struct Caller {
    let receiver: WebhookReceiver
    /// Marks this test's calls.
    let mark = UUID().uuidString
    /// What `destinations` allow; by default the receiver.
    var allowed = ["127.0.0.1", "localhost", "::1"]
    var workers = 1
    var timeout = Duration.seconds(10)
    var caFile: String?
    var change: @Sendable (inout WebhookTransportConfiguration) -> Void = { _ in }

    init() async throws {
        receiver = try await SharedReceiver.get()
        caFile = receiver.authority
    }

    /// The calls of this test that came in and were told of.
    var seen: [WebhookReceiver.Request] { receiver.requests.filter { $0.path.contains(mark) } }

    /// All calls of this test that came in until now: the receiver tells of calls in their order, so that one more call
    /// brings the news of all before it.
    func arrived() async throws -> [WebhookReceiver.Request] {
        let last = UUID().uuidString
        let url = try WebhookURL("\(receiver.url("/status/200", at: .plain))?\(last)")
        let transport = try LibcurlWebhookTransport(
            configuration: WebhookTransportConfiguration(
                destinations: WebhookDestinations(allowedHosts: ["127.0.0.1"]), workers: 1))
        let outcome = await transport.call(SignedWebhook(method: "GET", url: url, headers: [], body: nil))
        await transport.shutdown()
        guard outcome.response?.status == 200 else { throw FixtureError(.malformed, "\(outcome)") }
        try await eventually("the last call is told of") { receiver.requests.contains { $0.path.contains(last) } }
        return seen
    }

    func webhook(_ url: String, method: String = "POST", headers: [(String, String)] = [], body: String? = "{}") throws
        -> SignedWebhook
    {
        SignedWebhook(
            method: method, url: try WebhookURL("\(url)?\(mark)"),
            headers: headers.map { .init(name: $0.0, value: $0.1) },
            body: body.map { Array($0.utf8) })
    }

    /// Runs `body` with a transport, and shuts it down afterwards.
    func withTransport<Value: Sendable>(_ body: (LibcurlWebhookTransport) async throws -> Value) async throws -> Value {
        var configuration = WebhookTransportConfiguration(
            destinations: WebhookDestinations(allowedHosts: allowed), workers: workers, timeout: timeout, caFile: caFile
        )
        change(&configuration)
        let transport = try LibcurlWebhookTransport(configuration: configuration)
        do {
            let value = try await body(transport)
            await transport.shutdown()
            return value
        } catch {
            await transport.shutdown()
            throw error
        }
    }

    /// One attempt at a path of the receiver.
    func call(
        _ path: String, at listener: WebhookReceiver.Listener = .good, host: String = "127.0.0.1",
        method: String = "POST", headers: [(String, String)] = [], body: String? = "{}"
    ) async throws -> WebhookOutcome {
        let webhook = try webhook(
            receiver.url(path, at: listener, host: host), method: method, headers: headers, body: body)
        return try await withTransport { await $0.call(webhook) }
    }
}

extension WebhookOutcome {
    var response: WebhookResponse? { if case .answered(let response) = self { response } else { nil } }

    /// Empty for an answer.
    var reason: String { if case .failed(let reason, _) = self { reason } else { "" } }

    /// Nil for an answer.
    var isTemporary: Bool? { if case .failed(_, let isTemporary) = self { isTemporary } else { nil } }
}

extension WebhookResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
}
