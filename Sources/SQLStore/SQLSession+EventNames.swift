import Engine
import WorkflowModel

/// Events by name and day, added up in memory.
struct EventTally {
    struct Name: Hashable {
        var project: Identifier
        var name: String
    }

    struct Numbers {
        var count = 0
        var lastAt = Timestamp(microseconds: .min)
        /// By day since 1970 (UTC).
        var days: [Int64: Int] = [:]
        var contacts: Set<Identifier> = []
    }

    private(set) var names: [Name: Numbers] = [:]

    mutating func add(_ name: String, project: Identifier, contact: Identifier?, at time: Timestamp) {
        var numbers = names[Name(project: project, name: name)] ?? Numbers()
        // The dictionary must not hold a second copy while the sets grow.
        names[Name(project: project, name: name)] = nil
        numbers.count += 1
        numbers.lastAt = max(numbers.lastAt, time)
        numbers.days[Self.day(of: time), default: 0] += 1
        if let contact { numbers.contacts.insert(contact) }
        names[Name(project: project, name: name)] = numbers
    }

    static func day(of time: Timestamp) -> Int64 {
        Int64((Double(time.microseconds) / 86_400_000_000).rounded(.down))
    }
}

/// How often events were recorded: counted by the pass that takes them into the index, so that no event pays for it. What
/// the index does not have yet is counted by whoever asks.
extension SQLSession {
    func count(_ tally: EventTally) throws {
        for (key, numbers) in tally.names {
            var contacts = DistinctCount(bytes: try knownContacts(of: key.name, in: key.project) ?? [])
            for contact in numbers.contacts { contacts.add(contact) }
            try run(
                """
                INSERT INTO event_names (project_id, name, count, last_at, contacts) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (project_id, name) DO UPDATE SET count = count + excluded.count,
                    last_at = max(last_at, excluded.last_at), contacts = excluded.contacts
                """, key.project, key.name, numbers.count, numbers.lastAt, contacts.bytes)
            for (day, count) in numbers.days {
                try run(
                    """
                    INSERT INTO event_counts (project_id, name, day, count) VALUES (?, ?, ?, ?)
                    ON CONFLICT (project_id, name, day) DO UPDATE SET count = count + excluded.count
                    """, key.project, key.name, day, count)
            }
        }
    }

    private func knownContacts(of name: String, in project: Identifier) throws -> [UInt8]? {
        try first("SELECT contacts FROM event_names WHERE project_id = ? AND name = ?", project, name) { $0[0] }
    }

    private func uncount(_ tally: EventTally, isErasure: Bool) throws {
        for (key, numbers) in tally.names {
            var contacts = DistinctCount(bytes: try knownContacts(of: key.name, in: key.project) ?? [])
            if isErasure { for contact in numbers.contacts { contacts.remove(contact) } }
            try run(
                "UPDATE event_names SET count = count - ?, contacts = ? WHERE project_id = ? AND name = ?",
                numbers.count, contacts.bytes, key.project, key.name)
            try run(
                "DELETE FROM event_names WHERE project_id = ? AND name = ? AND count <= 0", key.project, key.name)
            for (day, count) in numbers.days {
                try run(
                    "UPDATE event_counts SET count = count - ? WHERE project_id = ? AND name = ? AND day = ?", count,
                    key.project, key.name, day)
                try run(
                    "DELETE FROM event_counts WHERE project_id = ? AND name = ? AND day = ? AND count <= 0",
                    key.project, key.name, day)
            }
        }
    }

    // MARK: Deleting

    func deleteEvents(_ rows: [Int64], in project: Identifier) throws -> Int {
        try deleteEvents(rows, isErasure: false) { $0 == project }
    }

    /// - Parameter isErasure: all events of their contact go.
    func deleteEvents(
        _ rows: [Int64], isErasure: Bool, where isMeant: (_ project: Identifier) -> Bool
    ) throws -> Int {
        struct Found {
            var id: Identifier
            var project: Identifier
            var contact: Identifier?
            var name: String
            var at: Timestamp
        }
        let indexed = try indexedEvents()
        var tally = EventTally()
        var count = 0
        for number in rows {
            let found = try first(
                "SELECT id, project_id, contact_id, name, created_at FROM events WHERE rowid = ?", number
            ) { Found(id: $0[0], project: $0[1], contact: $0[2], name: $0[3], at: $0[4]) }
            guard let found, isMeant(found.project) else { continue }
            try run("DELETE FROM events WHERE rowid = ?", number)
            if let contact = found.contact {
                try run(
                    "DELETE FROM event_occurrences WHERE contact_id = ? AND name = ? AND at = ? AND event_id = ?",
                    contact, found.name, found.at, found.id)
            }
            if number <= indexed {
                tally.add(found.name, project: found.project, contact: found.contact, at: found.at)
            }
            count += 1
        }
        try uncount(tally, isErasure: isErasure)
        // The next event takes the place after the last one there is: the index must not believe that it has it already.
        try run(
            """
            UPDATE history_progress SET through = min(through, coalesce((SELECT max(rowid) FROM events), 0))
            WHERE kind = 1
            """)
        return count
    }

    func eventRows(
        named name: String, in project: Identifier, after row: Int64, scan: Int
    ) throws -> (rows: [Int64], last: Int64?) {
        let newest = try newestEventRow()
        guard row < newest else { return ([], nil) }
        let last = row + Int64(scan)
        let found: [Int64] = try rows(
            "SELECT rowid FROM events WHERE rowid > ? AND rowid <= ? AND project_id = ? AND name = ?", row, last,
            project, name
        ) { $0[0] }
        return (found, last >= newest ? nil : last)
    }

    // MARK: Looking

    func eventNames(in project: Identifier, limit: Int) throws -> [EventNameCount] {
        let recent = try recentEvents(in: project, days: Int64.min...Int64.max)
        // So many more that what is recent cannot bring another one up.
        let stored = try rows(
            "SELECT name, count FROM event_names WHERE project_id = ? ORDER BY count DESC LIMIT ?", project,
            limit + recent.count
        ) { EventNameCount(name: $0[0], count: $0[1]) }
        var counts = recent
        for row in stored { counts[row.name, default: 0] += row.count }
        // A recent name that is not among the most frequent has a count too.
        for name in recent.keys where !stored.contains(where: { $0.name == name }) {
            counts[name, default: 0] +=
                try first("SELECT count FROM event_names WHERE project_id = ? AND name = ?", project, name) { $0[0] }
                ?? 0
        }
        return Array(Self.sorted(counts).prefix(limit))
    }

    func eventCounts(in project: Identifier, days: ClosedRange<Int64>) throws -> [EventNameCount] {
        var counts = try recentEvents(in: project, days: days)
        for (name, count) in try rows(
            """
            SELECT name, sum(count) FROM event_counts WHERE project_id = ? AND day BETWEEN ? AND ? GROUP BY name
            """, project, days.lowerBound, days.upperBound, decode: { row -> (String, Int) in (row[0], row[1]) })
        {
            counts[name, default: 0] += count
        }
        return Self.sorted(counts)
    }

    private static func sorted(_ counts: [String: Int]) -> [EventNameCount] {
        counts.map { EventNameCount(name: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }

    /// Those that the index does not have yet.
    private func recentEvents(in project: Identifier, days: ClosedRange<Int64>) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for (name, at) in try rows(
            "SELECT name, created_at FROM events WHERE rowid > ? AND project_id = ?", indexedEvents(), project,
            decode: { row -> (String, Timestamp) in (row[0], row[1]) })
        where days.contains(EventTally.day(of: at)) {
            counts[name, default: 0] += 1
        }
        return counts
    }

    func eventUsage(of name: String, in project: Identifier) throws -> EventUsage? {
        struct Stored {
            var count: Int
            var contacts: [UInt8]
        }
        let stored = try first(
            "SELECT count, contacts FROM event_names WHERE project_id = ? AND name = ?", project, name
        ) { Stored(count: $0[0], contacts: $0[1]) }
        var count = stored?.count ?? 0
        var contacts = DistinctCount(bytes: stored?.contacts ?? [])
        for contact in try rows(
            "SELECT contact_id FROM events WHERE rowid > ? AND project_id = ? AND name = ?", indexedEvents(), project,
            name, decode: { row -> Identifier? in row[0] })
        {
            count += 1
            if let contact { contacts.add(contact) }
        }
        return count == 0 ? nil : EventUsage(count: count, contacts: contacts.estimate)
    }
}
