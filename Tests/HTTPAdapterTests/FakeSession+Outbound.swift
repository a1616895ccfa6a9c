import Engine
import WorkflowModel

extension FakeSession {
    func save(_ suppression: Suppression) throws { throw Unsupported() }
    func deleteSuppressions(of address: String, reason: Suppression.Reason?, in project: Identifier) throws -> Int {
        throw Unsupported()
    }
    func noteSoftBounce(
        of entry: Identifier, address: String, in project: Identifier, at time: Timestamp, since start: Timestamp
    ) throws -> [Timestamp] { throw Unsupported() }
    func forgetSoftBounces(of address: String, in project: Identifier) throws { throw Unsupported() }
    func record(_ hit: ClickHit, limit: Int) throws -> ClickCount? { throw Unsupported() }
    func suppression(
        of address: String, in project: Identifier, for kind: TemplateSummary.Kind, at time: Timestamp
    ) throws -> Suppression.Reason? { throw Unsupported() }
    func suppressions(of address: String, in project: Identifier) throws -> [Suppression] { throw Unsupported() }
    func suppressions(
        in project: Identifier, reason: Suppression.Reason?, after position: SuppressionPosition?, limit: Int,
        at time: Timestamp
    ) throws -> [Suppression] { throw Unsupported() }
    func keptSuppressions(of address: String, hash: [UInt8], in project: Identifier) throws -> [Suppression] {
        throw Unsupported()
    }
    func deleteKeptSuppressions(of hash: [UInt8], reason: Suppression.Reason?, in project: Identifier) throws -> Int {
        throw Unsupported()
    }
    func isErasedAddress(_ hash: [UInt8], in project: Identifier) throws -> Bool { throw Unsupported() }
    func project(_ id: Identifier) throws -> Project? { tables.projects.first { $0.id == id } }
}
