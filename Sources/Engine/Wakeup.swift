import Synchronization
import WorkflowModel

/// A flag that one loop waits on: signals given while the loop is busy are not lost and count once.
package final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
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
        let timer = Task {
            do {
                try await clock.sleep(until: time)
                release()
            } catch {
                // Cancelled: the wait has ended by other means.
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isSignalled = state.withLock { state in
                    guard !state.isSignalled else {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isSignalled { continuation.resume() }
                // The handler below may have run before there was a waiter.
                if Task.isCancelled { release() }
            }
        } onCancel: {
            release()
        }
        timer.cancel()
    }

    /// Ends the present wait, if there is one, without leaving a signal for the next.
    private func release() { state.withLock { $0.waiter.take() }?.resume() }
}
