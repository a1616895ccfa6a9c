import Engine
import JSONValue
import Synchronization
import WorkflowModel

/// What the routes need of a database, in memory. Every other operation throws.
final class FakeStore: Store {
    struct Tables: Sendable {
        var projects: [Project] = []
        var workflows: [WorkflowRecord] = []
        var keys: [[UInt8]: APIKey] = [:]
        var contacts: [Contact] = []
        var events: [Event] = []
        var entries: [OutboxEntry] = []
        var hits: [PixelHit] = []
        var executions: [ExecutionListing] = []
        var steps: [Identifier: [StepExecution]] = [:]
        var counters: [String: Int] = [:]
        /// Thrown by every operation from now on.
        var failure: (any Error)?
        /// Waited for by every read.
        var beforeRead: (@Sendable () async -> Void)?
        /// Submitted work is never done.
        var isStalled = false
    }

    private let tables = Mutex(Tables())

    /// A copy of everything.
    var content: Tables { tables.withLock { $0 } }

    func change(_ body: (inout Tables) -> Void) { tables.withLock { body(&$0) } }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try perform { try body($0) }
    }

    func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        if content.isStalled { return }
        completion(Result { try perform { try body($0) } })
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (any StoreReader) throws -> Value) async throws -> Value {
        await content.beforeRead?()
        return try perform { try body($0) }
    }

    private func perform<Value: Sendable>(_ body: @Sendable (FakeSession) throws -> Value) throws -> Value {
        try tables.withLock { tables in
            if let failure = tables.failure { throw failure }
            let session = FakeSession(tables)
            let value = try body(session)
            tables = session.tables
            return value
        }
    }
}

/// One transaction or snapshot.
final class FakeSession {
    var tables: FakeStore.Tables

    init(_ tables: FakeStore.Tables) { self.tables = tables }

    struct Unsupported: Error {}
}

extension FakeSession: StoreReader {
    func within<Value>(_ limit: Duration, _ body: () throws -> Value) throws -> Value { try body() }

    func loadCatalog() throws -> Catalog {
        Catalog(version: 1, projects: tables.projects, workflows: tables.workflows, templates: [])
    }

    func executionCounts(in project: Identifier) throws -> [Identifier: [Execution.Status: Int]] {
        Dictionary(grouping: tables.executions, by: \.workflowID).mapValues { executions in
            executions.reduce(into: [:]) { $0[$1.status, default: 0] += 1 }
        }
    }

    func executions(
        of workflow: Identifier, status: Execution.Status?, limit: Int, offset: Int
    ) throws -> (rows: [ExecutionListing], total: Int) {
        let all = tables.executions.filter { $0.workflowID == workflow && (status == nil || $0.status == status) }
        return (Array(all.dropFirst(offset).prefix(limit)), all.count)
    }

    func execution(_ id: Identifier, workflow: Identifier) throws -> ExecutionListing? {
        tables.executions.first { $0.id == id && $0.workflowID == workflow }
    }
    func steps(of execution: Identifier) throws -> [StepExecution] { tables.steps[execution] ?? [] }
    func outboxCounts() throws -> [OutboxEntry.Status: Int] {
        tables.entries.reduce(into: [.pending: 0, .claimed: 0]) { $0[$1.status, default: 0] += 1 }
    }
    func counters() throws -> [String: Int] { tables.counters }
    func ticks(of workflow: Identifier, limit: Int) throws -> [ScheduleTick] { [] }
    func newestContactData(in project: Identifier, among limit: Int) throws -> [JSONObject] {
        tables.contacts.map(\.data)
    }
    func newestEventData(of name: String?, in project: Identifier, among limit: Int) throws -> [JSONObject] {
        tables.events.filter { name == nil || $0.name == name }.map(\.data)
    }
}

extension FakeSession: StoreTransaction {
    func catalogVersion() throws -> Int64 { 1 }
    func contact(email: String, in project: Identifier) throws -> Contact? {
        tables.contacts.first { $0.email == email }
    }
    func contact(_ id: Identifier, in project: Identifier) throws -> Contact? { try contact(id) }
    func contact(_ id: Identifier) throws -> Contact? { tables.contacts.first { $0.id == id } }
    func insert(_ contact: Contact, in project: Identifier, importedBy job: Int64?) throws {
        tables.contacts.append(contact)
    }
    func update(_ contact: Contact) throws {
        tables.contacts = tables.contacts.map { $0.id == contact.id ? contact : $0 }
    }
    func insert(_ event: Event, contact: Identifier?, in project: Identifier) throws { tables.events.append(event) }
    func hasExecution(of workflow: Identifier, contact: Identifier, value: String?, onlyActive: Bool) throws -> Bool {
        true
    }
    func executions(waitingFor event: String, contact: Identifier) throws -> [Identifier] { [] }
    func count(_ name: String, by amount: Int) throws { tables.counters[name, default: 0] += amount }
    func entry(_ id: Identifier) throws -> OutboxEntry? { tables.entries.first { $0.id == id } }
    func deliveredAt(_ entry: Identifier) throws -> Timestamp? { tables.entries.first { $0.id == entry }?.createdAt }
    func record(_ hit: PixelHit, limit: Int) throws -> Bool {
        tables.hits.append(hit)
        return hit.machineReason == nil && tables.hits.count == 1
    }

    // MARK: What no route touches

    func graph(ofVersion id: Identifier) throws -> WorkflowGraph? { throw Unsupported() }
    func insert(_ project: Project, at time: Timestamp) throws { throw Unsupported() }
    func save(_ workflow: WorkflowRecord, definition: JSON) throws { throw Unsupported() }
    func replaceDefinition(_ definition: JSON, ofVersion id: Identifier) throws { throw Unsupported() }
    func isUsed(version id: Identifier) throws -> Bool { throw Unsupported() }
    func delete(workflow id: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func activeExecutionCount(workflow: Identifier) throws -> Int { throw Unsupported() }
    func insert(_ execution: StoredExecution, once: Bool) throws { throw Unsupported() }
    func update(_ execution: StoredExecution) throws { throw Unsupported() }
    func save(_ steps: [StepExecution], of execution: Identifier) throws { throw Unsupported() }
    func execution(_ id: Identifier) throws -> StoredExecution? { throw Unsupported() }
    func executions(dueAt time: Timestamp, limit: Int) throws -> [Identifier] { throw Unsupported() }
    func nextTimer() throws -> Timestamp? { throw Unsupported() }
    func insert(_ entry: OutboxEntry) throws { throw Unsupported() }
    func noteTest(_ mail: OutboxEntry, showing contact: Identifier?) throws { throw Unsupported() }
    func record(_ attempt: AttemptRecord, of entry: Identifier) throws -> Bool { throw Unsupported() }
    func releaseClaims(at time: Timestamp) throws -> [Identifier] { throw Unsupported() }
    func unclaim(_ entries: [Identifier], until time: Timestamp) throws { throw Unsupported() }
    func failExecution(_ id: Identifier, reason: String, at time: Timestamp) throws { throw Unsupported() }
    func hasExecutions(of workflow: Identifier) throws -> Bool { throw Unsupported() }
    func insert(_ reception: Reception) throws -> Bool { throw Unsupported() }
    func pruneReceptions(
        before time: Timestamp, after key: [UInt8]?, limit: Int
    ) throws -> (forgotten: Int, next: [UInt8]?) { throw Unsupported() }
    func prunePixelHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?) { throw Unsupported() }
    func pruneClickHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?) { throw Unsupported() }
    func secret(_ name: String, orInsert candidate: [UInt8]) throws -> [UInt8] { throw Unsupported() }
}
