import Engine
import WorkflowModel

// The index of what happened to each contact.
//
// An ordinary index by contact would cost every event a page of its own, because contacts come in no order. So what is
// new is left where it is (events behind a rowid, executions and mails in a journal) until it is enough to be sorted and
// written at once, as a run. Runs of one level are merged into one of the next, so that there are never many: with runs of
// 1024 and a fan-in of 16, a million entries are in at most 45 runs, and a look-up is a seek or two in each and a look
// through what is new.
//
// A merge moves entries: the smallest ones of all its runs at a time, in a transaction each. At every moment every entry is
// in exactly one run, or in two when it was written twice; readers leave out the second.
//
// Invariants:
//   every event up to `through`, and no other, is in a run and in the counts by name and day
//   every entry of the journal is in no run yet
//   an entry may refer to what was deleted; whoever follows it looks whether it is there and the contact's

extension SQLSession {
    func indexHistory(_ sizes: HistorySizes, isUrgent: Bool) throws -> Bool {
        if try collect(sizes, isUrgent: isUrgent) { return true }
        return try merge(sizes)
    }

    // MARK: What is new

    /// Up to which rowid the index has the events.
    func indexedEvents() throws -> Int64 {
        try first("SELECT through FROM history_progress WHERE kind = 1") { $0[0] } ?? 0
    }

    func newestEventRow() throws -> Int64 { try first("SELECT max(rowid) FROM events") { $0[0] } ?? 0 }

    private func collect(_ sizes: HistorySizes, isUrgent: Bool) throws -> Bool {
        let backlogs = try [backlog(.execution), backlog(.mail)]
        let events = try newestEventRow() - indexedEvents()
        let transactions: Int =
            try first(
                "SELECT count(*) FROM (SELECT 1 FROM contact_journal LIMIT ?)", max(1, sizes.run / 4)
            ) { $0[0] } ?? 0
        let isDue =
            events >= sizes.run || transactions >= max(1, sizes.run / 4) || backlogs.contains { $0 != nil }
            || isUrgent && (events > 0 || transactions > 0)
        guard isDue else { return false }
        var entries = try takeEvents(sizes.run) + takeJournal(sizes.run)
        for case let backlog? in backlogs { entries += try take(backlog, limit: sizes.run) }
        try write(entries, sizes)
        return true
    }

    private func takeEvents(_ limit: Int) throws -> [HistoryEntry] {
        let start = try indexedEvents()
        var tally = EventTally()
        var last = start
        let entries = try rows(
            """
            SELECT rowid, contact_id, project_id, name, created_at FROM events WHERE rowid > ? ORDER BY rowid LIMIT ?
            """, start, limit
        ) { row -> HistoryEntry? in
            last = row[0]
            let contact: Identifier? = row[1]
            tally.add(row[3], project: row[2], contact: contact, at: row[4])
            return contact.map { HistoryEntry(contact: $0, kind: .event, ref: .row(last)) }
        }
        guard last > start else { return [] }
        try run("UPDATE history_progress SET through = ? WHERE kind = 1", last)
        try count(tally)
        return entries.compactMap(\.self)
    }

    private func takeJournal(_ limit: Int) throws -> [HistoryEntry] {
        var entries: [HistoryEntry] = []
        var last: Int64?
        // One transaction may have written thousands: what is not taken is not read either.
        _ = try firstDecoded("SELECT sequence, entries FROM contact_journal ORDER BY sequence LIMIT ?", limit) {
            row -> Bool? in
            entries += HistoryJournal.entries(row[1])
            last = row[0]
            return entries.count < limit ? nil : true
        }
        if let last { try run("DELETE FROM contact_journal WHERE sequence <= ?", last) }
        return entries
    }

    // MARK: What was there before the journal

    /// Executions or mails that are older than the journal and not in the index yet: those after `through`, up to `last`.
    struct HistoryBacklog {
        var kind: HistoryKind
        var through: [UInt8]
        var last: [UInt8]
    }

    func backlog(_ kind: HistoryKind) throws -> HistoryBacklog? {
        try first("SELECT through, last FROM history_progress WHERE kind = ? AND last IS NOT NULL", kind.rawValue) {
            HistoryBacklog(kind: kind, through: $0[0], last: $0[1])
        }
    }

    private func take(_ backlog: HistoryBacklog, limit: Int) throws -> [HistoryEntry] {
        func decode(_ row: SQLRow) -> HistoryEntry {
            HistoryEntry(contact: row[1], kind: backlog.kind, ref: .id(row[0]))
        }
        let entries =
            backlog.kind == .execution
            ? try rows(
                "SELECT id, contact_id FROM executions WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", backlog.through,
                backlog.last, limit, decode: decode)
            : try rows(
                "SELECT id, contact_id FROM outbox WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", backlog.through,
                backlog.last, limit, decode: decode)
        if entries.count == limit, case .id(let id)? = entries.last?.ref {
            try run("UPDATE history_progress SET through = ? WHERE kind = ?", id.bytes, backlog.kind.rawValue)
        } else {
            try run("UPDATE history_progress SET last = NULL WHERE kind = ?", backlog.kind.rawValue)
        }
        return entries
    }

    // MARK: Runs

    private func write(_ entries: [HistoryEntry], _ sizes: HistorySizes) throws {
        guard !entries.isEmpty else { return }
        try append(entries.sorted(), to: try makeRun(level: 0), limit: sizes.row)
    }

    /// Goes on with a merge, or begins the next one.
    private func merge(_ sizes: HistorySizes) throws -> Bool {
        let runs = try historyRuns()
        let targets = Set(runs.compactMap(\.into))
        if let target = targets.min() {
            let sources = runs.filter { $0.into == target }.map(\.run)
            try move(sources, into: target, limit: sizes.merge, rowLimit: sizes.row)
            return true
        }
        let byLevel = Dictionary(grouping: runs, by: \.level).filter { $0.value.count >= sizes.fanIn }
        guard let (level, ready) = byLevel.min(by: { $0.key < $1.key }) else { return false }
        let target = try makeRun(level: level + 1)
        for source in ready.prefix(sizes.fanIn) {
            try run("UPDATE contact_runs SET into_run = ? WHERE run = ?", target, source.run)
        }
        return true
    }

    // MARK: Look-up

    /// What happened to a contact, the newest first, each once. Some of it may be gone.
    func historyRefs(
        of contact: Identifier, kind: HistoryKind, before: HistoryRef, limit: Int
    ) throws -> [HistoryRef] {
        var found = try recentRefs(of: contact, kind: kind, before: before, limit: limit)
        for number in try historyRuns().map(\.run) {
            found += try refs(in: number, of: contact, kind: kind, before: before, limit: limit)
        }
        var refs: [HistoryRef] = []
        for ref in found.sorted(by: >) where ref != refs.last {
            refs.append(ref)
            if refs.count == limit { break }
        }
        return refs
    }

    /// The part that no run has yet.
    private func recentRefs(
        of contact: Identifier, kind: HistoryKind, before: HistoryRef, limit: Int
    ) throws -> [HistoryRef] {
        if kind == .event {
            return try rows(
                "SELECT rowid FROM events WHERE rowid > ? AND rowid < ? AND contact_id = ? ORDER BY rowid DESC LIMIT ?",
                indexedEvents(), before, contact, limit
            ) { .row($0[0]) }
        }
        var found = try rows("SELECT entries FROM contact_journal") { row in
            HistoryJournal.entries(row[0]).filter { $0.contact == contact && $0.kind == kind && $0.ref < before }
                .map(\.ref)
        }.flatMap(\.self)
        guard let backlog = try backlog(kind) else { return found }
        found +=
            kind == .execution
            ? try rows(
                """
                SELECT id FROM executions WHERE id > ? AND id <= ? AND id < ? AND contact_id = ?
                ORDER BY id DESC LIMIT ?
                """, backlog.through, backlog.last, before, contact, limit
            ) { .id($0[0]) }
            : try rows(
                "SELECT id FROM outbox WHERE id > ? AND id <= ? AND id < ? AND contact_id = ? ORDER BY id DESC LIMIT ?",
                backlog.through, backlog.last, before, contact, limit
            ) { .id($0[0]) }
        return found
    }
}
