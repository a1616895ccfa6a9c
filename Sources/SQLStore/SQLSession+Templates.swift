import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Catalog

    /// One row that cannot be read is the matter of that template alone.
    func templates(damaged: inout [Catalog.Damage]) throws -> [Catalog.TemplateRecord] {
        try rows(
            """
            SELECT v.id, v.template_id, v.kind, v.subject, v.html, v.text, v.from_address, v.reply_to, v.tracks_opens,
                v.markdown, v.from_name, v.number, v.created_at, v.tracks_clicks,
                t.id, t.project_id, t.slug, t.name, t.description, t.created_at, t.updated_at
            FROM templates t LEFT JOIN template_versions v ON v.id = t.version_id ORDER BY t.id
            """
        ) { row -> Catalog.TemplateRecord? in
            do {
                return Catalog.TemplateRecord(
                    id: row[14], projectID: row[15], slug: row[16], name: row[17], description: row[18],
                    current: try Self.templateVersion(row), createdAt: row[19], updatedAt: row[20])
            } catch let error as StoreError {
                damaged.append(.init(id: row[14], projectID: row[15], slug: row[16], reason: error.description))
                return nil
            }
        }.compactMap(\.self)
    }

    /// 0, 1 and 2; what cannot be read counts as the least.
    private static func mode(_ number: Int?) -> TrackingMode? {
        number.map { [1: TrackingMode.on, 2: .anonymous][$0] ?? .off }
    }

    private static func number(_ mode: TrackingMode?) -> Int? {
        switch mode {
        case .off?: 0
        case .on?: 1
        case .anonymous?: 2
        case nil: nil
        }
    }

    private static func templateVersion(_ row: SQLRow) throws -> TemplateVersion {
        TemplateVersion(
            id: row[0], templateID: row[1], number: row[11],
            kind: try row.decoded(2, as: TemplateSummary.Kind.self),
            content: TemplateContent(
                subject: row[3], html: row[4], text: row[5], markdown: row[9], from: row[6], fromName: row[10],
                replyTo: row[7], tracksOpens: Self.mode(row[8]), tracksClicks: Self.mode(row[13])), createdAt: row[12])
    }

    // MARK: Versions

    func templateVersion(_ id: Identifier) throws -> TemplateVersion? {
        try first(
            """
            SELECT id, template_id, kind, subject, html, text, from_address, reply_to, tracks_opens, markdown, from_name,
                number, created_at, tracks_clicks
            FROM template_versions WHERE id = ?
            """, id, decode: Self.templateVersion)
    }

    func templateVersion(_ number: Int, of template: Identifier) throws -> TemplateVersion? {
        try first(
            """
            SELECT id, template_id, kind, subject, html, text, from_address, reply_to, tracks_opens, markdown, from_name,
                number, created_at, tracks_clicks
            FROM template_versions WHERE template_id = ? AND number = ?
            """, template, number, decode: Self.templateVersion)
    }

    func templateVersions(
        of template: Identifier, limit: Int, offset: Int
    ) throws -> (rows: [TemplateVersion], total: Int) {
        let total: Int =
            try first("SELECT count(*) FROM template_versions WHERE template_id = ?", template) { $0[0] } ?? 0
        let rows = try rows(
            """
            SELECT id, template_id, kind, subject, html, text, from_address, reply_to, tracks_opens, markdown, from_name,
                number, created_at, tracks_clicks
            FROM template_versions WHERE template_id = ? ORDER BY number DESC LIMIT ? OFFSET ?
            """, template, limit, offset, decode: Self.templateVersion)
        return (rows, total)
    }

    func newestTemplateVersion(of template: Identifier) throws -> Int {
        try first(
            "SELECT coalesce(max(number), 0) FROM template_versions WHERE template_id = ?", template
        ) { $0[0] } ?? 0
    }

    func mailCount(ofTemplate id: Identifier, among limit: Int) throws -> Int {
        try first(
            """
            SELECT count(*) FROM (SELECT template_version_id FROM outbox ORDER BY id DESC LIMIT ?) o
            JOIN template_versions v ON v.id = o.template_version_id WHERE v.template_id = ?
            """, limit, id
        ) { $0[0] } ?? 0
    }

    // MARK: Changing

    func insert(_ version: TemplateVersion, at time: Timestamp) throws {
        let content = version.content
        try run(
            """
            INSERT INTO template_versions (id, template_id, kind, subject, html, text, from_address, reply_to,
                tracks_opens, markdown, from_name, number, created_at, tracks_clicks)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, version.id, version.templateID, version.kind.rawValue, content.subject, content.html, content.text,
            content.from, content.replyTo, Self.number(content.tracksOpens), content.markdown, content.fromName,
            version.number,
            time, Self.number(content.tracksClicks))
    }

    func save(_ template: Catalog.TemplateRecord, at time: Timestamp) throws {
        try insert(template.current, at: time)
        try run(
            """
            INSERT INTO templates (id, project_id, slug, name, description, version_id, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET version_id = excluded.version_id, name = excluded.name,
                description = excluded.description, updated_at = excluded.updated_at
            """, template.id, template.projectID, template.slug, template.name, template.description,
            template.current.id, time, time)
        try bumpCatalog()
    }

    func rename(_ template: Catalog.TemplateRecord) throws {
        try run(
            "UPDATE templates SET name = ?, description = ?, updated_at = ? WHERE id = ?", template.name,
            template.description, template.updatedAt, template.id)
        try bumpCatalog()
    }

    func delete(template id: Identifier) throws {
        try run("DELETE FROM templates WHERE id = ?", id)
        try bumpCatalog()
    }
}
