import JSONValue
import WorkflowModel

/// Work on many contacts that goes on in the background: an import, or a bulk change by query. Its place moves on in the
/// transaction of each batch, so that whatever happens to the process, nothing is done twice and nothing is left out.
package struct ContactJob: Hashable, Sendable {
    /// What it does. The raw values are stored and shown.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case `import`, subscribe, unsubscribe, update, delete
    }

    package enum Status: String, Hashable, Sendable, CaseIterable {
        case running, completed, failed, cancelled
    }

    /// Rows of the file, or contacts that were looked at.
    package struct Counts: Hashable, Sendable {
        package var read = 0
        package var created = 0
        package var updated = 0
        package var unchanged = 0
        package var deleted = 0
        package var failed = 0

        package init() {}
    }

    /// Why one row was not applied; nothing of it was.
    package struct RowError: Hashable, Sendable {
        /// The raw values are stored and shown, and never change.
        package enum Rule: String, Hashable, Sendable, CaseIterable {
            /// More or fewer cells than the header.
            case ragged
            case encoding, quote, tooLong
            /// Missing, or no mail address.
            case email
            /// No yes or no.
            case subscribed
            /// The address stands in an earlier row.
            case duplicate
            /// The contact's data would be too large.
            case tooLarge
            /// What is stored of the contact cannot be read, or something that hangs on it.
            case stored
        }

        /// Of the file, the header is 1; of a bulk change, the how manieth contact.
        package var row: Int
        /// The header's word for the column; of a bulk change, the contact's id; nil where the row as a whole is meant.
        package var column: String?
        package var rule: Rule
        package var message: String

        package init(row: Int, column: String? = nil, _ rule: Rule, _ message: String) {
            self.row = row
            self.column = column
            self.rule = rule
            self.message = message
        }
    }

    package var id: Identifier
    /// Marks what it has imported; given by the store, 0 before.
    package var number: Int64 = 0
    package var projectID: Identifier
    package var kind: Kind
    package var status = Status.running
    /// `ImportPlan` or `BulkPlan` as JSON.
    package var plan: JSONObject
    /// Bytes of the file, or contacts, that are to be gone through.
    package var total: Int
    /// Import: offset in the file. Everything before it is done.
    package var position = 0
    /// Import: number of the row before it.
    package var row = 0
    /// Bulk change: the last contact that is done.
    package var cursor: Identifier?
    /// Bulk change: the last contact that it concerns; those made later are not.
    package var last: Identifier?
    package var counts = Counts()
    /// Why it failed.
    package var reason: String?
    /// Who works on it, and until when nobody else may.
    package var owner: String?
    package var leasedUntil: Timestamp?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var completedAt: Timestamp?

    package init(
        id: Identifier, projectID: Identifier, kind: Kind, plan: JSONObject, total: Int, createdAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.kind = kind
        self.plan = plan
        self.total = total
        self.createdAt = createdAt
        updatedAt = createdAt
    }

    /// From 0 to 1.
    package var progress: Double {
        if status == .completed || total == 0 { return status == .running ? 0 : 1 }
        let done = kind == .import ? position : counts.read
        return min(1, Double(done) / Double(total))
    }

    mutating func end(_ status: Status, reason: String? = nil, at time: Timestamp) {
        self.status = status
        self.reason = reason
        completedAt = time
        updatedAt = time
        owner = nil
        leasedUntil = nil
    }
}
