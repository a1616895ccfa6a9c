import Engine
import WorkflowModel

extension FakeSession {
    func insert(_ mailReturn: MailReturn) throws -> Bool { throw Unsupported() }
    func insert(_ report: InboundReport) throws { throw Unsupported() }
    func noteAnswer(to execution: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func entries(relayQueueID id: String, since time: Timestamp) throws -> [OutboxEntry] { throw Unsupported() }
    func pruneReports(before time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func returns(of entry: Identifier) throws -> [MailReturn] { throw Unsupported() }
    func reports(_ selection: ReportSelection) throws -> [InboundReport] { throw Unsupported() }
    func answeredAt(execution id: Identifier) throws -> Timestamp? { throw Unsupported() }
}
