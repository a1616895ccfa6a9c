import Engine
import JSONValue
import WorkflowModel

/// Events that some workflow looks back on, by contact. An index over all events by contact would cost every event a page
/// of its own; so only those of the names that somebody asks for are kept here.
//
// What happened before a name was asked for is found little by little. Until it is, a look goes through all events of the
// contact, by the index of histories.
extension SQLSession {
    func keepEvents(_ names: Set<String>, in project: Identifier) throws {
        let newest = try newestEventRow()
        for name in names.sorted() {
            try run(
                """
                INSERT INTO kept_events (project_id, name, through, last) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
                """, project, name, newest > 0 ? Int64(0) : nil, newest > 0 ? newest : nil)
        }
        memory.unfinishedNames = nil
        try bumpCatalog()
    }

    func continueKeeping(_ sizes: HistorySizes) throws -> KeepingProgress {
        struct Search {
            var project: Identifier
            var name: String
            var through: Int64
            var last: Int64
        }
        let search = try first("SELECT project_id, name, through, last FROM kept_events WHERE last IS NOT NULL LIMIT 1")
        {
            Search(project: $0[0], name: $0[1], through: $0[2], last: $0[3])
        }
        guard let search else { return .idle }
        var reached = min(search.last, search.through + Int64(sizes.look))
        let found: [(row: Int64, contact: Identifier, at: Timestamp, event: Identifier, isRepeated: Bool)] = try rows(
            """
            SELECT rowid, contact_id, created_at, id,
                name = 'email.clicked' AND json_extract(data, '$.isFirstClick') IS 0
            FROM events
            WHERE rowid > ? AND rowid <= ? AND project_id = ? AND name = ? AND contact_id IS NOT NULL
            ORDER BY rowid LIMIT ?
            """, search.through, reached, search.project, search.name, sizes.keep
        ) { ($0[0], $0[1], $0[2], $0[3], $0[4]) }
        for (_, contact, at, event, isRepeated) in found {
            // Its place may be that of a deleted one, and then it was kept when it came.
            try run(
                """
                INSERT INTO event_occurrences (contact_id, name, at, event_id, is_repeated) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """, contact, search.name, at, event, isRepeated)
        }
        if found.count == sizes.keep, let last = found.last { reached = last.row }
        guard reached >= search.last else {
            try run(
                "UPDATE kept_events SET through = ? WHERE project_id = ? AND name = ?", reached, search.project,
                search.name)
            return .more
        }
        try run(
            "UPDATE kept_events SET through = NULL, last = NULL WHERE project_id = ? AND name = ?", search.project,
            search.name)
        memory.unfinishedNames = nil
        try bumpCatalog()
        return .finished
    }

    func unfinishedEvents() throws -> [Identifier: Set<String>] {
        var names: [Identifier: Set<String>] = [:]
        for (project, name) in try rows(
            "SELECT project_id, name FROM kept_events WHERE last IS NOT NULL",
            decode: { row -> (Identifier, String) in (row[0], row[1]) })
        {
            names[project, default: []].insert(name)
        }
        return names
    }

    /// Of any project: a look through all events of a contact is right for every name.
    private func isUnfinished(_ name: String) throws -> Bool {
        if let known = memory.unfinishedNames { return known.contains(name) }
        let names = try Set(rows("SELECT name FROM kept_events WHERE last IS NOT NULL") { row -> String in row[0] })
        memory.unfinishedNames = names
        return names.contains(name)
    }

    func keptEvents() throws -> [Identifier: Set<String>] {
        var kept: [Identifier: Set<String>] = [:]
        for (project, name) in try rows(
            "SELECT project_id, name FROM kept_events", decode: { row -> (Identifier, String) in (row[0], row[1]) })
        {
            kept[project, default: []].insert(name)
        }
        return kept
    }

    func insertOccurrence(of event: Event, contact: Identifier) throws {
        try run(
            "INSERT INTO event_occurrences (contact_id, name, at, event_id, is_repeated) VALUES (?, ?, ?, ?, ?)",
            contact, event.name, event.createdAt, event.id, event.isRepeatedClick)
    }

    func firstOccurrence(
        of names: [String], contact: Identifier, after trigger: Identifier?, since time: Timestamp,
        where test: (Event) -> Bool
    ) throws -> Event? {
        // Events of one transaction have one time; the order in which they were written is that of the table.
        let start: Int64 =
            try trigger.flatMap { try first("SELECT rowid FROM events WHERE id = ?", $0) { $0[0] } } ?? 0
        let found = try Set(names).compactMap { name in
            if try isUnfinished(name) {
                return try oldestEvent(of: name, contact: contact, after: start, since: time, where: test)
            }
            return try firstDecoded(
                """
                SELECT e.id, e.name, e.data, e.source, e.generation, e.created_at, e.rowid
                FROM event_occurrences o JOIN events e ON e.id = o.event_id
                WHERE o.contact_id = ? AND o.name = ? AND o.at >= ? AND e.rowid > ? ORDER BY o.at, e.rowid LIMIT ?
                """, contact, name, time, start, Self.lookBackLimit
            ) { row -> (row: Int64, event: Event)? in
                let event = try Self.event(row)
                return test(event) ? (row[6], event) : nil
            }
        }
        return found.min { ($0.event.createdAt, $0.row) < ($1.event.createdAt, $1.row) }?.event
    }

    /// Events of one contact and name that one look back examines: everybody else waits meanwhile.
    private static let lookBackLimit = 1000

    func lastOccurrence(of name: String, contact: Identifier) throws -> Timestamp? {
        if try isUnfinished(name) {
            var last: Timestamp?
            try lookThroughEvents(of: contact, after: 0) { row in
                let at: Timestamp? = try first(
                    """
                    SELECT created_at FROM events
                    WHERE rowid = ? AND contact_id = ? AND name = ?
                        AND NOT (name = 'email.clicked' AND json_extract(data, '$.isFirstClick') IS 0)
                    """, row, contact, name
                ) { $0[0] }
                if let at { last = last.map { max($0, at) } ?? at }
            }
            return last
        }
        return try first(
            """
            SELECT at FROM event_occurrences
            WHERE contact_id = ? AND name = ? AND is_repeated = 0 ORDER BY at DESC LIMIT 1
            """, contact, name
        ) { $0[0] }
    }

    // MARK: Events of a contact, whatever is kept

    /// - Parameter body: gets the place of each event, the newest first; it may be gone or another's.
    private func lookThroughEvents(of contact: Identifier, after start: Int64, _ body: (Int64) throws -> Void) throws {
        let page = 500
        var before = HistoryRef.last(.event)
        while true {
            let refs = try historyRefs(of: contact, kind: .event, before: before, limit: page)
            for case .row(let row) in refs {
                guard row > start else { return }
                try body(row)
            }
            guard refs.count == page, let last = refs.last else { return }
            before = last
        }
    }

    private func oldestEvent(
        of name: String, contact: Identifier, after start: Int64, since time: Timestamp, where test: (Event) -> Bool
    ) throws -> (row: Int64, event: Event)? {
        var oldest: (row: Int64, event: Event)?
        try lookThroughEvents(of: contact, after: start) { row in
            let event = try first(
                """
                SELECT id, name, data, source, generation, created_at FROM events
                WHERE rowid = ? AND contact_id = ? AND name = ? AND created_at >= ?
                """, row, contact, name, time
            ) { try Self.event($0) }
            guard let event, test(event) else { return }
            if let oldest, (oldest.event.createdAt, oldest.row) < (event.createdAt, row) { return }
            oldest = (row, event)
        }
        return oldest
    }
}
