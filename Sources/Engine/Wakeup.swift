import Synchronization
import WorkflowModel

/// A flag that one loop waits on: signals given while the loop is busy are not lost and count once.
package final class Wakeup: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    package func signal() { continuation.yield() }

    /// Returns after a signal, at `time`, or when the task is cancelled. For one waiting loop at a time.
    package func wait(until time: Timestamp?, clock: any WallClock) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [stream] in
                for await _ in stream { return }
            }
            if let time {
                // A cancelled sleep is one that the signal has overtaken.
                group.addTask { try? await clock.sleep(until: time) }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
