import WorkflowModel

/// Makes ids: time from the caller, randomness from the system.
package struct IdentifierSource: Sendable {
    private let random: @Sendable () -> (UInt64, UInt64)

    /// - Parameter random: 128 random bits; tests hand in a seeded generator.
    package init(
        random: @escaping @Sendable () -> (UInt64, UInt64) = {
            var generator = SystemRandomNumberGenerator()
            return (generator.next(), generator.next())
        }
    ) {
        self.random = random
    }

    package func make(at time: Timestamp) -> Identifier { Identifier(at: time, random: random()) }
}
