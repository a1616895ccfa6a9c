import WorkflowModel

/// Contacts of one project whose ids follow one another, as `Migration0019` says it.
struct ContactBlock {
    var id: Int
    var project: Identifier
    var first: Identifier
    /// The first of the next block; nil for the last one.
    var end: Identifier?

    func contains(_ contact: Identifier) -> Bool { contact >= first && end.map { contact < $0 } ?? true }

    /// Where a contact makes a new block begin; nil for most of them.
    static func start(by contact: Identifier) -> Identifier? {
        contact.low & 63 == 0 ? Identifier(high: contact.high, low: 0) : nil
    }
}

/// A count of members.
struct SegmentBlock: Hashable {
    var block: Int
    var segment: Identifier
}

extension SQLSession {
    /// The block of a contact. One who comes before all blocks of his project makes one.
    func block(of contact: Identifier, in project: Identifier) throws -> ContactBlock {
        if let known = memory.block, known.project == project, known.contains(contact) { return known }
        let found: ContactBlock? = try first(
            """
            SELECT b.id, b.first_id, (
                SELECT n.first_id FROM contact_blocks n
                WHERE n.project_id = ?1 AND n.first_id > ?2 ORDER BY n.first_id LIMIT 1)
            FROM contact_blocks b WHERE b.project_id = ?1 AND b.first_id <= ?2 ORDER BY b.first_id DESC LIMIT 1
            """, project, contact
        ) { ContactBlock(id: $0[0], project: project, first: $0[1], end: $0[2]) }
        if let found {
            memory.block = found
            return found
        }
        try run("INSERT INTO contact_blocks (project_id, first_id) VALUES (?, ?)", project, Identifier(high: 0, low: 0))
        return try block(of: contact, in: project)
    }

    /// Contacts that are there already, as a millisecond brings them in any order, move into the new block.
    func beginBlock(at start: Identifier, in project: Identifier) throws {
        let old = try block(of: start, in: project)
        guard old.first < start else { return }
        try run("INSERT INTO contact_blocks (project_id, first_id) VALUES (?, ?)", project, start)
        memory.block = nil
        let new = try block(of: start, in: project)
        try flushBlockCounts()
        try run(
            """
            INSERT INTO segment_blocks (block_id, segment_id, members)
            SELECT ?, m.segment_id, count(*)
            FROM contacts c INDEXED BY contacts_by_project CROSS JOIN segment_members m ON m.contact_id = c.id
            WHERE c.project_id = ? AND c.id >= ? AND (c.id < ?4 OR ?4 IS NULL) GROUP BY m.segment_id
            """, new.id, project, start, new.end)
        guard changeCount > 0 else { return }
        try run(
            """
            UPDATE segment_blocks SET members = members - (
                SELECT n.members FROM segment_blocks n
                WHERE n.block_id = ?1 AND n.segment_id = segment_blocks.segment_id)
            WHERE block_id = ?2 AND segment_id IN (SELECT segment_id FROM segment_blocks WHERE block_id = ?1)
            """, new.id, old.id)
    }

    /// A block whose last contact is gone goes too, with its counts: the block before it reaches over its place.
    func forgetBlockUnlessNeeded(of contact: Identifier, in project: Identifier) throws {
        let block = try block(of: contact, in: project)
        let isNeeded = try first(
            "SELECT 1 FROM contacts WHERE project_id = ? AND id >= ? AND (id < ?3 OR ?3 IS NULL) LIMIT 1", project,
            block.first, block.end, decode: { _ in true })
        guard isNeeded == nil, block.first > Identifier(high: 0, low: 0) else { return }
        tally.blocks = tally.blocks.filter { $0.key.block != block.id }
        memory.block = nil
        try run("DELETE FROM segment_blocks WHERE block_id = ?", block.id)
        try run("DELETE FROM contact_blocks WHERE id = ?", block.id)
    }

    func recountMembers(of segment: Identifier, after cursor: Identifier?, limit: Int) throws -> Identifier? {
        try flushBlockCounts()
        let project: Identifier? = try first("SELECT project_id FROM segments WHERE id = ?", segment) { $0[0] }
        guard let project else { return nil }
        let starts: [Identifier] = try rows(
            """
            SELECT first_id FROM contact_blocks WHERE project_id = ? AND (first_id > ?2 OR ?2 IS NULL)
            ORDER BY first_id LIMIT ?3
            """, project, cursor, limit
        ) { $0[0] }
        for start in starts {
            let block = try block(of: start, in: project)
            try run(
                """
                INSERT INTO segment_blocks (block_id, segment_id, members)
                SELECT ?1, ?2, count(*)
                FROM contacts c INDEXED BY contacts_by_project
                CROSS JOIN segment_members m ON m.contact_id = c.id AND m.segment_id = ?2
                WHERE c.project_id = ?3 AND c.id >= ?4 AND (c.id < ?5 OR ?5 IS NULL)
                ON CONFLICT (block_id, segment_id) DO UPDATE SET members = excluded.members
                """, block.id, segment, project, block.first, block.end)
        }
        return starts.count == limit ? starts.last : nil
    }

    /// To be called with the commit, and before this transaction reads the counts or `members_by_segment`.
    func flushBlockCounts() throws {
        let counts = tally.blocks
        guard !counts.isEmpty else { return }
        tally.blocks = [:]
        try run(
            """
            INSERT INTO segment_blocks (block_id, segment_id, members) VALUES (?, ?, ?)
            ON CONFLICT (block_id, segment_id) DO UPDATE SET members = members + excluded.members
            """,
            for: counts.filter { $0.value != 0 }
                .sorted { ($0.key.block, $0.key.segment) < ($1.key.block, $1.key.segment) }
        ) {
            $0.add($1.key.block)
            $0.add($1.key.segment)
            $0.add($1.value)
        }
    }
}
