import NIOCore
import Synchronization

/// Closes the connections of clients that take too long for a request's body.
///
/// A timer for each body would wake the connection's event loop twice for every request, from another thread, and nearly
/// every body is there already. So the bodies under way are in a list, and one timer looks through it, several times a
/// second while there is any.
final class BodyDeadlines: Sendable {
    private struct Entry {
        var channel: any Channel
        var deadline: NIODeadline
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var count: UInt64 = 0
        var isTimed = false
    }

    private static let interval = TimeAmount.milliseconds(250)

    private let state = Mutex(State())

    /// - Returns: for `end`.
    func begin(_ channel: any Channel, seconds: Int64) -> UInt64 {
        let entry = Entry(channel: channel, deadline: .now() + .seconds(seconds))
        let (number, mustTime) = state.withLock { state in
            state.count += 1
            state.entries[state.count] = entry
            defer { state.isTimed = true }
            return (state.count, !state.isTimed)
        }
        if mustTime { time(on: channel.eventLoop) }
        return number
    }

    func end(_ number: UInt64) { state.withLock { $0.entries[number] = nil } }

    private func time(on loop: any EventLoop) {
        loop.scheduleTask(in: Self.interval) { self.look(on: loop) }
    }

    private func look(on loop: any EventLoop) {
        let now = NIODeadline.now()
        let (late, goesOn) = state.withLock { state in
            let late = state.entries.filter { $0.value.deadline <= now }
            for number in late.keys { state.entries[number] = nil }
            state.isTimed = !state.entries.isEmpty
            return (late.values.map(\.channel), state.isTimed)
        }
        for channel in late { channel.close(promise: nil) }
        if goesOn { time(on: loop) }
    }
}
