import Engine
import WorkflowModel

extension SQLSession {
    func contacts(
        matching filter: Filter, in project: Identifier, after cursor: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact] {
        // No id is before the zero one.
        let start = cursor ?? Identifier(high: 0, low: 0)
        var query = SQLText(
            """
            SELECT c.id, c.email, c.subscribed, c.data, c.created_at, c.updated_at FROM contacts c
            WHERE c.project_id = ? AND c.id > ? AND 
            """, project, start)
        query.append(try expression(of: filter, in: project, at: now))
        query.append(" ORDER BY c.id LIMIT ?", limit)
        return try rows(query, decode: Self.contact)
    }

    func contactCount(matching filter: Filter, in project: Identifier, at now: Timestamp) throws -> Int {
        var query = SQLText("SELECT count(*) FROM contacts c WHERE c.project_id = ? AND ", project)
        query.append(try expression(of: filter, in: project, at: now))
        return try rows(query) { row -> Int in row[0] }.first ?? 0
    }

    func expression(of filter: Filter, in project: Identifier, at now: Timestamp) throws -> SQLText {
        let kept = try Set(
            filter.lookedBackEvents.filter { name in
                try first(
                    "SELECT 1 FROM kept_events WHERE project_id = ? AND name = ? AND last IS NULL", project, name
                ) { _ in true } ?? false
            })
        let surroundings = SQLFilter.Surroundings(project: project, now: now, keptEvents: kept) { reference in
            try self.segment(reference, in: project)
        }
        return try SQLFilter(filter, surroundings).expression
    }
}
