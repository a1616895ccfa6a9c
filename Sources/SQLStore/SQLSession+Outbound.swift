import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Suppression

    func save(_ suppression: Suppression) throws {
        try run(
            """
            INSERT INTO suppressions (project_id, address, reason, evidence, created_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (project_id, address, reason) DO UPDATE SET evidence = excluded.evidence,
                created_at = excluded.created_at, expires_at = excluded.expires_at
            """, suppression.projectID, suppression.address, suppression.reason.rawValue,
            suppression.evidence.textOrNil, suppression.createdAt, suppression.expiresAt)
    }

    func deleteSuppressions(of address: String, reason: Suppression.Reason?, in project: Identifier) throws -> Int {
        try run(
            "DELETE FROM suppressions WHERE project_id = ?1 AND address = ?2 AND (?3 IS NULL OR reason = ?3)", project,
            address, reason?.rawValue)
        return changeCount
    }

    func suppression(
        of address: String, in project: Identifier, for kind: TemplateSummary.Kind, at time: Timestamp
    ) throws -> Suppression.Reason? {
        let reasons = try rows(
            """
            SELECT reason FROM suppressions
            WHERE project_id = ? AND address = ? AND (expires_at IS NULL OR expires_at > ?)
            """
        ) {
            $0.add(project)
            $0.add(address)
            $0.add(time)
        } decode: {
            try $0.decoded(0, as: Suppression.Reason.self)
        }
        return Suppression.Reason.allCases.first { reasons.contains($0) && $0.stops(kind) }
    }

    func suppressions(of address: String, in project: Identifier) throws -> [Suppression] {
        try rows(
            """
            SELECT project_id, address, reason, evidence, created_at, expires_at FROM suppressions
            WHERE project_id = ? AND address = ?
            """, project, address, decode: Self.suppression)
    }

    func suppressions(
        in project: Identifier, reason: Suppression.Reason?, after position: SuppressionPosition?, limit: Int,
        at time: Timestamp
    ) throws -> [Suppression] {
        try rows(
            """
            SELECT project_id, address, reason, evidence, created_at, expires_at FROM suppressions
            WHERE project_id = ?1 AND (address, reason) > (?2, ?3) AND (?4 IS NULL OR reason = ?4)
                AND (expires_at IS NULL OR expires_at > ?5)
            ORDER BY address, reason LIMIT ?6
            """, project, position?.address ?? "", position?.reason.rawValue ?? "", reason?.rawValue, time, limit,
            decode: Self.suppression)
    }

    private static func suppression(_ row: SQLRow) throws -> Suppression {
        Suppression(
            projectID: row[0], address: row[1], reason: try row.decoded(2, as: Suppression.Reason.self),
            evidence: try row.object(3), createdAt: row[4], expiresAt: row[5])
    }

    func isErasedAddress(_ hash: [UInt8], in project: Identifier) throws -> Bool {
        try isSuppressed(hash, in: project)
    }

    /// The address in plain text goes with its contact: what stays is the hash.
    func eraseSuppressions(of address: String, in project: Identifier) throws {
        try run("DELETE FROM suppressions WHERE project_id = ? AND address = ?", project, address)
        try run("DELETE FROM soft_bounces WHERE project_id = ? AND address = ?", project, address)
    }

    func noteSoftBounce(
        of entry: Identifier, address: String, in project: Identifier, at time: Timestamp, since start: Timestamp
    ) throws -> [Timestamp] {
        try run(
            "DELETE FROM soft_bounces WHERE project_id = ? AND address = ? AND at < ?", project, address, start)
        try run(
            """
            INSERT INTO soft_bounces (project_id, address, at, entry_id) VALUES (?, ?, ?, ?)
            ON CONFLICT (project_id, address, entry_id) DO NOTHING
            """, project, address, time, entry)
        return try rows("SELECT at FROM soft_bounces WHERE project_id = ? AND address = ?", project, address) { $0[0] }
    }

    func forgetSoftBounces(of address: String, in project: Identifier) throws {
        try run("DELETE FROM soft_bounces WHERE project_id = ? AND address = ?", project, address)
    }

    // MARK: Clicks

    /// A second fetch of a link by the same client within this time is the same click.
    private static let burst: Int64 = 60_000_000
    /// Whoever follows so many different links of one mail within this time follows all of them.
    private static let scan: (links: Int, time: Int64) = (3, 2_000_000)

    func record(_ hit: ClickHit, limit: Int) throws -> ClickCount? {
        struct Summary {
            var count: Int
            var isBurst: Bool
            var otherLinks: Int
            /// Of the next hit: the earliest may be forgotten.
            var sequence: Int
        }
        let summary = try first(
            """
            SELECT count(*),
                coalesce(max(at > ?2 AND link = ?3 AND network = ?4 AND user_agent = ?5 AND machine_reason IS ?6), 0),
                count(DISTINCT CASE WHEN at > ?7 AND link <> ?3 THEN link END), coalesce(max(sequence) + 1, 0)
            FROM click_hits WHERE entry_id = ?1
            """, hit.entryID, hit.at.microseconds - Self.burst, hit.link, hit.network, hit.userAgent, hit.machineReason,
            hit.at.microseconds - Self.scan.time
        ) { Summary(count: $0[0], isBurst: $0[1], otherLinks: $0[2], sequence: $0[3]) }
        guard let summary, !summary.isBurst, summary.count < limit else { return nil }
        let reason = hit.machineReason ?? (summary.otherLinks + 1 >= Self.scan.links ? "link_scan" : nil)
        try run(
            """
            INSERT INTO click_hits (entry_id, sequence, at, link, user_agent, network, machine_reason)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, hit.entryID, summary.sequence, hit.at, hit.link, hit.userAgent, hit.network, reason)
        guard reason == nil else { return nil }
        try run(
            "UPDATE outbox SET clicks = clicks + 1, clicked_at = coalesce(clicked_at, ?) WHERE id = ?", hit.at,
            hit.entryID)
        return try first("SELECT clicked_at, clicks FROM outbox WHERE id = ?", hit.entryID) {
            ClickCount(first: $0[0], count: $0[1])
        }
    }

    // MARK: Projects

    func project(_ id: Identifier) throws -> Project? {
        try first("SELECT id, slug, name, timezone, opens, clicks FROM projects WHERE id = ?") {
            $0.add(id)
        } decode: {
            try Self.project($0)
        }
    }

    static func project(_ row: SQLRow) throws -> Project {
        let (opens, clicks): (String?, String?) = (row[4], row[5])
        return Project(
            id: row[0], slug: row[1], name: row[2], timezone: row[3],
            // What cannot be read counts as the least.
            tracking: ProjectTracking(
                opens: opens.map { TrackingMode(rawValue: $0) ?? .off },
                clicks: clicks.map { TrackingMode(rawValue: $0) ?? .off }))
    }
}
