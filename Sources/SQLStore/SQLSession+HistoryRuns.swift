import Engine
import WorkflowModel

// The runs of the index of histories. A row of `contact_history` holds as many entries as fit, in their order, under the
// last of them: a thousand events are 27 rows, to write, to merge and to look through.

extension SQLSession {
    struct HistoryRun {
        var run: Int64
        var level: Int
        var into: Int64?
    }

    /// Entries that lie together, in their order.
    struct HistoryRow {
        var id: Int64
        var entries: [HistoryEntry]

        /// - Throws: `StoreError.damaged` for bytes that are no entries.
        init(_ row: SQLRow) throws {
            id = row[0]
            entries = try HistoryEntry.entries(row[1])
        }
    }

    func historyRuns() throws -> [HistoryRun] {
        try rows("SELECT run, level, into_run FROM contact_runs ORDER BY run") {
            HistoryRun(run: $0[0], level: $0[1], into: $0[2])
        }
    }

    func makeRun(level: Int) throws -> Int64 {
        let number: Int64 = try first("SELECT max(run) FROM contact_runs") { $0[0] } ?? 0
        try run("INSERT INTO contact_runs (run, level) VALUES (?, ?)", number + 1, level)
        return number + 1
    }

    /// - Parameters:
    ///   - entries: in their order, and after all that the run has; what is there twice is written once.
    ///   - limit: bytes in a row.
    func append(_ entries: some Sequence<HistoryEntry>, to run: Int64, limit: Int) throws {
        var bytes: [UInt8] = []
        var last: HistoryEntry?
        for entry in entries where entry != last {
            if let end = last, bytes.count + entry.length > limit {
                try insert(bytes, last: end, run: run)
                bytes.removeAll(keepingCapacity: true)
            }
            entry.append(to: &bytes)
            last = entry
        }
        if let last { try insert(bytes, last: last, run: run) }
    }

    private func insert(_ bytes: [UInt8], last: HistoryEntry, run number: Int64) throws {
        try run("INSERT INTO contact_history (run, last, entries) VALUES (?, ?, ?)", number, last.key, bytes)
    }

    // MARK: Merging

    /// Moves the smallest entries of those runs, as far as all of them are known.
    /// - Parameter limit: rows of each.
    func move(_ sources: [Int64], into target: Int64, limit: Int, rowLimit: Int) throws {
        let read = try sources.map { source in
            try rows(
                "SELECT id, entries FROM contact_history WHERE run = ? ORDER BY last LIMIT ?", source, limit,
                decode: HistoryRow.init)
        }
        // What lies behind the last row that was read of a run is greater.
        let bound = read.compactMap { $0.count == limit ? $0.last?.entries.last : nil }.min()
        var entries: [HistoryEntry] = []
        for (source, rows) in zip(sources, read) {
            guard let bound else {
                entries += rows.flatMap(\.entries)
                try run("DELETE FROM contact_history WHERE run = ?", source)
                try run("DELETE FROM contact_runs WHERE run = ?", source)
                continue
            }
            for row in rows {
                let end = row.entries.firstIndex { $0 > bound } ?? row.entries.endIndex
                if end == row.entries.startIndex { break }
                entries += row.entries[..<end]
                try replace(row, by: Array(row.entries[end...]))
            }
            let isLeft = try first("SELECT 1 FROM contact_history WHERE run = ? LIMIT 1", source) { _ in true }
            if isLeft == nil { try run("DELETE FROM contact_runs WHERE run = ?", source) }
        }
        try append(entries.sorted(), to: target, limit: rowLimit)
    }

    /// - Parameter entries: some of the row's, in their order.
    private func replace(_ row: HistoryRow, by entries: [HistoryEntry]) throws {
        guard let last = entries.last else {
            return try run("DELETE FROM contact_history WHERE id = ?", row.id)
        }
        var bytes: [UInt8] = []
        for entry in entries { entry.append(to: &bytes) }
        if last == row.entries.last {
            try run("UPDATE contact_history SET entries = ? WHERE id = ?", bytes, row.id)
        } else {
            try run("UPDATE contact_history SET last = ?, entries = ? WHERE id = ?", last.key, bytes, row.id)
        }
    }

    // MARK: One contact

    /// What a run has of a contact, the newest first.
    func refs(
        in run: Int64, of contact: Identifier, kind: HistoryKind, before: HistoryRef, limit: Int
    ) throws -> [HistoryRef] {
        let end = HistoryEntry(contact: contact, kind: kind, ref: before)
        var refs: [HistoryRef] = []
        /// True when there can be no more.
        func take(_ row: SQLRow) throws -> Bool? {
            for entry in try HistoryEntry.entries(row[0]).reversed() where entry < end {
                guard refs.count < limit, entry.contact == contact, entry.kind == kind else { return true }
                refs.append(entry.ref)
            }
            return nil
        }
        // The row that holds the end, and those before it.
        let isAll = try firstDecoded(
            "SELECT entries FROM contact_history WHERE run = ? AND last >= ? ORDER BY last LIMIT 1", run, end.key,
            decode: take)
        if isAll == nil {
            _ = try firstDecoded(
                "SELECT entries FROM contact_history WHERE run = ? AND last < ? AND last >= ? ORDER BY last DESC", run,
                end.key, HistoryEntry.start(of: contact, kind), decode: take)
        }
        return refs
    }

    /// What a run has of a contact, the smallest entries first: whole rows until it is `limit` entries.
    func entries(in run: Int64, of contact: Identifier, limit: Int) throws -> [HistoryEntry] {
        try historyRows(in: run, of: contact, limit: limit).flatMap { $0.entries.filter { $0.contact == contact } }
    }

    /// Takes what `entries(in:of:limit:)` finds out of a run.
    /// - Returns: how many they were.
    func removeEntries(in run: Int64, of contact: Identifier, limit: Int) throws -> Int {
        var count = 0
        for row in try historyRows(in: run, of: contact, limit: limit) {
            let rest = row.entries.filter { $0.contact != contact }
            count += row.entries.count - rest.count
            try replace(row, by: rest)
        }
        return count
    }

    private func historyRows(in run: Int64, of contact: Identifier, limit: Int) throws -> [HistoryRow] {
        var found: [HistoryRow] = []
        var count = 0
        _ = try firstDecoded(
            "SELECT id, entries FROM contact_history WHERE run = ? AND last >= ? ORDER BY last", run, contact.bytes
        ) { columns -> Bool? in
            let row = try HistoryRow(columns)
            let own = row.entries.count { $0.contact == contact }
            if own > 0 { found.append(row) }
            count += own
            return count >= limit || row.entries.last?.contact != contact ? true : nil
        }
        return found
    }
}
