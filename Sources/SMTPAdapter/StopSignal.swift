import Synchronization

/// Tells transfers under way to end. A thread that waits for the relay is not woken; it asks once a second.
final class StopSignal: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}
