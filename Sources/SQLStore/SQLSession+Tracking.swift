import Engine
import WorkflowModel

extension SQLSession {
    /// In the place of a version that there is none of.
    private static let noVersion = Identifier(high: 0, low: 0)

    func count(_ hit: SharedHit) throws {
        try run(
            """
            INSERT INTO shared_hits (project_id, day, version_id, step, link, people, machines)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET people = people + excluded.people, machines = machines + excluded.machines
            """, hit.place.project, hit.day, hit.place.version ?? Self.noVersion, hit.place.step, hit.link ?? "",
            hit.isMachine ? 0 : 1, hit.isMachine ? 1 : 0)
    }

    func isPixelFetched(of entry: Identifier) throws -> Bool {
        // The open stays when its hits are forgotten.
        try first(
            """
            SELECT opened_at IS NOT NULL OR EXISTS (SELECT 1 FROM pixel_hits WHERE entry_id = ?1)
            FROM outbox WHERE id = ?1
            """, entry
        ) { $0[0] } ?? false
    }

    func pruneSharedHits(before day: Timestamp, limit: Int) throws -> Int {
        // The days of each project are together.
        try run(
            """
            DELETE FROM shared_hits WHERE (project_id, day, version_id, step, link) IN (
                SELECT h.project_id, h.day, h.version_id, h.step, h.link
                FROM projects p CROSS JOIN shared_hits h ON h.project_id = p.id AND h.day < ? LIMIT ?)
            """, day, limit)
        return changeCount
    }

    func sharedHits(in project: Identifier, since start: Timestamp, limit: Int) throws -> [SharedHitCount] {
        try rows(
            """
            SELECT h.version_id, v.template_id, h.step, h.link, sum(h.people), sum(h.machines)
            FROM shared_hits h LEFT JOIN template_versions v ON v.id = h.version_id
            WHERE h.project_id = ? AND h.day >= ?
            GROUP BY h.version_id, h.step, h.link ORDER BY h.version_id DESC, h.step, h.link LIMIT ?
            """, project, start, limit
        ) { row in
            let (version, link): (Identifier, String) = (row[0], row[3])
            return SharedHitCount(
                version: version == Self.noVersion ? nil : version, template: row[1], step: row[2],
                link: link.isEmpty ? nil : link, people: row[4], machines: row[5])
        }
    }
}
