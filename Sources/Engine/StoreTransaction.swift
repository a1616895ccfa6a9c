import JSONValue
import WorkflowModel

/// The operations inside one write transaction. All are synchronous and run on the writer.
package protocol StoreTransaction: WebhookTransaction, ExecutionTransaction, ScheduleTransaction, ContactTransaction,
    HistoryTransaction, SegmentTransaction, TemplateTransaction, AccessTransaction, SubscriptionTransaction,
    OutboundTransaction, ReturnTransaction, ReplyTransaction, WithdrawalReader, OutboxQueueTransaction,
    QueueTransaction, InboundTransaction, BroadcastTransaction, TrackingTransaction
{
    // MARK: Catalog

    /// Another number after every change of projects, keys, workflows or templates, in the transaction of the change. Never one
    /// that was there before: a change that is rolled back must not leave its number to the next one.
    func catalogVersion() throws -> Int64
    func loadCatalog() throws -> Catalog
    /// The graph of any version; nil when there is no such version.
    func graph(ofVersion id: Identifier) throws -> WorkflowGraph?

    func insert(_ project: Project, at time: Timestamp) throws
    /// Inserts the workflow or replaces its mutable part; adds `definition` as a version when it is new.
    func save(_ workflow: WorkflowRecord, definition: JSON) throws
    /// In place: for a version that no execution has taken, and for names and positions.
    func replaceDefinition(_ definition: JSON, ofVersion id: Identifier) throws
    /// Whether an execution has ever taken the version.
    func isUsed(version id: Identifier) throws -> Bool
    /// Takes the workflow out of the catalog for good and frees its slug. Its versions and executions stay as history.
    func delete(workflow id: Identifier, at time: Timestamp) throws

    // MARK: Contacts and events

    func contact(email: String, in project: Identifier) throws -> Contact?
    func contact(_ id: Identifier) throws -> Contact?
    /// Nil also for a contact of another project.
    func contact(_ id: Identifier, in project: Identifier) throws -> Contact?
    func update(_ contact: Contact) throws
    func insert(_ event: Event, contact: Identifier?, in project: Identifier) throws

    // MARK: Outbox

    func insert(_ entry: OutboxEntry) throws
    /// Has the test mail erased with the contact whose data it shows, and with its recipient.
    func noteTest(_ mail: OutboxEntry, showing contact: Identifier?) throws
    /// - Returns: whether the mail is still there.
    @discardableResult
    func record(_ attempt: AttemptRecord, of entry: Identifier) throws -> Bool
    /// Gives back what a stopped daemon had claimed; each counts as an uncertain attempt.
    func releaseClaims(at time: Timestamp) throws -> [Identifier]
    /// Gives back entries whose attempt never began; they are due again at that time.
    func unclaim(_ entries: [Identifier], until time: Timestamp) throws

    // MARK: Mail in, opens

    /// - Returns: false when the key is already there.
    func insert(_ reception: Reception) throws -> Bool
    func entry(_ id: Identifier) throws -> OutboxEntry?
    func deliveredAt(_ entry: Identifier) throws -> Timestamp?
    /// Stores the hit unless the mail already has `limit` of them.
    /// - Returns: whether it is the first hit of a person.
    func record(_ hit: PixelHit, limit: Int) throws -> Bool
    /// Forgets receptions that are older, of the next ones in the order of their keys.
    /// - Parameters:
    ///   - key: the last that an earlier call has looked at; nil begins at the first.
    ///   - limit: rows to look at.
    /// - Returns: how many were forgotten, and where to go on; nil at the end.
    func pruneReceptions(
        before time: Timestamp, after key: [UInt8]?, limit: Int
    ) throws -> (forgotten: Int, next: [UInt8]?)
    /// Forgets fetches of pixels that are older, of the next ones in the order of their mails. The counts of the mails stay.
    /// - Parameters:
    ///   - place: the last that an earlier call has looked at; nil begins at the first.
    ///   - limit: rows to look at.
    /// - Returns: how many were forgotten, and where to go on; nil at the end.
    func prunePixelHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?)
    /// The same for links that were followed.
    func pruneClickHits(
        before time: Timestamp, after place: HitPlace?, limit: Int
    ) throws -> (forgotten: Int, next: HitPlace?)

    // MARK: Counters and secrets

    /// The secret bytes kept under that name; `candidate` becomes them when there are none yet.
    func secret(_ name: String, orInsert candidate: [UInt8]) throws -> [UInt8]
    /// Adds to a durable counter.
    func count(_ name: String, by amount: Int) throws
}

extension StoreTransaction {
    /// One that no file brings.
    package func insert(_ contact: Contact, in project: Identifier) throws {
        try insert(contact, in: project, importedBy: nil)
    }
}

/// Reads for the API, on a snapshot.
package protocol StoreReader: ExecutionReader, ContactReader, HistoryReader, SegmentReader, TemplateReader,
    AccessReader,
    SubscriptionReader, WithdrawalReader, OutboxQueueReader, QueueReader, InboundReader, BroadcastReader, TrackingReader
{
    /// Runs `body`, and breaks off the query that it is at when that time has passed.
    /// - Throws: what `body` throws; `StoreError.tooSlow`.
    func within<Value>(_ limit: Duration, _ body: () throws -> Value) throws -> Value
    func loadCatalog() throws -> Catalog
    func activeExecutionCount(workflow: Identifier) throws -> Int
    func hasExecutions(of workflow: Identifier) throws -> Bool
    /// Whether an execution has ever taken the version.
    func isUsed(version id: Identifier) throws -> Bool
    func contact(email: String, in project: Identifier) throws -> Contact?
    func contact(_ id: Identifier, in project: Identifier) throws -> Contact?
    /// Whether the contact has one here; any at all, or one that is RUNNING or WAITING.
    /// - Parameter value: of the re-entry key; nil asks for those with any value and with none.
    func hasExecution(of workflow: Identifier, contact: Identifier, value: String?, onlyActive: Bool) throws -> Bool
    /// Nil also for an event whose occurrences are not kept.
    func lastOccurrence(of name: String, contact: Identifier) throws -> Timestamp?
    func outboxCounts() throws -> [OutboxEntry.Status: Int]
    func webhookCounts() throws -> [WebhookCall.Status: Int]
    func webhookCall(_ id: Identifier) throws -> WebhookCall?
    func webhookSecret(of project: Identifier) throws -> WebhookSecret?
    func counters() throws -> [String: Int]
    /// Nil for a workflow that does not start by the clock, or is switched off.
    func schedule(of workflow: Identifier) throws -> ScheduleEntry?
    /// Of one workflow, the newest first.
    func ticks(of workflow: Identifier, limit: Int) throws -> [ScheduleTick]
    /// Data of the project's contacts among the newest so many of all. Data of more than 16 KiB are left out.
    func newestContactData(in project: Identifier, among limit: Int) throws -> [JSONObject]
    /// Data of the project's events among the newest so many of all; of one name, or of any. Data of more than 16 KiB are left
    /// out.
    func newestEventData(of name: String?, in project: Identifier, among limit: Int) throws -> [JSONObject]
}

/// An execution as the API lists it.
package struct ExecutionListing: Sendable {
    package var id: Identifier
    package var workflowID: Identifier
    package var contactID: Identifier
    package var contactEmail: String
    package var status: Execution.Status
    package var currentStep: String?
    package var exitReason: String?
    package var context: JSONObject
    package var dueAt: Timestamp?
    package var startedAt: Timestamp
    package var completedAt: Timestamp?
    /// Nil where the workflow had no re-entry key when it was started.
    package var reentryValue: String?

    package init(
        id: Identifier, workflowID: Identifier, contactID: Identifier, contactEmail: String,
        status: Execution.Status, currentStep: String?, exitReason: String?, context: JSONObject,
        dueAt: Timestamp?, startedAt: Timestamp, completedAt: Timestamp?, reentryValue: String? = nil
    ) {
        self.id = id
        self.workflowID = workflowID
        self.contactID = contactID
        self.contactEmail = contactEmail
        self.status = status
        self.currentStep = currentStep
        self.exitReason = exitReason
        self.context = context
        self.dueAt = dueAt
        self.startedAt = startedAt
        self.completedAt = completedAt
        self.reentryValue = reentryValue
    }
}
