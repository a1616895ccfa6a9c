import Engine
import Synchronization
import WorkflowModel

/// A webhook transport that keeps what it gets and answers what the test says.
package final class ScriptedReceiver: WebhookTransport {
    private struct State {
        var calls: [SignedWebhook] = []
        var outcomes: [WebhookOutcome] = []
        var held: Set<String> = []
        var waiting: [(host: String, continuation: CheckedContinuation<Void, Never>)] = []
        var isStopped = false
    }

    package let concurrency: Int
    private let state = Mutex(State())

    package init(concurrency: Int = 4) { self.concurrency = concurrency }

    package static let accepted = WebhookOutcome.answered(
        WebhookResponse(status: 200, headers: ["content-type": "application/json"], body: Array("{}".utf8)))

    package static let unreachable = WebhookOutcome.failed(reason: "no connection", isTemporary: true)

    package static func answered(_ status: Int, _ headers: [String: String] = [:]) -> WebhookOutcome {
        .answered(WebhookResponse(status: status, headers: headers, body: []))
    }

    /// Outcomes of the next attempts, in order; after them every attempt is accepted.
    package func answer(_ outcomes: [WebhookOutcome]) { state.withLock { $0.outcomes += outcomes } }

    /// Calls of that host are not answered before `release`.
    package func hold(_ host: String) { state.withLock { _ = $0.held.insert(host) } }

    package func release() {
        let waiting = state.withLock { state in
            state.held = []
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.continuation.resume() }
    }

    package var calls: [SignedWebhook] { state.withLock { $0.calls } }

    /// Calls that are not answered yet.
    package var heldCount: Int { state.withLock { $0.waiting.count } }

    package func call(_ webhook: SignedWebhook) async -> WebhookOutcome {
        state.withLock { $0.calls.append(webhook) }
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                guard state.held.contains(webhook.url.host), !state.isStopped else { return false }
                state.waiting.append((webhook.url.host, continuation))
                return true
            }
            if !isHeld { continuation.resume() }
        }
        return state.withLock { state in
            if state.isStopped { return .failed(reason: "stopped", isTemporary: true) }
            return state.outcomes.isEmpty ? Self.accepted : state.outcomes.removeFirst()
        }
    }

    package func stop() {
        state.withLock { $0.isStopped = true }
        release()
    }
}

extension SignedWebhook {
    /// The value of the last header field of that name, in any case.
    package subscript(name: String) -> String? { headers.last { $0.name.lowercased() == name.lowercased() }?.value }
}
