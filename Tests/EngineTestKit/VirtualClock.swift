import Engine
import Synchronization
import WorkflowModel

/// A clock that stands still until it is told to move. Sleepers wake in the order of their times.
package final class VirtualClock: WallClock {
    private struct Sleeper {
        var id: Int
        var time: Timestamp
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Timestamp
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
        var nextID = 0
    }

    private let state: Mutex<State>

    /// - Parameter start: RFC 3339.
    package init(_ start: String = "2026-01-05T09:00:00Z") {
        state = Mutex(State(now: Timestamp(rfc3339: start) ?? Timestamp(seconds: 0)))
    }

    package func now() -> Timestamp { state.withLock { $0.now } }

    /// Whether somebody sleeps now: the way to know that a loop has gone to rest.
    package var hasSleeper: Bool {
        get async { state.withLock { !$0.sleepers.isEmpty } }
    }

    package func advance(seconds: Int64) { advance(microseconds: seconds * 1_000_000) }

    package func advance(microseconds: Int64) {
        let due = state.withLock { state in
            state.now = state.now.adding(microseconds: microseconds)
            let due = state.sleepers.filter { $0.time <= state.now }.sorted { $0.time < $1.time }
            state.sleepers.removeAll { $0.time <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    package func sleep(until time: Timestamp) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let immediate: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if time <= state.now { return .success(()) }
                    state.sleepers.append(Sleeper(id: id, time: time, continuation: continuation))
                    return nil
                }
                if let immediate { continuation.resume(with: immediate) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
