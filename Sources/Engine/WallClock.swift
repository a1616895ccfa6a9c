import WorkflowModel

/// The time of day. The engine asks for it once per use case and hands it down, so that a test's virtual clock decides
/// everything.
package protocol WallClock: Sendable {
    func now() -> Timestamp

    /// Returns at the given time or soon after it.
    /// - Throws: `CancellationError`.
    func sleep(until time: Timestamp) async throws
}
