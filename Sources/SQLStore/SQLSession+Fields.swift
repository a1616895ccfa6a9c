import JSONValue
import WorkflowModel

extension SQLSession {
    func newestContactData(in project: Identifier, among limit: Int) throws -> [JSONObject] {
        try rows(
            """
            SELECT data FROM (SELECT project_id, data FROM contacts ORDER BY id DESC LIMIT ?) WHERE project_id = ?
                AND length(data) <= 16384
            """, limit, project
        ) { try $0.object(0) }
    }

    func newestEventData(of name: String?, in project: Identifier, among limit: Int) throws -> [JSONObject] {
        try rows(
            """
            SELECT data, name, source FROM (SELECT project_id, name, data, source FROM events ORDER BY rowid DESC LIMIT ?1)
            WHERE project_id = ?2 AND (?3 IS NULL OR name = ?3) AND length(data) <= 16384
            """, limit, project, name
        ) { row in
            StoredEventData.whole(try row.object(0), of: row[1], from: try row.decoded(2, as: Event.Source.self))
        }
    }
}
