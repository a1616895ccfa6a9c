import Glibc

/// Runs work that blocks, on a thread of its own: never on one of the cooperative pool. How many there are at once is
/// bounded by who asks (`Scans`).
enum ScannerThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// The outcome of `body`; nil when the system gives no thread.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            // +1 here, -1 at the start of the thread, or below when there is none.
            let work = Unmanaged.passRetained(Work { continuation.resume(returning: body()) })
            var thread = pthread_t()
            let failure = pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                    // UNIX signals are for the main thread.
                    var all = sigset_t()
                    sigfillset(&all)
                    pthread_sigmask(SIG_BLOCK, &all, nil)
                    work.body()
                    return nil
                }, work.toOpaque())
            guard failure == 0 else {
                work.release()
                return continuation.resume(returning: nil)
            }
            pthread_detach(thread)
        }
    }
}
