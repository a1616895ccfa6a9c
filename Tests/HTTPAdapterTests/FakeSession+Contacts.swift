import Engine
import WorkflowModel

/// No route over the fake touches these.
extension FakeSession {
    func changeAddress(of contact: Identifier, to email: String) throws { throw Unsupported() }
    func importTarget(email: String, in project: Identifier) throws -> ImportTarget? { throw Unsupported() }
    func markImported(_ contact: Identifier, by job: Int64) throws { throw Unsupported() }
    func insert(_ job: ContactJob) throws { throw Unsupported() }
    func contactJob(_ id: Identifier) throws -> ContactJob? { throw Unsupported() }
    func update(_ job: ContactJob) throws { throw Unsupported() }
    func openContactJobs(limit: Int) throws -> [ContactJob] { throw Unsupported() }
    func insert(_ errors: [ContactJob.RowError], of job: Int64) throws { throw Unsupported() }
    func pruneContactJobs(in project: Identifier, keeping count: Int) throws { throw Unsupported() }
    func contacts(
        matching query: ContactQuery, in project: Identifier, before id: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact] { throw Unsupported() }
    func contactCount(matching query: ContactQuery, in project: Identifier, at now: Timestamp) throws -> Int {
        throw Unsupported()
    }
    func contacts(in project: Identifier, after id: Identifier?, limit: Int) throws -> [Contact] {
        throw Unsupported()
    }
    func contactJob(_ id: Identifier, in project: Identifier) throws -> ContactJob? { throw Unsupported() }
    func contactJobs(in project: Identifier, limit: Int) throws -> [ContactJob] { throw Unsupported() }
    func errors(ofContactJob number: Int64, after row: Int, limit: Int) throws -> [ContactJob.RowError] {
        throw Unsupported()
    }
}
