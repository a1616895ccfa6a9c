import Engine
import WorkflowModel

/// Routes about templates are tested over a real engine.
extension FakeSession: TemplateTransaction, TemplateReader {
    func save(_ template: Catalog.TemplateRecord, at time: Timestamp) throws { throw Unsupported() }
    func rename(_ template: Catalog.TemplateRecord) throws { throw Unsupported() }
    func delete(template id: Identifier) throws { throw Unsupported() }
    func templateVersion(_ id: Identifier) throws -> TemplateVersion? { nil }
    func templateVersion(_ number: Int, of template: Identifier) throws -> TemplateVersion? { nil }
    func newestTemplateVersion(of template: Identifier) throws -> Int { throw Unsupported() }
    func templateVersions(
        of template: Identifier, limit: Int, offset: Int
    ) throws -> (rows: [TemplateVersion], total: Int) { throw Unsupported() }
    func mailCount(ofTemplate id: Identifier, among limit: Int) throws -> Int { throw Unsupported() }
}
