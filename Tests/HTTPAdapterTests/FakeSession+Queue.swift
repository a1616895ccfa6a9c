import Engine
import WorkflowModel

extension FakeSession {
    func insert(_ acceptance: Acceptance) throws -> Bool { throw Unsupported() }
    func setFate(_ fate: MailFate, of entry: Identifier) throws { throw Unsupported() }
    func save(_ delivery: QueuedDelivery) throws { throw Unsupported() }
    func deleteQueuedDelivery(instance: String, queueID: String) throws { throw Unsupported() }
    func saveLogPosition(_ position: String, of source: String, at time: Timestamp) throws { throw Unsupported() }
    func insert(_ gap: InboundGap) throws -> Bool { throw Unsupported() }
    func resolveGaps(of queueID: String, recipient: String?, at time: Timestamp) throws -> Int { throw Unsupported() }
    func resolveAllGaps(at time: Timestamp) throws -> Int { throw Unsupported() }
    func pruneQueue(before time: Timestamp) throws { throw Unsupported() }
    func acceptances(of entry: Identifier) throws -> [Acceptance] { throw Unsupported() }
    func relayedMail(_ entry: Identifier) throws -> RelayedMail? { throw Unsupported() }
    func fate(of entry: Identifier) throws -> MailFate? { nil }
    func queuedDelivery(instance: String, queueID: String) throws -> QueuedDelivery? { throw Unsupported() }
    func logPosition(of source: String) throws -> String? { throw Unsupported() }
    func receivedRecipients(underQueueIDs queueIDs: Set<String>) throws -> [String: [String]] { throw Unsupported() }
    func inboundGaps(includingResolved: Bool, limit: Int) throws -> [InboundGap] { throw Unsupported() }
    func openGapCount() throws -> Int { throw Unsupported() }
}
