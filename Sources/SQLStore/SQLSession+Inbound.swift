import Engine
import JSONValue
import MailModel
import WorkflowModel

extension SQLSession {
    // MARK: Mail that waits for its verdicts

    func insert(_ mail: PendingMail) throws {
        try run(
            """
            INSERT INTO pending_mail (id, received_at, deadline, envelope, header, body) VALUES (?, ?, ?, ?, ?, ?)
            """, mail.id, mail.receivedAt, mail.deadline, JSONWriter.write(mail.envelope), mail.header,
            mail.message.body)
    }

    func deletePendingMail(_ id: Identifier) throws -> Bool {
        try run("DELETE FROM pending_mail WHERE id = ?", id)
        return changeCount > 0
    }

    func setEvent(_ event: Identifier, ofReception key: [UInt8]) throws {
        try run("UPDATE receptions SET event_id = ? WHERE key = ?", event, key)
    }

    func pendingMails(after id: Identifier?, limit: Int) throws -> [PendingMail.Place] {
        try rows(
            "SELECT id, deadline FROM pending_mail WHERE id > ? ORDER BY id LIMIT ?", id?.bytes ?? [], limit
        ) { PendingMail.Place(id: $0[0], deadline: $0[1]) }
    }

    func pendingMail(_ id: Identifier) throws -> PendingMail? {
        try first(
            "SELECT received_at, deadline, envelope, header, body FROM pending_mail WHERE id = ?", id
        ) { row in
            PendingMail(
                id: id, receivedAt: row[0], deadline: row[1], envelope: try row.json(2), header: row[3], body: row[4])
        } ?? nil
    }

    // MARK: Mail that became no event

    func insert(_ outcome: InboundOutcome, in project: Identifier) throws {
        try run(
            """
            INSERT INTO inbound_outcomes (project_id, id, kind, recipient, sender, queue_id, at, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, project, outcome.id, outcome.kind.rawValue, outcome.recipient, outcome.sender, outcome.queueID,
            outcome.at, outcome.detail.text)
    }

    func inboundOutcomes(in project: Identifier, before id: Identifier?, limit: Int) throws -> [InboundOutcome] {
        try rows(
            """
            SELECT id, kind, recipient, sender, queue_id, at, detail FROM inbound_outcomes
            WHERE project_id = ? AND id < ? ORDER BY id DESC LIMIT ?
            """, project, id?.bytes ?? [UInt8](repeating: 255, count: 16), limit
        ) { row in
            InboundOutcome(
                id: row[0], kind: try row.decoded(1, as: InboundOutcome.Kind.self), recipient: row[2], sender: row[3],
                queueID: row[4], at: row[5], detail: try row.object(6))
        }
    }

    func pruneInboundOutcomes(before time: Timestamp, limit: Int) throws -> Int {
        // Ids begin with the time they were made at, so the oldest of a project are its first.
        let bound = Identifier(at: time, random: (0, 0))
        let projects: [Identifier] = try rows("SELECT id FROM projects") { $0[0] }
        var count = 0
        for project in projects where count < limit {
            try run(
                """
                DELETE FROM inbound_outcomes WHERE project_id = ?1 AND id IN (
                    SELECT id FROM inbound_outcomes WHERE project_id = ?1 AND id < ?2 ORDER BY id LIMIT ?3)
                """, project, bound, limit - count)
            count += changeCount
        }
        return count
    }
}
