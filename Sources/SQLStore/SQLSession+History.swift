import Engine
import JSONValue
import WorkflowModel

/// Events that some workflow looks back on, by contact. An index over all events by contact would cost every event a page
/// of its own; so only those of the names that somebody asks for are kept here.
extension SQLSession {
    func keepEvents(_ names: Set<String>, in project: Identifier) throws {
        for name in names.sorted() {
            try run("INSERT INTO kept_events (project_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", project, name)
            guard changeCount > 0 else { continue }
            try run(
                """
                INSERT INTO event_occurrences (contact_id, name, at, event_id)
                SELECT contact_id, name, created_at, id FROM events
                WHERE project_id = ? AND name = ? AND contact_id IS NOT NULL
                ON CONFLICT DO NOTHING
                """, project, name)
        }
        try bumpCatalog()
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
            "INSERT INTO event_occurrences (contact_id, name, at, event_id) VALUES (?, ?, ?, ?)", contact, event.name,
            event.createdAt, event.id)
    }

    func firstOccurrence(
        of names: [String], contact: Identifier, after trigger: Identifier?, since time: Timestamp,
        where test: (Event) -> Bool
    ) throws -> Event? {
        // Events of one transaction have one time; the order in which they were written is that of the table.
        let start: Int64 =
            try trigger.flatMap { try first("SELECT rowid FROM events WHERE id = ?", $0) { $0[0] } } ?? 0
        let found = try Set(names).compactMap { name in
            try firstDecoded(
                """
                SELECT e.rowid, e.id, e.name, e.data, e.source, e.generation, e.created_at
                FROM event_occurrences o JOIN events e ON e.id = o.event_id
                WHERE o.contact_id = ? AND o.name = ? AND o.at >= ? AND e.rowid > ? ORDER BY o.at, e.rowid LIMIT ?
                """, contact, name, time, start, Self.lookBackLimit
            ) { row -> (row: Int64, event: Event)? in
                let event = Event(
                    id: row[1], name: row[2], data: try row.object(3),
                    source: try row.decoded(4, as: Event.Source.self), generation: row[5], createdAt: row[6])
                return test(event) ? (row[0], event) : nil
            }
        }
        return found.min { ($0.event.createdAt, $0.row) < ($1.event.createdAt, $1.row) }?.event
    }

    /// Events of one contact and name that one look back examines: everybody else waits meanwhile.
    private static let lookBackLimit = 1000

    func lastOccurrence(of name: String, contact: Identifier) throws -> Timestamp? {
        try first(
            "SELECT at FROM event_occurrences WHERE contact_id = ? AND name = ? ORDER BY at DESC LIMIT 1", contact, name
        ) { $0[0] }
    }
}
