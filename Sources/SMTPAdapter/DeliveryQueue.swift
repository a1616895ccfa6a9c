import Glibc
import MailModel

/// Hands messages from tasks to the threads that send them, and outcomes back.
///
/// Threads wait in `next`, tasks never do. Every delivery that goes in comes out exactly once: by `finish`, by
/// `withdraw`, or by `close`.
///
/// `@unchecked Sendable`: everything mutable is only touched with `mutex` held.
final class DeliveryQueue: @unchecked Sendable {
    typealias Completion = @Sendable (DeliveryOutcome) -> Void

    /// One message with the number it is known by in this queue.
    struct Delivery: Sendable {
        let number: UInt64
        let mail: OutgoingMail
        let completion: Completion
    }

    /// Deliveries that no thread has begun, first in, first out.
    private struct Line {
        /// The first `begun` of them are gone.
        private var deliveries: [Delivery?] = []
        private var begun = 0

        var isEmpty: Bool { begun == deliveries.count }

        mutating func append(_ delivery: Delivery) { deliveries.append(delivery) }

        mutating func popFirst() -> Delivery? {
            guard begun < deliveries.count else { return nil }
            defer {
                deliveries[begun] = nil
                begun += 1
                // Each is moved once at most.
                if begun > 32, begun * 2 > deliveries.count {
                    deliveries.removeFirst(begun)
                    begun = 0
                }
            }
            return deliveries[begun]
        }

        mutating func remove(_ number: UInt64) -> Delivery? {
            deliveries.firstIndex { $0?.number == number }.flatMap { deliveries.remove(at: $0) }
        }

        mutating func takeAll() -> [Delivery] {
            defer { self = Line() }
            return deliveries.compactMap(\.self)
        }
    }

    /// What a thread is to do next.
    enum Work {
        case delivery(Delivery)
        /// Nothing came for the time given.
        case idle
        /// Nothing will come any more.
        case closed
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrival = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// What somebody waits for goes first.
    private var urgent = Line()
    private var waiting = Line()
    /// Threads that wait for work.
    private var idle = 0
    /// When one of them was told to come that has not come yet, in nanoseconds. It has the next one told when there is more than it
    /// takes: a call for every delivery would wake threads that find it done, 9 % of what `drain` counts.
    private var calledAt: Int64?
    /// After so long another one is told: the C library of Debian 12 may lose a call (glibc 25847).
    private static let callTime: Int64 = 20_000_000
    /// And whoever waits for ever looks now and then.
    private let lookTime: Duration
    private var lastNumber: UInt64 = 0
    private var isClosed = false
    private var threads = 0
    private var closeCompletions: [@Sendable () -> Void] = []

    init(lookTime: Duration = .seconds(30)) {
        self.lookTime = lookTime
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Deadlines must not move with the wall clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(arrival, &attributes)
        pthread_condattr_destroy(&attributes)
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

    /// A number for `add` and `withdraw`; a withdrawal may come before the delivery it means.
    func newNumber() -> UInt64 {
        locked {
            lastNumber += 1
            return lastNumber
        }
    }

    /// Queues a delivery; it is answered at once when the queue is closed.
    func add(_ delivery: Delivery) {
        let (isAccepted, isCalling) = locked {
            guard !isClosed else { return (false, false) }
            if delivery.mail.isUrgent { urgent.append(delivery) } else { waiting.append(delivery) }
            return (true, callsSomebody())
        }
        // Whoever wakes up finds the mutex free.
        if isCalling { pthread_cond_signal(arrival) }
        if !isAccepted { delivery.completion(Self.notBegun) }
    }

    /// Takes back a delivery that no thread has begun; otherwise nothing happens.
    func withdraw(_ number: UInt64) {
        let delivery = locked {
            urgent.remove(number) ?? waiting.remove(number)
        }
        delivery?.completion(.unreachable(reason: "The delivery was cancelled before it began."))
    }

    /// The next delivery, when one waits, to be begun before the one under way has ended. None that somebody waits for: that
    /// goes over the connection that is free first; and none while another connection is free.
    func nextAhead() -> Delivery? { locked { urgent.isEmpty && idle == 0 ? waiting.popFirst() : nil } }

    /// Connections whose threads wait for work.
    var freeConnections: Int { locked { idle } }

    /// Waits for work, at most `limit`, or for ever without one. Only for the threads of the pool.
    func next(within limit: Duration?) -> Work {
        let (work, isCalling) = locked { () -> (Work, Bool) in
            var deadline: timespec?
            while true {
                if let delivery = urgent.popFirst() ?? waiting.popFirst() {
                    return (.delivery(delivery), !(urgent.isEmpty && waiting.isEmpty) && callsSomebody())
                }
                if isClosed { return (.closed, false) }
                if deadline == nil { deadline = limit.map(Self.deadline) }
                if !waitForArrival(until: deadline ?? Self.deadline(lookTime)), limit != nil, urgent.isEmpty,
                    waiting.isEmpty
                {
                    return (isClosed ? .closed : .idle, false)
                }
            }
        }
        if isCalling { pthread_cond_signal(arrival) }
        return work
    }

    /// Whether a thread that waits is to be told to come; it counts as told then. Only with the mutex held.
    private func callsSomebody() -> Bool {
        guard idle > 0 else { return false }
        let now = Self.now
        if let calledAt, now - calledAt < Self.callTime { return false }
        calledAt = now
        return true
    }

    /// Only with the mutex held. False when the deadline has passed.
    private func waitForArrival(until deadline: timespec) -> Bool {
        idle += 1
        defer {
            idle -= 1
            // Also after a wait in vain, when it was another who was told: that one finds what there is all the same.
            calledAt = nil
        }
        var deadline = deadline
        return pthread_cond_timedwait(arrival, mutex, &deadline) != ETIMEDOUT
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
        let (abandoned, completions) = locked { () -> ([Delivery], [@Sendable () -> Void]) in
            isClosed = true
            let abandoned = urgent.takeAll() + waiting.takeAll()
            closeCompletions.append(completion)
            pthread_cond_broadcast(arrival)
            return (abandoned, threads == 0 ? takeCloseCompletions() : [])
        }
        for delivery in abandoned { delivery.completion(Self.notBegun) }
        for completion in completions { completion() }
    }

    /// Only with the mutex held.
    private func takeCloseCompletions() -> [@Sendable () -> Void] {
        defer { closeCompletions = [] }
        return closeCompletions
    }

    static let notBegun = DeliveryOutcome.unreachable(
        reason: "Sending has stopped; the delivery was not begun.")

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func deadline(_ limit: Duration) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = Int64(time.tv_nsec) + limit.components.attoseconds / 1_000_000_000
        time.tv_sec += Int(limit.components.seconds + nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return time
    }
}
