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
        // Usually what is due longest is what there is to do.
        let window = 4 * limit
        let first: [(id: Identifier, receiver: String)] = try rows(
            """
            SELECT id, receiver FROM webhook_calls WHERE status = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?
            """, time, window
        ) { ($0[0], $0[1]) }
        var taken = underWay
        var claimed: [WebhookCall] = []
        for (id, receiver) in first where claimed.count < limit && taken[receiver, default: 0] < perReceiver {
            taken[receiver, default: 0] += 1
            if let call = try claim(id, at: time) { claimed.append(call) }
        }
        // Behind the backlog of receivers without a place there may be others.
        guard claimed.count < limit, first.count == window else { return claimed }
        for (receiver, due) in try receivers().sorted(by: { $0.due < $1.due }) where due <= time {
            let free = min(perReceiver - taken[receiver, default: 0], limit - claimed.count)
            guard free > 0 else { continue }
            let next: [Identifier] = try rows(
                """
                SELECT id FROM webhook_calls WHERE status = 'pending' AND receiver = ? AND due_at <= ?
                ORDER BY due_at LIMIT ?
                """, receiver, time, free
            ) { $0[0] }
            claimed += try next.compactMap { try claim($0, at: time) }
        }
        return claimed
    }

    /// - Returns: nil for a call that cannot be read, whose execution fails.
    private func claim(_ id: Identifier, at time: Timestamp) throws -> WebhookCall? {
        do {
            guard var call = try webhookCall(id) else { return nil }
            try run("UPDATE webhook_calls SET status = 'claimed' WHERE id = ?", id)
            call.status = .claimed
            return call
        } catch let error as StoreError where error.code == .damaged {
            let execution: Identifier? = try first("SELECT execution_id FROM webhook_calls WHERE id = ?", id) { $0[0] }
            try run("DELETE FROM webhook_calls WHERE id = ?", id)
            if let execution {
                try failExecution(execution, reason: "its stored webhook call cannot be read", at: time)
            }
            return nil
        }
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

    func nextWebhookCall(besides busy: Set<String>) throws -> Timestamp? {
        let window = 64
        let first: [(receiver: String, due: Timestamp)] = try rows(
            "SELECT receiver, due_at FROM webhook_calls WHERE status = 'pending' ORDER BY due_at LIMIT ?", window
        ) { ($0[0], $0[1]) }
        if let next = first.first(where: { !busy.contains($0.receiver) }) { return next.due }
        guard first.count == window else { return nil }
        return try receivers().filter { !busy.contains($0.name) }.map(\.due).min()
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

    func executionsWithoutTheirCall(limit: Int) throws -> [Identifier] {
        try rows(
            """
            SELECT id FROM executions e WHERE webhook_call_id IS NOT NULL AND status = 'RUNNING'
                AND NOT EXISTS (SELECT 1 FROM webhook_calls WHERE id = e.webhook_call_id)
            LIMIT ?
            """, limit
        ) { $0[0] }
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
