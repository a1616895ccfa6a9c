import Dispatch
import Synchronization

/// Where templates become text: on threads of their own, because a template may take its whole second, and the threads that
/// tasks share are as few as the machine has processors: some slow templates there would stop everything.
final class RenderingThreads: Sendable {
    private let queues: [DispatchQueue]
    private let turn = Atomic<Int>(0)

    /// - Parameter count: renderings at the same time, at most; others wait.
    init(_ name: String, count: Int) {
        queues = (0..<max(1, count)).map { DispatchQueue(label: "\(name) \($0)", qos: .utility) }
    }

    /// Returns at once.
    func begin(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    /// - Throws: what `body` throws.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// They take turns.
    private var queue: DispatchQueue {
        let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return queues[Int(UInt(bitPattern: number) % UInt(queues.count))]
    }
}
