import WorkflowModel

/// The store's operations on keys, idempotency, the audit log, inside one write transaction.
package protocol AccessTransaction: AccessReader {
    // MARK: Projects

    /// Writes name and time zone.
    func update(_ project: Project) throws
    /// Plans the schedule of an enabled workflow anew from that time on; nothing for any other workflow.
    func renewSchedule(of workflow: Identifier, at time: Timestamp) throws

    // MARK: Keys

    /// Adds a text to a key, or makes the key.
    func insert(_ key: APIKey, hash: [UInt8], at time: Timestamp) throws
    /// Every text of the key ends then, unless it ends sooner.
    func endKey(_ id: Identifier, at time: Timestamp) throws
    /// Forgets texts that ended before that time.
    func pruneKeys(before time: Timestamp) throws
    /// Notes a use.
    func touchKey(hash: [UInt8], at time: Timestamp) throws

    /// Writes other bytes in the place of a secret that is there.
    func replaceSecret(_ name: String, with bytes: [UInt8]) throws

    // MARK: Idempotency

    /// Adds the record, or the answer to the one that the request has already.
    /// - Returns: false when the project has the key already, from another request and younger than `expiry`.
    func insert(_ record: IdempotencyRecord, replacingOlderThan expiry: Timestamp) throws -> Bool
    /// Forgets a request's record, so that its key is free again.
    func release(_ record: IdempotencyRecord) throws
    /// Forgets at most so many records made before that time.
    /// - Returns: how many.
    func pruneIdempotency(before time: Timestamp, limit: Int) throws -> Int
    /// Notes what has become of one part of a request that has several.
    func insert(_ part: Events.Tracked, at position: Int, of request: Identifier) throws
    /// By position.
    func idempotencyParts(of request: Identifier) throws -> [Int: Events.Tracked]
    func deleteIdempotencyParts(of request: Identifier) throws
    /// Forgets at most so many parts of requests that came before that time.
    /// - Returns: how many.
    func pruneIdempotencyParts(before time: Timestamp, limit: Int) throws -> Int

    // MARK: Mails of requests

    /// The unnamed version of a project with that content hash.
    func unnamedVersion(hash: [UInt8], in project: Identifier) throws -> Identifier?
    /// Keeps a version that belongs to no template, to be found again by its hash.
    func insertUnnamed(_ version: TemplateVersion, hash: [UInt8], in project: Identifier, at time: Timestamp) throws
    func insert(_ attachments: [MailAttachment], asSet id: Identifier) throws
    /// Removes sets of attachments and unnamed versions that no mail needs.
    /// - Parameters:
    ///   - id: looks at those behind it.
    ///   - limit: looks at so many of each.
    /// - Returns: where to go on; nil at the end.
    func pruneMailParts(after id: Identifier?, limit: Int) throws -> Identifier?

    // MARK: Audit log

    func insert(_ record: AuditRecord) throws
}

/// Reads of keys, idempotency, the audit log, on a snapshot.
package protocol AccessReader: AnyObject {
    func catalogVersion() throws -> Int64
    /// The key of a text, also one that has ended.
    func key(hash: [UInt8]) throws -> APIKey?
    /// In the order they were made; a key whose text was replaced is there once for each text.
    func keys(of project: Identifier) throws -> [KeyRecord]
    func idempotencyRecord(_ name: IdempotencyRecord.Name) throws -> IdempotencyRecord?
    func attachments(ofSet id: Identifier) throws -> [MailAttachment]
    /// The newest first.
    func auditLog(_ selection: AuditSelection) throws -> [AuditRecord]
    /// Nil also for a mail of another project.
    func mailStatus(_ id: Identifier, in project: Identifier) throws -> MailStatus?
}
