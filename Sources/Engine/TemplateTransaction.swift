import WorkflowModel

/// The store's operations on templates and their versions, inside one write transaction.
package protocol TemplateTransaction: AnyObject {
    /// Adds a version and makes it current; makes the template when it is new.
    func save(_ template: Catalog.TemplateRecord, at time: Timestamp) throws
    /// Writes name and description.
    func rename(_ template: Catalog.TemplateRecord) throws
    /// Takes the template out of the catalog for good and frees its slug. Its versions stay for the mails made of them.
    func delete(template id: Identifier) throws
    /// Nil when there is no version of that number.
    func templateVersion(_ number: Int, of template: Identifier) throws -> TemplateVersion?
    func templateVersion(_ id: Identifier) throws -> TemplateVersion?
    /// Its number; 0 without any version.
    func newestTemplateVersion(of template: Identifier) throws -> Int
}

/// Reads of templates and their versions, on a snapshot.
package protocol TemplateReader: AnyObject {
    func templateVersion(_ id: Identifier) throws -> TemplateVersion?
    /// Nil when there is no version of that number.
    func templateVersion(_ number: Int, of template: Identifier) throws -> TemplateVersion?
    /// The newest first.
    func templateVersions(
        of template: Identifier, limit: Int, offset: Int
    ) throws -> (rows: [TemplateVersion], total: Int)
    /// How many of the newest mails, so many of them looked at, were made from the template.
    func mailCount(ofTemplate id: Identifier, among limit: Int) throws -> Int
}
