/// How often mail was looked at that tells nothing of its readers: numbers by day, template version, step and link.
///
/// The rules of the first schema hold here too.
enum Migration0017 {
    static let sql = """
        -- `version_id` is sixteen zero bytes for content without a template; `link` is empty for pixels.
        CREATE TABLE shared_hits (
            project_id BLOB NOT NULL REFERENCES projects (id),
            day INTEGER NOT NULL,
            version_id BLOB NOT NULL,
            step TEXT NOT NULL,
            link TEXT NOT NULL,
            people INTEGER NOT NULL,
            machines INTEGER NOT NULL,
            PRIMARY KEY (project_id, day, version_id, step, link)
        ) STRICT, WITHOUT ROWID;
        """
}
