import Synchronization

/// Numbers that other rooms know of themselves, gathered for whoever watches the daemon. A room registers a way to ask it;
/// nothing is kept here.
package final class Gauges: Sendable {
    package typealias Reading = @Sendable () -> [String: Int]

    private let sources = Mutex<[String: Reading]>([:])

    package init() {}

    /// - Parameter room: the name under which the numbers are shown, for example `milter`.
    package func register(_ room: String, _ reading: @escaping Reading) { sources.withLock { $0[room] = reading } }

    package func read() -> [String: [String: Int]] { sources.withLock { $0 }.mapValues { $0() } }
}
