import Synchronization

/// Tells transfers under way to end. A thread inside libcurl cannot be woken; libcurl asks at least once a second.
final class StopSignal: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}
