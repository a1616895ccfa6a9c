import Synchronization

/// Counts the attempts that may still begin.
package final class DeliveryPlaces: Sendable {
    private struct State {
        var free: Int
        var isClosing = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let all: Int
    private let state: Mutex<State>

    init(_ count: Int) {
        all = count
        state = Mutex(State(free: count))
    }

    var free: Int { state.withLock { $0.free } }

    /// Whether somebody waits for the end of all attempts.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    func take(_ count: Int = 1) { state.withLock { $0.free -= count } }

    /// - Returns: true when there was no free place before, so that somebody may wait for one.
    @discardableResult
    func giveBack() -> Bool {
        let (wasFull, waiter) = state.withLock { state in
            state.free += 1
            let waiter = state.free == all ? state.waiter.take() : nil
            return (state.free == 1, waiter)
        }
        waiter?.resume()
        return wasFull
    }

    /// Returns when every place is free, at the latest after `limit`.
    func waitUntilAllFree(atMost limit: Duration) async {
        let timer = Task {
            try? await Task.sleep(for: limit)
            state.withLock { $0.waiter.take() }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                state.isClosing = true
                if state.free < all { state.waiter = continuation }
                return state.free == all
            }
            if isFree { continuation.resume() }
        }
        timer.cancel()
    }
}
