import WorkflowModel

/// The rows of a spooled file from a place on, read ahead of whoever applies them.
struct ImportFile: Sendable {
    /// A row with what is needed to go on after it.
    struct Item: Sendable {
        var row: Int
        /// Offset of the byte after it.
        var end: Int
        var reading: ImportPlan.Reading
        /// Lines that a stray quote has made part of it.
        var swallowed = 0
    }

    let job: Identifier
    private let spool: any ContactSpool
    private let plan: ImportPlan
    private let size: Int
    private var reader: CSVReader
    private var offset: Int
    private var items: [Item] = []
    /// Items handed out already.
    private var used = 0
    private var isAtEnd = false

    /// Bytes read at once.
    private static let chunk = 128 * 1024

    /// Offset of the byte after the last row that was handed out.
    private(set) var position: Int

    /// From the job's place on.
    init(_ job: ContactJob, plan: ImportPlan, spool: any ContactSpool) {
        self.job = job.id
        self.plan = plan
        self.spool = spool
        size = job.total
        offset = job.position
        position = job.position
        reader = CSVReader(separator: plan.options.separator.byte, offset: job.position, number: job.row)
    }

    /// Makes `count` rows ready; fewer at the end of the file alone.
    mutating func prepare(_ count: Int) throws {
        while items.count - used < count, !isAtEnd {
            let bytes = try spool.read(job, at: offset, count: min(Self.chunk, max(0, size - offset)))
            offset += bytes.count
            var rows = reader.read(bytes)
            if offset >= size || bytes.isEmpty {
                isAtEnd = true
                if let row = reader.finish() { rows.append(row) }
            }
            for row in rows {
                items.append(
                    Item(row: row.number, end: row.end, reading: plan.read(row), swallowed: row.swallowed))
            }
        }
    }

    /// The next rows; none at the end of the file.
    mutating func take(_ count: Int) throws -> [Item] {
        try prepare(count)
        let taken = Array(items[used..<min(items.count, used + count)])
        used += taken.count
        if let last = taken.last { position = last.end }
        // What was handed out is let go in one piece, not with every batch.
        if used > 4096 {
            items.removeFirst(used)
            used = 0
        }
        return taken
    }
}
