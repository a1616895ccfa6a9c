import Dispatch
import MailModel
import Synchronization

/// What became of an attempt, and what must be known to write it down.
struct SettledAttempt: Sendable {
    let errand: Dispatch.Errand
    let record: AttemptRecord
    var subject = ""
    /// Nil when no attempt was made.
    var outcome: DeliveryOutcome?
    /// Counts of the day that the attempt belongs to.
    var scopes: [String] = []
    /// What the mail left through; nil when no relay took it.
    var gate: DepartureGate?

    init(_ errand: Dispatch.Errand, _ record: AttemptRecord) {
        self.errand = errand
        self.record = record
    }
}

/// Attempts whose end has yet to be written down: all that end while others are being written share the next transaction.
final class SettledAttempts: Sendable {
    private struct State {
        var waiting: [SettledAttempt] = []
        var isWriting = false
    }

    /// In one transaction, at most: others wait for the writer, too.
    private static let limit = 64

    /// Where it is told that they are written: not on the database's thread, which has more to do.
    private let queue = DispatchQueue(label: "outcomes", qos: .utility)
    private let state = Mutex(State())

    /// - Returns: what is to be written now; nothing while somebody writes, who then asks for more.
    func add(_ attempts: [SettledAttempt]) -> [SettledAttempt] {
        state.withLock { state in
            state.waiting += attempts
            return state.isWriting ? [] : Self.take(&state)
        }
    }

    func tell(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    /// What is to be written after the last.
    func next() -> [SettledAttempt] { state.withLock { Self.take(&$0) } }

    private static func take(_ state: inout State) -> [SettledAttempt] {
        let batch = Array(state.waiting.prefix(limit))
        state.waiting.removeFirst(batch.count)
        state.isWriting = !batch.isEmpty
        return batch
    }
}
