import Dispatch
import MailModel
import Synchronization

/// The one place where a thread blocks: a libmilter worker at the end of a message, until the commit or a deadline.
///
/// Never from a task: it would take a thread of the cooperative pool away from everybody else.
final class CommitWait: Sendable {
    private enum State { case open, decided(Verdict), abandoned }

    private let arrival = DispatchSemaphore(value: 0)
    private let state = Mutex(State.open)

    /// Called by the intake, from any thread. False when the verdict came too late, or is a second one.
    func fulfil(_ verdict: Verdict) -> Bool {
        let isFirst = state.withLock { state in
            guard case .open = state else { return false }
            state = .decided(verdict)
            return true
        }
        if isFirst { arrival.signal() }
        return isFirst
    }

    /// Blocks until the verdict is there. Nil: it did not come in time and a later one will be turned away.
    func verdict(within deadline: Duration) -> Verdict? {
        let (seconds, attoseconds) = deadline.components
        // A day is for ever here, and keeps the sum in range.
        let nanoseconds = Int(min(max(seconds, 0), 86_400)) * 1_000_000_000 + Int(max(attoseconds, 0) / 1_000_000_000)
        _ = arrival.wait(timeout: .now() + .nanoseconds(nanoseconds))
        return state.withLock { state in
            if case .decided(let verdict) = state { return verdict }
            state = .abandoned
            return nil
        }
    }
}
