import Dispatch

/// Asks `condition` again and again until it holds.
///
/// Real time, because real servers are on the other side. The wait ends as soon as the condition holds, so a generous
/// deadline costs nothing when the test passes.
///
/// - Parameters:
///   - what: words for the error, for example "the sink has two messages".
///   - deadline: the longest wait.
///   - interval: the pause between two looks.
/// - Throws: ``FixtureError`` `timedOut`, or whatever `condition` throws.
package func eventually(
    _ what: String,
    deadline: Duration = .seconds(15),
    every interval: Duration = .milliseconds(20),
    isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    _ = try await eventualValue(what, deadline: deadline, every: interval) { try await condition() ? true : nil }
}

/// Asks `probe` again and again until it has a value, and returns it. See ``eventually(_:deadline:every:isolation:_:)``.
package func eventualValue<Value>(
    _ what: String,
    deadline: Duration = .seconds(15),
    every interval: Duration = .milliseconds(20),
    isolation: isolated (any Actor)? = #isolation,
    _ probe: () async throws -> Value?
) async throws -> Value {
    let end = ContinuousClock.now + deadline
    while true {
        if let value = try await probe() { return value }
        guard ContinuousClock.now < end else {
            throw FixtureError(.timedOut, "waited \(deadline) for: \(what)")
        }
        try await Task.sleep(for: interval)
    }
}

/// Runs blocking work on a thread of Dispatch, so that the threads of the concurrency pool stay free: there are only as
/// many of those as the machine has cores, and tests run in parallel.
package func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        blockingQueue.async { continuation.resume(with: Result(catching: work)) }
    }
}

private let blockingQueue = DispatchQueue(label: "ServerTestKit.blocking", attributes: .concurrent)
