import Synchronization

/// The base of the pixel's address, without a slash at its end. With port 0 it is known only when the HTTP socket is bound.
package final class TrackingAddress: Sendable {
    private let base: Mutex<String?>

    /// - Parameter base: nil means no pixels.
    package init(_ base: String? = nil) { self.base = Mutex(base) }

    package var value: String? {
        get { base.withLock { $0 } }
        set { base.withLock { $0 = newValue } }
    }
}
