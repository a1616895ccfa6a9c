import WorkflowModel

/// The store's operations on contacts: lists, bulk changes, import and export, inside one write transaction.
package protocol ContactTransaction: AnyObject {
    /// - Parameter importedBy: the number of the job whose file brings it; see `importTarget`.
    /// - Throws: `StoreError.conflict` for an address that is there.
    func insert(_ contact: Contact, in project: Identifier, importedBy job: Int64?) throws
    /// - Throws: `StoreError.conflict` for an address that another contact of the project has.
    func changeAddress(of contact: Identifier, to email: String) throws
    /// The contact of that address, and the number of the job that last imported it.
    func importTarget(email: String, in project: Identifier) throws -> ImportTarget?
    func markImported(_ contact: Identifier, by job: Int64) throws

    // MARK: Jobs

    /// Gives the job its number.
    func insert(_ job: ContactJob) throws
    func contactJob(_ id: Identifier) throws -> ContactJob?
    /// Everything that changes while a job goes on.
    func update(_ job: ContactJob) throws
    /// Jobs that have not ended, the oldest first.
    func openContactJobs(limit: Int) throws -> [ContactJob]
    func insert(_ errors: [ContactJob.RowError], of job: Int64) throws
    /// Takes the oldest ended jobs of a project away, with their reports, until so many are left.
    func pruneContactJobs(in project: Identifier, keeping count: Int) throws
}

/// Reads of contacts: lists, bulk changes, import and export, on a snapshot.
package protocol ContactReader: AnyObject {
    /// A page, the newest first.
    /// - Parameters:
    ///   - id: those before this one; nil begins with the newest.
    ///   - now: what spans of time are counted back from.
    func contacts(
        matching query: ContactQuery, in project: Identifier, before id: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact]
    func contactCount(matching query: ContactQuery, in project: Identifier, at now: Timestamp) throws -> Int

    // MARK: Jobs

    func contactJob(_ id: Identifier, in project: Identifier) throws -> ContactJob?
    /// The newest first.
    func contactJobs(in project: Identifier, limit: Int) throws -> [ContactJob]
    /// In the order of their rows.
    func errors(ofContactJob number: Int64, after row: Int, limit: Int) throws -> [ContactJob.RowError]
}

/// A contact that a row of a file is about.
package struct ImportTarget: Hashable, Sendable {
    package var contact: Contact
    /// Number of the job that last imported it.
    package var importedBy: Int64?

    package init(contact: Contact, importedBy: Int64?) {
        self.contact = contact
        self.importedBy = importedBy
    }
}
