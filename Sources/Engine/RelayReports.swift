import Synchronization

/// Asks whoever sends mail how its relays are.
package final class RelayReports: Sendable {
    private let source = Mutex<(@Sendable () -> [RelayHealth])?>(nil)

    package init() {}

    func register(_ reading: @escaping @Sendable () -> [RelayHealth]) { source.withLock { $0 = reading } }

    /// In the order of the configuration; empty where nothing sends mail.
    package func read() -> [RelayHealth] { source.withLock { $0 }?() ?? [] }
}
