/// Members by segment are found through blocks of contacts, and no more by an index of their own.
///
/// That index had a place for each membership, every one on a page of its own: a contact whose change concerned many segments
/// made most of the pages of its transaction there. Counts for a block of neighbours are together on one page.
///
/// The rules of the first schema hold here too.
enum Migration0019 {
    static let sql = """
        -- Contacts of a project whose ids are from first_id on, up to the next block. A contact whose id ends in six zero
        -- bits makes one, which begins with the first half of that id, so that blocks have 64 contacts on average, nothing
        -- counts them, and nobody's id is left when he is erased. Before all of these is the block of the zero id.
        CREATE TABLE contact_blocks (
            id INTEGER PRIMARY KEY,
            project_id BLOB NOT NULL,
            first_id BLOB NOT NULL,
            UNIQUE (project_id, first_id)
        ) STRICT;

        -- How many members a segment has in a block. None is as good as no row.
        CREATE TABLE segment_blocks (
            block_id INTEGER NOT NULL,
            segment_id BLOB NOT NULL,
            members INTEGER NOT NULL,
            PRIMARY KEY (block_id, segment_id)
        ) STRICT, WITHOUT ROWID;

        INSERT INTO contact_blocks (project_id, first_id) SELECT id, zeroblob(16) FROM projects;
        INSERT OR IGNORE INTO contact_blocks (project_id, first_id)
        SELECT project_id, CAST(substr(id, 1, 8) || zeroblob(8) AS BLOB) FROM contacts
        WHERE hex(substr(id, 16)) IN ('00', '40', '80', 'C0');

        INSERT INTO segment_blocks (block_id, segment_id, members)
        SELECT b.id, m.segment_id, 1
        FROM contacts c
        CROSS JOIN contact_blocks b ON b.id = (
            SELECT n.id FROM contact_blocks n WHERE n.project_id = c.project_id AND n.first_id <= c.id
            ORDER BY n.first_id DESC LIMIT 1)
        CROSS JOIN segment_members m ON m.contact_id = c.id
        -- One by one and not grouped: millions of memberships would be sorted in memory.
        WHERE true ON CONFLICT (block_id, segment_id) DO UPDATE SET members = members + 1;

        DROP INDEX segment_members_by_segment;

        -- In the order of block_start and contact_id when a segment is given. The joins are crossed because this order of
        -- them is the point.
        CREATE VIEW members_by_segment AS
        SELECT g.id AS segment_id, b.first_id AS block_start, c.id AS contact_id, m.entered_at AS entered_at
        FROM segments g
        CROSS JOIN contact_blocks b ON b.project_id = g.project_id
        CROSS JOIN segment_blocks s ON s.block_id = b.id AND s.segment_id = g.id AND s.members > 0
        CROSS JOIN contacts c INDEXED BY contacts_by_project
            ON c.project_id = b.project_id AND c.id >= b.first_id AND c.id < ifnull((
                SELECT n.first_id FROM contact_blocks n
                WHERE n.project_id = b.project_id AND n.first_id > b.first_id ORDER BY n.first_id LIMIT 1),
                -- Longer than any id, and therefore after all of them.
                x'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF')
        CROSS JOIN segment_members m ON m.contact_id = c.id AND m.segment_id = g.id;
        """
}
