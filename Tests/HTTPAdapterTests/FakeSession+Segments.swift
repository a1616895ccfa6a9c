import Engine
import WorkflowModel

/// Routes about segments are tested over the real store.
extension FakeSession: ContactSearch {
    func contacts(
        matching filter: Filter, in project: Identifier, after cursor: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact] { throw Unsupported() }
    func contactCount(matching filter: Filter, in project: Identifier, at now: Timestamp) throws -> Int {
        throw Unsupported()
    }
}
