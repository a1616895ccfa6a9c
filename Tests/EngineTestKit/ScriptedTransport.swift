import Dispatch
import Engine
import MailModel
import Synchronization

/// A transport that keeps what it gets and answers what the test says.
package final class ScriptedTransport: MailTransport {
    private struct State {
        var sent: [OutgoingMail] = []
        var outcomes: [DeliveryOutcome] = []
    }

    package let concurrency: Int
    private let state = Mutex(State())

    package init(concurrency: Int = 4) { self.concurrency = concurrency }

    package static let accepted = DeliveryOutcome.delivered(
        reply: Reply(code: 250, enhancedCode: "2.0.0", text: "Ok: queued as 4ABC"), queueID: "4ABC")

    /// Outcomes of the next attempts, in order; after them every attempt is accepted.
    package func answer(_ outcomes: [DeliveryOutcome]) { state.withLock { $0.outcomes += outcomes } }

    package var sent: [OutgoingMail] { state.withLock { $0.sent } }

    package func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        guard await mail.isLetThrough() else { return .unreachable(reason: "it was kept back") }
        return state.withLock { state in
            state.sent.append(mail)
            return state.outcomes.isEmpty ? Self.accepted : state.outcomes.removeFirst()
        }
    }

    /// Its answers come at once: there is nothing under way to end.
    package func stop() {}
}

extension OutgoingMail {
    /// Asks as a transport must, on a thread that may be kept waiting.
    package func isLetThrough() async -> Bool {
        guard let mayDepart else { return true }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: mayDepart()) }
        }
    }
}
