import Synchronization
import WorkflowModel

/// A flag that one loop waits on: signals given while the loop is busy are not lost and count once.
package final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
        /// Counts the waits, so that a timer or a cancellation ends its own wait and no other.
        var wait = 0
        /// The wait that ended before its continuation was there.
        var endedEarly: Int?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func signal() {
        let waiter = state.withLock { state in
            if state.waiter == nil { state.isSignalled = true }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Returns after a signal, at `time`, or when the task is cancelled. For one waiting loop at a time.
    package func wait(until time: Timestamp, clock: any WallClock) async {
        let wait = state.withLock { state -> Int? in
            state.wait += 1
            // A timer would cost more than all of the rest.
            if state.isSignalled {
                state.isSignalled = false
                return nil
            }
            return state.wait
        }
        guard let wait else { return }
        let timer = Task {
            do {
                try await clock.sleep(until: time)
                end(wait)
            } catch {
                // Cancelled: the wait has ended by other means.
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard !state.isSignalled, state.endedEarly != wait else {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            end(wait)
        }
        timer.cancel()
    }

    /// Ends that wait, if it is still the present one, without leaving a signal for the next. The time may have come, or
    /// the task been cancelled, before there is a continuation.
    private func end(_ wait: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.wait == wait else { return nil }
            state.endedEarly = wait
            return state.waiter.take()
        }
        waiter?.resume()
    }
}
