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

    /// Gives threads that ask for no other size, as libmilter's workers do not, stacks of 2 MB in place of 8. The C library keeps
    /// 40 MB of stacks for the next threads and gives the rest back to the system: five stacks, otherwise, and every further
    /// worker would have one made and taken down, with its pages (pthread_setattr_default_np(3), nptl). It is the process's
    /// default: threads of Dispatch and Foundation that are made later have it, too. What recurses there stays far below:
    /// 0.2 MB for the deepest template, 0.15 MB for the deepest JSON (measured, optimised).
    static func limitStacks() {
        // Where the system does not take it, the stacks stay as they are.
        _ = postrider_set_default_stack(stackSize)
    }

    private static let stackSize = 2 << 20

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
