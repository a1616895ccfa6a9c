import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Webhook calls

    func insert(_ call: WebhookCall) throws {
        try run(
            """
            INSERT INTO webhook_calls (id, project_id, execution_id, status, receiver, due_at, attempts, request,
                created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, call.id, call.projectID, call.executionID, call.status.rawValue, call.receiver, call.dueAt,
            call.attempts, JSONWriter.write(call.request.json), call.createdAt)
    }

    private static func call(_ row: SQLRow) throws -> WebhookCall {
        WebhookCall(
            request: try WebhookRequest(id: row[0], json: try row.json(6)), projectID: row[1], executionID: row[2],
            status: try row.decoded(3, as: WebhookCall.Status.self), dueAt: row[4], attempts: row[5],
            createdAt: row[7])
    }

    func webhookCall(_ id: Identifier) throws -> WebhookCall? {
        try first(
            """
            SELECT id, project_id, execution_id, status, due_at, attempts, request, created_at
            FROM webhook_calls WHERE id = ?
            """, id, decode: Self.call)
    }

    func deleteWebhookCalls(of execution: Identifier) throws {
        try run("DELETE FROM webhook_calls WHERE execution_id = ?", execution)
    }

    func claimWebhookCalls(
        dueAt time: Timestamp, limit: Int, perReceiver: Int, underWay: [String: Int]
    ) throws -> [WebhookCall] {
        var claimed: [WebhookCall] = []
        for (receiver, due) in try receivers().sorted(by: { $0.due < $1.due }) where due <= time {
            let free = min(perReceiver - underWay[receiver, default: 0], limit - claimed.count)
            if free > 0 { claimed += try claimCalls(to: receiver, dueAt: time, limit: free) }
        }
        return claimed
    }

    /// Every receiver that something is pending for, with the time of its first call: one step into the index for each,
    /// whatever its backlog.
    private func receivers() throws -> [(name: String, due: Timestamp)] {
        try rows(
            """
            WITH RECURSIVE receivers (name) AS (
                SELECT min(receiver) FROM webhook_calls WHERE status = 'pending'
                UNION ALL
                SELECT (SELECT min(receiver) FROM webhook_calls WHERE status = 'pending' AND receiver > name)
                FROM receivers WHERE name IS NOT NULL
            )
            SELECT name, (SELECT min(due_at) FROM webhook_calls WHERE status = 'pending' AND receiver = name)
            FROM receivers WHERE name IS NOT NULL
            """
        ) { ($0[0], $0[1]) }
    }

    private func claimCalls(to receiver: String, dueAt time: Timestamp, limit: Int) throws -> [WebhookCall] {
        let read = try rows(
            """
            SELECT id, project_id, execution_id, status, due_at, attempts, request, created_at
            FROM webhook_calls WHERE status = 'pending' AND receiver = ? AND due_at <= ? ORDER BY due_at LIMIT ?
            """, receiver, time, limit
        ) { row -> (id: Identifier, execution: Identifier, call: WebhookCall?) in
            (row[0], row[2], try? Self.call(row))
        }
        var calls: [WebhookCall] = []
        for (id, execution, call) in read {
            if var call {
                try run("UPDATE webhook_calls SET status = 'claimed' WHERE id = ?", id)
                call.status = .claimed
                calls.append(call)
            } else {
                try run("DELETE FROM webhook_calls WHERE id = ?", id)
                try failExecution(execution, reason: "its stored webhook call cannot be read", at: time)
            }
        }
        return calls
    }

    func nextWebhookCall(besides busy: Set<String>) throws -> Timestamp? {
        try receivers().filter { !busy.contains($0.name) }.map(\.due).min()
    }

    func retryWebhookCall(_ id: Identifier, at time: Timestamp) throws {
        try run(
            """
            UPDATE webhook_calls SET status = 'pending', due_at = ?, attempts = attempts + 1
            WHERE id = ? AND status = 'claimed'
            """, time, id)
    }

    func endWebhookCall(_ id: Identifier) throws -> Bool {
        try run("DELETE FROM webhook_calls WHERE id = ? AND status = 'claimed'", id)
        return changeCount > 0
    }

    func unclaimWebhookCalls(_ ids: [Identifier], until time: Timestamp) throws {
        for id in ids {
            try run(
                "UPDATE webhook_calls SET status = 'pending', due_at = ? WHERE id = ? AND status = 'claimed'", time, id)
        }
    }

    func releaseWebhookClaims(at time: Timestamp) throws -> [Identifier] {
        let claimed: [Identifier] = try rows("SELECT id FROM webhook_calls WHERE status = 'claimed'") { $0[0] }
        for id in claimed { try retryWebhookCall(id, at: time) }
        return claimed
    }

    func webhookCounts() throws -> [WebhookCall.Status: Int] {
        [
            .pending: try first("SELECT count(*) FROM webhook_calls WHERE status = 'pending'") { $0[0] } ?? 0,
            .claimed: try first("SELECT count(*) FROM webhook_calls WHERE status = 'claimed'") { $0[0] } ?? 0,
        ]
    }

    // MARK: Webhook secrets

    func webhookSecret(of project: Identifier) throws -> WebhookSecret? {
        try first("SELECT secret, previous, previous_ends_at FROM webhook_secrets WHERE project_id = ?", project) {
            WebhookSecret(bytes: $0[0], previous: $0[1], previousEnds: $0[2])
        }
    }

    func save(_ secret: WebhookSecret, of project: Identifier) throws {
        try run(
            """
            INSERT INTO webhook_secrets (project_id, secret, previous, previous_ends_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (project_id) DO UPDATE SET secret = excluded.secret, previous = excluded.previous,
                previous_ends_at = excluded.previous_ends_at
            """, project, secret.bytes, secret.previous, secret.previousEnds)
    }
}

extension WebhookRequest {
    fileprivate var json: JSON {
        var object: JSONObject = [
            "step": .string(step), "method": .string(method), "url": .string(url),
            "headers": .array(headers.map { [.string($0.name), .string($0.value)] }),
        ]
        object["body"] = body.map { .string($0) }
        return .object(object)
    }

    /// - Throws: `StoreError.damaged` for anything that `json` would not have written.
    fileprivate init(id: Identifier, json: JSON) throws {
        guard let step = json["step"]?.stringValue, let method = json["method"]?.stringValue,
            let url = json["url"]?.stringValue, let headers = json["headers"]?.arrayValue
        else { throw StoreError(.damaged, "the database holds a webhook call without its request") }
        self.init(
            id: id, step: step, method: method, url: url,
            headers: try headers.map { pair in
                guard let pair = pair.arrayValue, pair.count == 2, let name = pair[0].stringValue,
                    let value = pair[1].stringValue
                else { throw StoreError(.damaged, "the database holds a webhook header that is none") }
                return Header(name: name, value: value)
            }, body: json["body"]?.stringValue)
    }
}
