import JSONValue
import WorkflowModel

/// A file of contacts on its way in: `append` its bytes as they come, then `begin`.
package struct ContactUpload: Sendable {
    private let projectID: Identifier
    private let options: ImportPlan.Options
    private let sink: any ContactSpoolSink
    private let spool: any ContactSpool
    /// The file's and the job's.
    package let id: Identifier
    private var size = 0

    /// Bytes in which the header must be complete.
    private static let headLimit = 256 * 1024

    /// - Throws: `StoreError` when the file cannot be made.
    package init(context: EngineContext, projectID: Identifier, options: ImportPlan.Options) throws {
        guard let spool = context.spool else { throw StoreError(.unusable, "there is no place for uploaded files") }
        self.projectID = projectID
        self.options = options
        self.spool = spool
        id = context.identifiers.make(at: context.clock.now())
        sink = try spool.make(id)
    }

    /// - Throws: `StoreError.full` when there is no space.
    package mutating func append(_ bytes: [UInt8]) throws {
        size += bytes.count
        try sink.append(bytes)
    }

    /// Takes the file away again.
    package func discard() { spool.remove(id) }

    /// Reads the header and begins the job. The file is safe when it returns; whatever is thrown, it is gone.
    /// - Throws: `UseCaseError`: `invalid` for a file that is no such CSV.
    /// - Parameter context: whose transaction begins the job.
    package func begin(_ context: EngineContext) async throws -> ContactJob {
        do {
            let head = try spool.read(id, at: 0, count: Self.headLimit)
            let (plan, position) = try Self.readHead(head, isWhole: size <= Self.headLimit, options: options)
            try await sink.finish()
            let (id, projectID, size) = (id, projectID, size)
            return try await context.transact { transaction in
                var job = ContactJob(
                    id: id, projectID: projectID, kind: .import, plan: plan.json, total: size,
                    createdAt: transaction.now)
                job.position = position.end
                job.row = position.row
                return try Contacts.begin(job, in: transaction)
            }
        } catch {
            discard()
            throw error
        }
    }

    /// Where the first row begins, and the number of the one before it.
    private struct Position {
        var end: Int
        var row: Int
    }

    private static func readHead(
        _ head: [UInt8], isWhole: Bool, options: ImportPlan.Options
    ) throws -> (ImportPlan, Position) {
        func refusal(_ message: String) -> UseCaseError {
            UseCaseError(.invalid, "the file cannot be imported", problems: [.init(path: "header", message: message)])
        }
        // A byte order mark, or ASCII in two bytes each (Unicode, section 23.8).
        let start = Array(head.prefix(4))
        let isUTF16 =
            start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF])
            || start.count >= 2 && (start[0] == 0) != (start[1] == 0)
        if isUTF16 {
            throw refusal(
                "the file is UTF-16: save it as UTF-8 (in Excel: CSV UTF-8), or convert it with iconv -f UTF-16 -t UTF-8"
            )
        }
        var reader = CSVReader(separator: options.separator.byte)
        var rows = reader.read(head)
        if rows.isEmpty, isWhole, let row = reader.finish() { rows = [row] }
        guard let header = rows.first else {
            throw refusal(
                isWhole
                    ? "the file is empty: its first row names the columns" : "the first row does not end: is it CSV?")
        }
        switch header.fault {
        case .encoding?: throw refusal("the header is not UTF-8: save the file as UTF-8")
        case .quote?: throw refusal("the header has a quote that nothing closes, or text behind a closing one")
        case .tooLong?: throw refusal("the header is too long")
        case nil: break
        }
        return (
            try ImportPlan(header: header.cells, options: options), Position(end: header.end, row: header.number)
        )
    }
}
