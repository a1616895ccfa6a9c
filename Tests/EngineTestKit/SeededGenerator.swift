import Engine
import Synchronization
import WorkflowModel

/// SplitMix64: the same numbers for the same seed, on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension IdentifierSource {
    /// Ids that are the same in every run.
    package static func seeded(_ seed: UInt64 = 1) -> IdentifierSource {
        let generator = SharedGenerator(seed: seed)
        return IdentifierSource { generator.pair() }
    }
}

private final class SharedGenerator: Sendable {
    private let generator: Mutex<SeededGenerator>

    init(seed: UInt64) { generator = Mutex(SeededGenerator(seed: seed)) }

    func pair() -> (UInt64, UInt64) { generator.withLock { ($0.next(), $0.next()) } }
}

/// A keyed sum in place of a hash: quick, repeatable, and good enough to tell inputs apart in a test.
package struct TestCryptography: Cryptography {
    package init() {}

    package func digest(_ bytes: [UInt8]) -> [UInt8] { authenticationCode(of: bytes, key: [0x5A]) }

    package func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var seed: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key + [UInt8(truncatingIfNeeded: key.count)] + bytes {
            seed = (seed ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        var generator = SeededGenerator(seed: seed)
        return (0..<4).flatMap { _ in
            let word = generator.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
        }
    }

    private static let calls = Mutex<UInt64>(0)

    /// Others at every call.
    package func randomBytes(_ count: Int) -> [UInt8] {
        let call = Self.calls.withLock { calls in
            calls += 1
            return calls
        }
        var generator = SeededGenerator(seed: call)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
}
