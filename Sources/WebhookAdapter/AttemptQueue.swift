import Engine
import Glibc

/// Hands attempts from tasks to the threads that make them, and outcomes back.
///
/// Threads wait in `next`, tasks never do. Every attempt that goes in comes out exactly once: by the thread that took it,
/// or by `close`.
///
/// `@unchecked Sendable`: everything mutable is only touched with `mutex` held.
final class AttemptQueue: @unchecked Sendable {
    struct Attempt: Sendable {
        let webhook: SignedWebhook
        let completion: @Sendable (WebhookOutcome) -> Void
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrival = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var waiting: [Attempt] = []
    private var isClosed = false
    private var threads = 0
    private var closeCompletions: [@Sendable () -> Void] = []

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(arrival, nil)
    }

    deinit {
        pthread_cond_destroy(arrival)
        pthread_mutex_destroy(mutex)
        arrival.deallocate()
        mutex.deallocate()
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Queues an attempt; it is answered at once when the queue is closed.
    func add(_ attempt: Attempt) {
        let isAccepted = locked {
            guard !isClosed else { return false }
            waiting.append(attempt)
            pthread_cond_signal(arrival)
            return true
        }
        if !isAccepted { attempt.completion(Self.notBegun) }
    }

    /// Waits for the next attempt; nil when none will come any more. Only for the threads of the pool.
    func next() -> Attempt? {
        locked {
            while waiting.isEmpty, !isClosed { pthread_cond_wait(arrival, mutex) }
            return waiting.isEmpty ? nil : waiting.removeFirst()
        }
    }

    /// A thread of the pool was started.
    func threadStarted() { locked { threads += 1 } }

    /// A thread of the pool has given up everything it held.
    func threadEnded() {
        let completions = locked { () -> [@Sendable () -> Void] in
            threads -= 1
            return threads == 0 ? takeCloseCompletions() : []
        }
        for completion in completions { completion() }
    }

    /// Takes nothing new, answers what no thread has begun, and calls `completion` after the last thread has ended.
    func close(completion: @escaping @Sendable () -> Void) {
        let (abandoned, completions) = locked { () -> ([Attempt], [@Sendable () -> Void]) in
            isClosed = true
            let abandoned = waiting
            waiting = []
            closeCompletions.append(completion)
            pthread_cond_broadcast(arrival)
            return (abandoned, threads == 0 ? takeCloseCompletions() : [])
        }
        for attempt in abandoned { attempt.completion(Self.notBegun) }
        for completion in completions { completion() }
    }

    /// Only with the mutex held.
    private func takeCloseCompletions() -> [@Sendable () -> Void] {
        defer { closeCompletions = [] }
        return closeCompletions
    }

    private static let notBegun = WebhookOutcome.failed(
        reason: "calling has stopped; the attempt was not begun", isTemporary: true)
}
