import Glibc
import Synchronization
import WorkflowModel

/// Makes ids: time from the caller, randomness from the system.
package struct IdentifierSource: Sendable {
    private let random: @Sendable () -> (UInt64, UInt64)

    /// With the system's randomness.
    package init() {
        let supply = RandomSupply()
        random = { supply.next() }
    }

    /// - Parameter random: 128 random bits; tests hand in a seeded generator.
    package init(random: @escaping @Sendable () -> (UInt64, UInt64)) { self.random = random }

    package func make(at time: Timestamp) -> Identifier { Identifier(at: time, random: random()) }
}

/// Random bits fetched from the system in advance: an event needs half a dozen ids, and a system call for each half of
/// them costs more than writing a row. Ids have to be unique, not secret, so a supply in memory does no harm.
private final class RandomSupply: Sendable {
    /// 256 bytes are the most that getentropy(3) gives at once.
    private static let size = 32

    private let words = Mutex<[UInt64]>([])

    func next() -> (UInt64, UInt64) {
        words.withLock { words in
            if words.count < 2 { words = Self.fetch() }
            return (words.removeLast(), words.removeLast())
        }
    }

    private static func fetch() -> [UInt64] {
        var fetched = [UInt64](repeating: 0, count: size)
        let code = fetched.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        guard code != 0 else { return fetched }
        // No such call on this kernel: the standard library knows other sources.
        var generator = SystemRandomNumberGenerator()
        return fetched.map { _ in generator.next() }
    }
}
