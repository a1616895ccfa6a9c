import CLibmilter
import Glibc
import Synchronization

/// A plain thread that runs one long C call or loop, and tells a task when it came back.
final class MilterThread: Sendable {
    private enum State { case running, waiting(CheckedContinuation<Int32, Never>), ended(Int32) }

    private let state = Mutex(State.running)
    private let body: @Sendable () -> Int32

    /// Starts the thread. It keeps itself alive until `body` has returned.
    /// - Parameter name: for the error's sentence.
    init(name: String, body: @escaping @Sendable () -> Int32) throws(MilterError) {
        self.body = body
        var thread = pthread_t()
        let retained = Unmanaged.passRetained(self)  // +1
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<MilterThread>.fromOpaque(argument).takeRetainedValue().run()  // -1
                return nil
            }, retained.toOpaque())
        guard failure == 0 else {
            retained.release()  // -1: the thread that would have taken it does not exist
            throw .system("pthread_create(3)", about: "the thread \(name)", errno: failure)
        }
        pthread_detach(thread)
    }

    private func run() {
        let result = body()
        let waiting: CheckedContinuation<Int32, Never>? = state.withLock { state in
            defer { state = .ended(result) }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(returning: result)
    }

    /// What the body returned, as soon as it has. For one waiter only.
    func result() async -> Int32 {
        await withCheckedContinuation { continuation in
            let result: Int32? = state.withLock { state in
                if case .ended(let result) = state { return result }
                state = .waiting(continuation)
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }
}
