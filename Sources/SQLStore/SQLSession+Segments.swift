import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Segments

    /// Those that can be read, and those that cannot.
    func loadSegments() throws -> (segments: [SegmentRecord], damaged: [Catalog.Damage]) {
        var damaged: [Catalog.Damage] = []
        let segments = try rows(
            """
            SELECT id, project_id, slug, name, description, type, filter, created_at, updated_at FROM segments
            WHERE deleted_at IS NULL ORDER BY id
            """
        ) { row -> SegmentRecord? in
            do { return try Self.segment(row) } catch let error as StoreError {
                damaged.append(.init(id: row[0], projectID: row[1], slug: row[2], reason: error.description))
                return nil
            }
        }
        return (segments.compactMap(\.self), damaged)
    }

    private static func segment(_ row: SQLRow) throws -> SegmentRecord {
        let kind = try row.decoded(5, as: SegmentRecord.Kind.self)
        var filter: Filter?
        if kind == .dynamic {
            let (read, problems) = Filter.read(try row.json(6), path: "filter", vocabulary: .contact)
            guard let read else { throw StoreError(.damaged, "a stored filter cannot be read: \(problems)") }
            filter = read
        }
        return SegmentRecord(
            id: row[0], projectID: row[1], slug: row[2], name: row[3], description: row[4], kind: kind, filter: filter,
            createdAt: row[7], updatedAt: row[8])
    }

    func save(_ segment: SegmentRecord) throws {
        try run(
            """
            INSERT INTO segments (id, project_id, slug, name, description, type, filter, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name,
                description = excluded.description, filter = excluded.filter, updated_at = excluded.updated_at
            """, segment.id, segment.projectID, segment.slug, segment.name, segment.description,
            segment.kind.rawValue, segment.filter.map { JSONWriter.write($0.json) }, segment.createdAt,
            segment.updatedAt)
        try run("INSERT INTO segment_counts (segment_id, members) VALUES (?, 0) ON CONFLICT DO NOTHING", segment.id)
        try bumpCatalog()
    }

    func delete(segment id: Identifier, at time: Timestamp) throws {
        try run("UPDATE segments SET deleted_at = ?, slug = slug || '~' || hex(id) WHERE id = ?", time, id)
        try run("DELETE FROM segment_jobs WHERE segment_id = ?", id)
        try bumpCatalog()
    }

    func purgeSegments(limit: Int) throws -> Bool {
        guard
            let id: Identifier = try first(
                "SELECT id FROM segments WHERE deleted_at IS NOT NULL LIMIT 1", decode: { $0[0] })
        else { return false }
        let areMembersLeft = try purgeMembers(of: id, limit: limit)
        try run(
            """
            DELETE FROM segment_timers WHERE segment_id = ?1 AND contact_id IN (
                SELECT contact_id FROM segment_timers WHERE segment_id = ?1 LIMIT ?2)
            """, id, limit)
        guard !areMembersLeft, changeCount < limit else { return true }
        try run("DELETE FROM segment_counts WHERE segment_id = ?", id)
        try run("DELETE FROM segments WHERE id = ?", id)
        return true
    }

    /// Block by block, each whole.
    /// - Returns: whether there are more.
    private func purgeMembers(of segment: Identifier, limit: Int) throws -> Bool {
        try flushBlockCounts()
        let blocks = try rows(
            """
            SELECT b.id, b.project_id, b.first_id, s.members FROM segments g
            CROSS JOIN contact_blocks b ON b.project_id = g.project_id
            CROSS JOIN segment_blocks s ON s.block_id = b.id AND s.segment_id = g.id
            WHERE g.id = ? ORDER BY b.first_id LIMIT ?
            """, segment, limit
        ) { (id: $0[0] as Int, project: $0[1] as Identifier, first: $0[2] as Identifier, members: $0[3] as Int) }
        var left = limit
        for entry in blocks {
            guard left > 0 else { return true }
            if entry.members > 0 {
                let block = try block(of: entry.first, in: entry.project)
                try run(
                    """
                    DELETE FROM segment_members WHERE segment_id = ? AND contact_id IN (
                        SELECT c.id FROM contacts c INDEXED BY contacts_by_project
                        WHERE c.project_id = ? AND c.id >= ? AND (c.id < ?4 OR ?4 IS NULL))
                    """, segment, entry.project, block.first, block.end)
            }
            try run("DELETE FROM segment_blocks WHERE block_id = ? AND segment_id = ?", entry.id, segment)
            // A contact that is no member costs a look, too.
            left -= max(entry.members, 16)
        }
        return blocks.count == limit
    }

    /// By id or slug.
    func segment(_ reference: String, in project: Identifier) throws -> Identifier? {
        if let id = Identifier(reference) {
            return try first(
                "SELECT id FROM segments WHERE id = ? AND project_id = ? AND deleted_at IS NULL", id, project
            ) { $0[0] }
        }
        return try first("SELECT id FROM segments WHERE project_id = ? AND slug = ?", project, reference) { $0[0] }
    }

    // MARK: Members

    func memberships(of contact: Identifier) throws -> Set<Identifier> {
        Set(
            try rows("SELECT segment_id FROM segment_members WHERE contact_id = ?") {
                $0.add(contact)
            } decode: { row -> Identifier in
                row[0]
            })
    }

    func isMember(_ contact: Identifier, of segment: Identifier) throws -> Bool {
        try first(
            "SELECT 1 FROM segment_members WHERE contact_id = ? AND segment_id = ?", contact, segment
        ) { _ in true } ?? false
    }

    func enter(_ contact: Identifier, _ segment: SegmentRecord, at time: Timestamp) throws -> Bool {
        try run(
            """
            INSERT INTO segment_members (contact_id, segment_id, entered_at) VALUES (?, ?, ?)
            ON CONFLICT (contact_id, segment_id) DO NOTHING
            """
        ) {
            $0.add(contact)
            $0.add(segment.id)
            $0.add(time)
        }
        guard changeCount > 0 else { return false }
        try countMembers(of: segment.id, in: segment.projectID, near: contact, by: 1)
        return true
    }

    func leave(_ contact: Identifier, _ segment: SegmentRecord) throws -> Bool {
        try run("DELETE FROM segment_members WHERE contact_id = ? AND segment_id = ?") {
            $0.add(contact)
            $0.add(segment.id)
        }
        guard changeCount > 0 else { return false }
        try countMembers(of: segment.id, in: segment.projectID, near: contact, by: -1)
        return true
    }

    private func countMembers(
        of segment: Identifier, in project: Identifier, near contact: Identifier, by amount: Int
    ) throws {
        tally.members[segment, default: 0] += amount
        let block = try block(of: contact, in: project).id
        tally.blocks[SegmentBlock(block: block, segment: segment), default: 0] += amount
    }

    /// Written with the commit: a computation changes a count a thousand times.
    func flushMemberCounts(_ members: [Identifier: Int]) throws {
        try run(
            """
            INSERT INTO segment_counts (segment_id, members) VALUES (?, ?)
            ON CONFLICT (segment_id) DO UPDATE SET members = members + excluded.members
            """, for: members.filter { $0.value != 0 }.sorted { $0.key < $1.key }
        ) {
            $0.add($1.key)
            $0.add($1.value)
        }
    }

    func forgetMemberships(of contact: Identifier) throws {
        guard
            let project: Identifier = try first(
                "SELECT project_id FROM contacts WHERE id = ?", contact, decode: { $0[0] })
        else { return }
        for segment in try memberships(of: contact) {
            try countMembers(of: segment, in: project, near: contact, by: -1)
        }
        try run("DELETE FROM segment_members WHERE contact_id = ?", contact)
        try run(
            """
            DELETE FROM segment_timers WHERE contact_id = ? AND segment_id IN (
                SELECT id FROM segments WHERE project_id = ?)
            """, contact, project)
    }

    func recount(segment: Identifier) throws -> Int {
        try flushBlockCounts()
        let count: Int =
            try first(
                """
                SELECT coalesce(sum(s.members), 0) FROM segments g
                CROSS JOIN contact_blocks b ON b.project_id = g.project_id
                CROSS JOIN segment_blocks s ON s.block_id = b.id AND s.segment_id = g.id
                WHERE g.id = ?
                """, segment
            ) { $0[0] } ?? 0
        tally.members[segment] = nil
        try run(
            """
            INSERT INTO segment_counts (segment_id, members) VALUES (?, ?)
            ON CONFLICT (segment_id) DO UPDATE SET members = excluded.members
            """, segment, count)
        return count
    }

    func memberCount(of segment: Identifier) throws -> Int {
        try first("SELECT members FROM segment_counts WHERE segment_id = ?", segment) { $0[0] } ?? 0
    }

    func members(of segment: Identifier, limit: Int, offset: Int) throws -> [SegmentMember] {
        // Whole blocks are passed over by their counts.
        var offset = offset
        let start: Identifier? = try firstDecoded(
            """
            SELECT b.first_id, s.members FROM segments g
            CROSS JOIN contact_blocks b ON b.project_id = g.project_id
            CROSS JOIN segment_blocks s ON s.block_id = b.id AND s.segment_id = g.id
            WHERE g.id = ? ORDER BY b.first_id
            """, segment
        ) { row in
            let members: Int = row[1]
            if offset < members { return row[0] }
            offset -= members
            return nil
        }
        guard let start else { return [] }
        return try rows(
            """
            SELECT c.id, c.email, c.subscribed, c.data, c.created_at, c.updated_at, m.entered_at
            FROM (SELECT contact_id, entered_at FROM members_by_segment
                WHERE segment_id = ? AND block_start >= ? ORDER BY block_start, contact_id LIMIT ? OFFSET ?) m
            JOIN contacts c ON c.id = m.contact_id ORDER BY c.id
            """, segment, start, limit, offset
        ) { SegmentMember(contact: try Self.contact($0), enteredAt: $0[6]) }
    }

    func members(
        of segment: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier] {
        try flushBlockCounts()
        // No id is before the zero one.
        let start = cursor ?? Identifier(high: 0, low: 0)
        return try rows(
            """
            SELECT contact_id FROM members_by_segment
            WHERE segment_id = ?1 AND block_start >= ifnull((
                    SELECT b.first_id FROM segments g JOIN contact_blocks b ON b.project_id = g.project_id
                    WHERE g.id = ?1 AND b.first_id <= ?2 ORDER BY b.first_id DESC LIMIT 1), x'')
                AND block_start <= ?3 AND contact_id > ?2 AND contact_id <= ?3
            ORDER BY block_start, contact_id LIMIT ?4
            """, segment, start, last, limit
        ) { $0[0] }
    }

    // MARK: Computing

    func startComputing(_ segment: SegmentRecord, announces: Bool) throws {
        try run(
            """
            INSERT INTO segment_jobs (segment_id, cursor, last_contact, announces) VALUES (?, NULL, ?, ?)
            ON CONFLICT (segment_id) DO UPDATE SET cursor = NULL, last_contact = excluded.last_contact,
                announces = excluded.announces
            """, segment.id, try lastContact(of: segment.projectID), announces)
    }

    func segmentJobs() throws -> [SegmentJob] {
        try rows("SELECT segment_id, cursor, last_contact, announces FROM segment_jobs ORDER BY segment_id") {
            SegmentJob(segmentID: $0[0], cursor: $0[1], lastContact: $0[2], announces: $0[3])
        }
    }

    func computingSegments() throws -> Set<Identifier> { Set(try segmentJobs().map(\.segmentID)) }

    func update(_ job: SegmentJob) throws {
        try run("UPDATE segment_jobs SET cursor = ? WHERE segment_id = ?", job.cursor, job.segmentID)
    }

    func finish(_ job: SegmentJob) throws { try run("DELETE FROM segment_jobs WHERE segment_id = ?", job.segmentID) }

    func deviations(
        of filter: Filter, _ job: SegmentJob, in project: Identifier, limit: Int, at now: Timestamp
    ) throws -> SegmentDeviations {
        guard let last = job.lastContact else { return SegmentDeviations(changes: [], cursor: nil) }
        let start = job.cursor ?? Identifier(high: 0, low: 0)
        let end: Identifier? =
            try first(
                """
                SELECT max(id) FROM (
                    SELECT id FROM contacts WHERE project_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?)
                """, project, start, last, limit
            ) { row -> Identifier? in row[0] } ?? nil
        guard let end else { return SegmentDeviations(changes: [], cursor: nil) }
        var query = SQLText("SELECT id, belongs FROM (SELECT c.id AS id, (")
        query.append(try expression(of: filter, in: project, at: now))
        query.append(") AS belongs, EXISTS ")
        query.append(SQLFilter.membership(of: job.segmentID))
        query.append(
            " AS is_member FROM contacts c WHERE c.project_id = ? AND c.id > ? AND c.id <= ?)", project,
            start, end)
        query.append(" WHERE belongs <> is_member ORDER BY id")
        let changes = try rows(query) { row -> (contact: Identifier, belongs: Bool) in (row[0], row[1]) }
        return SegmentDeviations(changes: changes, cursor: end)
    }

    // MARK: Timers

    func timer(of contact: Identifier, in segment: Identifier) throws -> Timestamp? {
        try first("SELECT due_at FROM segment_timers WHERE segment_id = ? AND contact_id = ?", segment, contact) {
            $0[0]
        }
    }

    func setTimer(of contact: Identifier, in segment: Identifier, to due: Timestamp?) throws -> Bool {
        if let due {
            try run(
                """
                INSERT INTO segment_timers (segment_id, contact_id, due_at) VALUES (?, ?, ?)
                ON CONFLICT (segment_id, contact_id) DO UPDATE SET due_at = excluded.due_at
                WHERE due_at <> excluded.due_at
                """
            ) {
                $0.add(segment)
                $0.add(contact)
                $0.add(due)
            }
        } else {
            try run("DELETE FROM segment_timers WHERE segment_id = ? AND contact_id = ?") {
                $0.add(segment)
                $0.add(contact)
            }
        }
        return changeCount > 0
    }

    func segmentTimers(dueAt time: Timestamp, limit: Int) throws -> [SegmentTimer] {
        try rows(
            "SELECT segment_id, contact_id, due_at FROM segment_timers WHERE due_at <= ? ORDER BY due_at LIMIT ?", time,
            limit
        ) { SegmentTimer(segmentID: $0[0], contactID: $0[1], dueAt: $0[2]) }
    }

    func nextSegmentTimer() throws -> Timestamp? {
        try first("SELECT due_at FROM segment_timers ORDER BY due_at LIMIT 1") { $0[0] }
    }
}
