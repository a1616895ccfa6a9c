/// Automatic replies are remembered by what they answer, and counted.
///
/// The rules of the first schema hold here too.
enum Migration0012 {
    static let sql = """
        DROP TABLE automatic_replies;

        -- When whoever got an automatic reply last got it, by the route and template of the reply. The recipient is the name
        -- under which replies to an address are counted.
        CREATE TABLE reply_windows (
            recipient TEXT NOT NULL,
            project_id BLOB NOT NULL,
            route TEXT NOT NULL,
            template_id BLOB NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (recipient, project_id, route, template_id)
        ) STRICT, WITHOUT ROWID;

        -- Automatic replies by domain and five minutes, kept for an hour; the empty domain has all of them.
        CREATE TABLE reply_counts (
            domain TEXT NOT NULL,
            slot INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (domain, slot)
        ) STRICT, WITHOUT ROWID;

        -- The last time that all automatic replies were stopped; one row at most.
        CREATE TABLE reply_stops (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            opened_at INTEGER NOT NULL,
            ends_at INTEGER NOT NULL
        ) STRICT;
        """
}
