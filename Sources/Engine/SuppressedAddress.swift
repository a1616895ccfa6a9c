import WorkflowModel

/// How an erased address is remembered.
enum SuppressedAddress {
    /// HMAC-SHA-256 with this installation's secret: without it, nobody can try out addresses.
    static func hash(_ email: String, _ context: EngineContext) -> [UInt8] {
        context.tokens.fingerprint("suppressed address", of: AddressText.normal(email))
    }

    /// What the audit log calls an address: the log outlives the contact that has it.
    static func reference(_ email: String, _ context: EngineContext) -> String {
        let digits = Array("0123456789abcdef")
        return hash(email, context).prefix(8).reduce(into: "address:") { text, byte in
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }
}

extension OutboundReader {
    /// The reason that stands against a mail of that kind now, whether the list has the address or, since its contact was
    /// erased, only the hash of it.
    func standingSuppression(
        of address: String, in project: Identifier, for kind: TemplateSummary.Kind, at time: Timestamp,
        _ context: EngineContext
    ) throws -> Suppression.Reason? {
        if let reason = try suppression(of: address, in: project, for: kind, at: time) { return reason }
        let kept = try keptSuppressions(of: address, in: project, context).filter { $0.isLive(at: time) }
        return Suppression.Reason.allCases.first { reason in
            reason.stops(kind) && kept.contains { $0.reason == reason }
        }
    }

    /// What is kept by hash alone.
    func keptSuppressions(
        of address: String, in project: Identifier, _ context: EngineContext
    ) throws -> [Suppression] {
        guard try hasSuppressedAddresses(in: project) else { return [] }
        return try keptSuppressions(of: address, hash: SuppressedAddress.hash(address, context), in: project)
    }
}

extension OutboundTransaction {
    /// Removes what is kept by hash alone.
    /// - Parameter reason: nil for all.
    /// - Returns: how many there were.
    @discardableResult
    func deleteKeptSuppressions(
        of address: String, reason: Suppression.Reason?, in project: Identifier, _ context: EngineContext
    ) throws -> Int {
        guard try hasSuppressedAddresses(in: project) else { return 0 }
        return try deleteKeptSuppressions(
            of: SuppressedAddress.hash(address, context), reason: reason, in: project)
    }
}
