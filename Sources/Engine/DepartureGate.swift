import Dispatch
import Synchronization
import WorkflowModel

/// Looks at a mail a last time, when the relay is ready for it: connecting and greeting may have taken minutes, and whoever
/// has unsubscribed meanwhile gets no mail.
///
/// Nothing is read from the database unless something that could keep mail back has been committed since the first look, here
/// or, after a moment, anywhere.
final class DepartureGate: Sendable {
    private let context: EngineContext
    private let look: @Sendable (any WithdrawalReader) throws -> String?
    /// How many withdrawals there had been before the first look.
    private let known: Int
    private let firstLook: ContinuousClock.Instant
    private let state = Mutex(State())

    private struct State {
        var reason: String?
        /// The relay was told to go on: what is found out later changes nothing.
        var isOpen = false
    }

    /// Another process may have changed something when more time has passed.
    private static let certainty = Duration.seconds(1)
    /// The relay waits: longer than that, and the first look counts.
    private static let patience = DispatchTimeInterval.seconds(5)

    /// To be made before the first look.
    /// - Parameter look: why the mail must not leave; nil when nothing is against it.
    init(_ context: EngineContext, look: @escaping @Sendable (any WithdrawalReader) throws -> String?) {
        self.context = context
        self.look = look
        known = context.signals.withdrawals
        firstLook = .now
    }

    /// Why the mail did not leave; nil when it was let through, or nobody asked.
    var reason: String? { state.withLock { $0.reason } }

    /// Whether anything may have come up since the first look.
    var isDoubtful: Bool {
        context.signals.withdrawals != known || firstLook.duration(to: .now) > Self.certainty
    }

    /// Keeps the calling thread until it is known; never to be called by a task.
    func letsThrough() -> Bool {
        guard isDoubtful else { return true }
        let answer = DispatchSemaphore(value: 0)
        // By the writer: it has everything that is committed, and needs no task, of which none may be free.
        context.store.submit { [look] transaction in
            try look(transaction)
        } completion: { result in
            self.state.withLock { state in if !state.isOpen { state.reason = (try? result.get()) ?? nil } }
            answer.signal()
        }
        _ = answer.wait(timeout: .now() + Self.patience)
        return state.withLock { state in
            state.isOpen = state.reason == nil
            return state.isOpen
        }
    }
}
