import Dispatch
import Logging

extension Logger {
    /// Commands print their results; what the engine would log is for the daemon.
    static var quiet: Logger { Logger(label: "postrider") { _ in SwiftLogNoOpLogHandler() } }
}

/// Runs asynchronous work to its end on behalf of a command; the main thread waits.
/// - Throws: `CommandFailure` with what `body` threw.
@discardableResult
func runBlocking<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome<Value>()
    Task.detached {
        do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
        done.signal()
    }
    done.wait()
    switch outcome.result {
    case .success(let value)?: return value
    case .failure(let error)?: throw CommandFailure("\(error)")
    case nil: throw CommandFailure("the work has not been done")
    }
}

/// `@unchecked`: written before the semaphore is signalled, read after it was waited for.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
    var result: Result<Value, any Error>?
}
