import Synchronization

/// Asks whoever sends mail how much of a queue could go at once.
package final class ReadyMails: Sendable {
    private let source = Mutex<(@Sendable (OutboxQueue) -> Int)?>(nil)

    package init() {}

    func register(_ reading: @escaping @Sendable (OutboxQueue) -> Int) { source.withLock { $0 = reading } }

    /// As far as the queue has been read; nil where nothing sends mail.
    func count(in queue: OutboxQueue) -> Int? { source.withLock { $0 }?(queue) }
}
