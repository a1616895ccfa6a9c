import Engine
import JSONValue
import WorkflowModel

extension FakeSession {
    func insert(_ mail: PendingMail) throws { throw Unsupported() }
    func deletePendingMail(_ id: Identifier) throws -> Bool { throw Unsupported() }
    func setEvent(_ event: Identifier, ofReception key: [UInt8]) throws { throw Unsupported() }
    func insert(_ outcome: InboundOutcome, in project: Identifier) throws { throw Unsupported() }
    func pruneInboundOutcomes(before time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func pendingMails(after id: Identifier?, limit: Int) throws -> [PendingMail.Place] { throw Unsupported() }
    func pendingMail(_ id: Identifier) throws -> PendingMail? { throw Unsupported() }
    func inboundOutcomes(in project: Identifier, before id: Identifier?, limit: Int) throws -> [InboundOutcome] {
        throw Unsupported()
    }
}
