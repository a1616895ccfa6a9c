import Logging
import WorkflowModel

extension EngineContext {
    /// Between two tries to write down an outcome, in seconds.
    static let longestPause: Int64 = 5

    /// Writes down what became of a claim, as often as it takes while the database fails: until then the claim stays, so
    /// that nothing goes out a second time. A stop does not wait for that; the next start treats the claim as an attempt
    /// whose end nobody knows. An error that is the row's own fault is not tried again.
    func insist(
        _ failure: Logger.Message, metadata: Logger.Metadata, until isStopping: () -> Bool,
        _ body: () async throws -> Void
    ) async {
        var pause: Int64 = 1
        while true {
            do { return try await body() } catch {
                logger.error(failure, metadata: metadata.merging(["error": "\(error)"]) { $1 })
                guard error is StoreError, !error.isRowsFault, !isStopping() else { return }
            }
            try? await clock.sleep(until: clock.now().adding(seconds: pause))
            pause = min(2 * pause, Self.longestPause)
        }
    }
}
