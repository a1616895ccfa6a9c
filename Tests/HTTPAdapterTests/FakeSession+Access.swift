import Engine
import WorkflowModel

/// Keys are looked up; no route over the fake touches the rest.
extension FakeSession {
    func key(hash: [UInt8]) throws -> APIKey? { tables.keys[hash] }
    func keys(of project: Identifier) throws -> [KeyRecord] { throw Unsupported() }
    func insert(_ key: APIKey, hash: [UInt8], at time: Timestamp) throws { throw Unsupported() }
    func endKey(_ id: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func pruneKeys(before time: Timestamp) throws { throw Unsupported() }
    func replaceSecret(_ name: String, with bytes: [UInt8]) throws { throw Unsupported() }
    func touchKey(hash: [UInt8], at time: Timestamp) throws {}
    func update(_ project: Project) throws { throw Unsupported() }
    func renewSchedule(of workflow: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func insert(_ record: IdempotencyRecord, replacingOlderThan expiry: Timestamp) throws -> Bool {
        throw Unsupported()
    }
    func release(_ record: IdempotencyRecord) throws { throw Unsupported() }
    func pruneIdempotency(before time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func insert(_ part: Events.Tracked, at position: Int, of request: Identifier) throws { throw Unsupported() }
    func idempotencyParts(of request: Identifier) throws -> [Int: Events.Tracked] { throw Unsupported() }
    func deleteIdempotencyParts(of request: Identifier) throws { throw Unsupported() }
    func pruneIdempotencyParts(before time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func idempotencyRecord(_ name: IdempotencyRecord.Name) throws -> IdempotencyRecord? { throw Unsupported() }
    func unnamedVersion(hash: [UInt8], in project: Identifier) throws -> Identifier? { throw Unsupported() }
    func insertUnnamed(
        _ version: TemplateVersion, hash: [UInt8], in project: Identifier, at time: Timestamp
    ) throws { throw Unsupported() }
    func insert(_ attachments: [MailAttachment], asSet id: Identifier) throws { throw Unsupported() }
    func pruneMailParts(after id: Identifier?, limit: Int) throws -> Identifier? { throw Unsupported() }
    func attachments(ofSet id: Identifier) throws -> [MailAttachment] { throw Unsupported() }
    func mailStatus(_ id: Identifier, in project: Identifier) throws -> MailStatus? { throw Unsupported() }
    func insert(_ record: AuditRecord) throws { throw Unsupported() }
    func auditLog(_ selection: AuditSelection) throws -> [AuditRecord] { throw Unsupported() }
}
