import JSONValue
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
        try await context.transact { transaction in
            guard let queueIDs else {
                let count = try transaction.store.resolveAllGaps(at: transaction.now)
                try Self.note(count, of: "all", in: transaction)
                return count
            }
            var total = 0
            for queueID in queueIDs {
                let count = try transaction.store.resolveGaps(of: queueID, recipient: nil, at: transaction.now)
                try Self.note(count, of: queueID, in: transaction)
                total += count
            }
            return total
        }
    }

    /// For the whole installation: a gap keeps its recipient, and not the project of the route. Where nothing was open,
    /// nothing has changed.
    private static func note(_ count: Int, of target: String, in transaction: EngineTransaction) throws {
        guard count > 0 else { return }
        try transaction.audit("inbound_gap.resolved", target, in: nil, details: ["count": .int(Int64(count))])
    }
}
