import JSONValue
import WorkflowModel

/// The list of addresses that get no more mail, as people and clients handle it.
package struct Suppressions: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Page: Sendable {
        package var suppressions: [Suppression]
        /// Where the next page begins; nil when this is the last.
        package var next: SuppressionPosition?
    }

    /// By address and reason, without those that have ended. Those of erased contacts are known by a hash: they are found
    /// by their address alone.
    package func page(
        in project: Identifier, reason: Suppression.Reason? = nil, address: String? = nil,
        after position: SuppressionPosition? = nil, limit: Int
    ) async throws -> Page {
        let now = context.clock.now()
        return try await context.store.read { reader in
            if let address {
                let address = RecipientAddress.normal(address)
                var found = try reader.suppressions(of: address, in: project).filter { $0.isLive(at: now) }
                for kept in try reader.keptSuppressions(of: address, in: project, context)
                where kept.isLive(at: now) && !found.contains(where: { $0.reason == kept.reason }) {
                    found.append(kept)
                }
                return Page(
                    suppressions: found.filter { reason == nil || $0.reason == reason }
                        .sorted { $0.reason.rawValue < $1.reason.rawValue })
            }
            let found = try reader.suppressions(
                in: project, reason: reason, after: position, limit: limit + 1, at: now)
            let page = Array(found.prefix(limit))
            return Page(suppressions: page, next: found.count > limit ? page.last.map(SuppressionPosition.init) : nil)
        }
    }

    /// Goes through the whole list.
    package func forEach(
        in project: Identifier, reason: Suppression.Reason? = nil, _ body: (Suppression) throws -> Void
    ) async throws {
        var position: SuppressionPosition?
        repeat {
            let page = try await page(in: project, reason: reason, after: position, limit: Self.batchSize)
            for suppression in page.suppressions { try body(suppression) }
            position = page.next
        } while position != nil
    }

    /// The address in a text as the list keeps it; nil when there is none.
    package static func address(_ text: String) -> String? {
        let normal = RecipientAddress.normal(text)
        return MailBuilder.address(in: normal) == nil || !normal.contains("@") ? nil : normal
    }

    /// What somebody adds.
    package struct Addition: Hashable, Sendable {
        package var address: String
        package var reason: Suppression.Reason
        package var note: String?
        package var expiresAt: Timestamp?
        /// Nil: now.
        package var createdAt: Timestamp?

        package init(
            address: String, reason: Suppression.Reason = .manual, note: String? = nil, expiresAt: Timestamp? = nil,
            createdAt: Timestamp? = nil
        ) {
            self.address = address
            self.reason = reason
            self.note = note
            self.expiresAt = expiresAt
            self.createdAt = createdAt
        }
    }

    /// Additions that one transaction takes: everybody else waits for it.
    private static let batchSize = 500

    /// Adds them. What stands already with the same address and reason goes on to stand, with its evidence, and ends no
    /// sooner.
    /// - Returns: what stands now, for each.
    package func add(_ additions: [Addition], to project: Identifier) async throws -> [Suppression] {
        var added: [Suppression] = []
        for start in stride(from: 0, to: additions.count, by: Self.batchSize) {
            let batch = additions[start..<min(start + Self.batchSize, additions.count)]
            added += try await context.transact { transaction in
                var rows: [Suppression] = []
                transaction.wakes.withdraws = true
                for addition in batch {
                    let row = try suppression(addition, in: project, transaction)
                    try transaction.store.deleteKeptSuppressions(
                        of: row.address, reason: row.reason, in: project, context)
                    try transaction.store.save(row)
                    rows.append(row)
                }
                // One line for each request: the addresses themselves are in the list.
                try transaction.audit(
                    "suppression.added",
                    rows.count == 1
                        ? SuppressedAddress.reference(rows[0].address, context) : "\(rows.count) addresses",
                    in: project, details: ["count": .int(Int64(rows.count))])
                return rows
            }
        }
        return added
    }

    /// An addition together with what stands already: a file that comes from elsewhere, or from long ago, knows less
    /// than the list. Whoever wants a suppression to end sooner removes it first.
    private func suppression(
        _ addition: Addition, in project: Identifier, _ transaction: EngineTransaction
    ) throws -> Suppression {
        let address = RecipientAddress.normal(addition.address)
        var row = Suppression(
            projectID: project, address: address, reason: addition.reason,
            createdAt: addition.createdAt ?? transaction.now, expiresAt: addition.expiresAt)
        // The list after what is kept by hash alone, which has no evidence.
        let known =
            try transaction.store.keptSuppressions(of: address, in: project, context)
            + transaction.store.suppressions(of: address, in: project)
        for known in known where known.reason == addition.reason && known.isLive(at: transaction.now) {
            row.evidence = known.evidence
            row.createdAt = known.createdAt
            // Without an end it is for good.
            let ends = [row.expiresAt, known.expiresAt].compactMap(\.self)
            row.expiresAt = ends.count == 2 ? ends.max() : nil
        }
        // Our own files have what the other side said for a note.
        if let note = addition.note, row.evidence["note"] == nil, row.evidence["diagnostic"] != .string(note) {
            row.evidence["note"] = .string(note)
        }
        return row
    }

    /// Mail goes to the address again, as far as this list is concerned.
    /// - Parameter reason: nil for all.
    /// - Throws: `UseCaseError.notFound` when there is none.
    package func remove(_ address: String, reason: Suppression.Reason? = nil, from project: Identifier) async throws {
        let address = RecipientAddress.normal(address)
        try await context.transact { transaction in
            let listed = try transaction.store.deleteSuppressions(of: address, reason: reason, in: project)
            let kept = try transaction.store.deleteKeptSuppressions(of: address, reason: reason, in: project, context)
            guard listed + kept > 0 else {
                throw UseCaseError(
                    .notFound, "this address is not suppressed\(reason.map { " as \($0.rawValue)" } ?? "")")
            }
            try transaction.audit(
                "suppression.removed", SuppressedAddress.reference(address, context), in: project,
                details: reason.map { ["reason": .string($0.rawValue)] } ?? [:])
        }
    }
}
