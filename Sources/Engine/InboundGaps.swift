import WorkflowModel

/// Mails for our routes that the MTA took while nobody here saw them.
package struct InboundGaps: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// The newest first.
    package func list(includingResolved: Bool, limit: Int) async throws -> [InboundGap] {
        try await context.store.read { try $0.inboundGaps(includingResolved: includingResolved, limit: limit) }
    }

    package func openCount() async throws -> Int { try await context.store.read { try $0.openGapCount() } }

    /// Somebody has dealt with them.
    /// - Parameter queueIDs: nil for all.
    /// - Returns: how many were open.
    package func resolve(_ queueIDs: [String]?) async throws -> Int {
        let now = context.clock.now()
        return try await context.store.write { store in
            guard let queueIDs else { return try store.resolveAllGaps(at: now) }
            return try queueIDs.reduce(0) { try $0 + store.resolveGaps(of: $1, recipient: nil, at: now) }
        }
    }
}
