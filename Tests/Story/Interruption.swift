import Dispatch
import Glibc
import Synchronization

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP. The first one ends the story in order, so that no server is left behind; a later
/// one ends it at once.
final class Interruption: Sendable {
    private struct State {
        var first: ContinuousClock.Instant?
        /// What the first one does.
        var act: (@Sendable () -> Void)?
    }

    private enum Effect {
        case end((@Sendable () -> Void)?)
        case exit
        case ignore
    }

    private let state = Mutex(State())
    /// `nonisolated(unsafe)`: made in the initialiser, and only kept alive afterwards.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// - Parameter directory: where the files stay when a second signal ends the story.
    init(leaving directory: String) {
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for source in sources {
            source.setEventHandler { [self] in take(leaving: directory) }
            source.resume()
        }
    }

    /// Whether a signal came.
    var hasCome: Bool { state.withLock { $0.first != nil } }

    /// Runs work that the first signal cuts off: its task is cancelled, ours is not.
    ///
    /// - Throws: `CancellationError` when it was cut off, or what the work throws.
    func cutOff(_ work: @escaping @Sendable () async throws -> Void) async throws {
        guard !hasCome else { throw CancellationError() }
        let task = Task { try await work() }
        atFirst { task.cancel() }
        do { try await task.value } catch {
            // A cancelled exchange throws all sorts of errors.
            if hasCome { throw CancellationError() }
            throw error
        }
    }

    /// Returns after the first signal, at once when it came before.
    func wait() async {
        await withCheckedContinuation { continuation in
            atFirst { continuation.resume() }
        }
    }

    private func atFirst(_ act: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            if state.first == nil { state.act = act }
            return state.first != nil
        }
        if isLate { act() }
    }

    private func take(leaving directory: String) {
        let now = ContinuousClock.now
        let effect: Effect = state.withLock { state in
            guard let first = state.first else {
                state.first = now
                defer { state.act = nil }
                return .end(state.act)
            }
            // One cause may send several: make passes SIGTERM on to a story that got it with its whole group, and a
            // terminal that closes says so twice.
            return now - first > .seconds(1) ? .exit : .ignore
        }
        switch effect {
        case .end(let act):
            print("\nEnding in order; a second signal ends at once.")
            fflush(nil)
            act?()
        case .exit:
            print("\nEnded at once. The files are in \(directory).")
            fflush(nil)
            exit(130)
        case .ignore: break
        }
    }
}
