/// Templates: versions, partials, kinds.
///
/// The rules of the first schema hold here too.
enum Migration0005 {
    static let sql = """
        ALTER TABLE templates ADD COLUMN name TEXT NOT NULL DEFAULT '';
        ALTER TABLE templates ADD COLUMN description TEXT;
        ALTER TABLE templates ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
        UPDATE templates SET name = slug, updated_at = coalesce(
            (SELECT v.created_at FROM template_versions v WHERE v.id = templates.version_id), created_at);

        ALTER TABLE template_versions ADD COLUMN markdown TEXT;
        ALTER TABLE template_versions ADD COLUMN from_name TEXT;
        -- Counted from 1 within the template.
        ALTER TABLE template_versions ADD COLUMN number INTEGER NOT NULL DEFAULT 1;
        UPDATE template_versions SET number = (SELECT count(*) FROM template_versions v
            WHERE v.template_id = template_versions.template_id AND v.id <= template_versions.id);
        CREATE INDEX template_versions_by_template ON template_versions (template_id, number);
        """
}
