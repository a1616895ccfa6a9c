import Dispatch

/// Where tests may block: the client waits for answers in plain system calls, and a blocked thread of the cooperative
/// pool could be the very one that the server's tasks need.
@globalActor actor WireActor {
    static let shared = WireActor()

    private let executor = WireExecutor()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}

/// The same for one test: it blocks nobody but itself.
actor WireThread {
    private let executor = WireExecutor()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    static func run<Result: Sendable>(
        _ body: @Sendable (isolated WireThread) async throws -> Result
    ) async rethrows -> Result {
        let thread = WireThread()
        return try await body(thread)
    }
}

private final class WireExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "wire")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
