import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Outbox

    func insert(_ entry: OutboxEntry) throws {
        defer { journal.add(.mail, entry.id, contact: entry.contactID) }
        if let broadcast = entry.request.broadcast, !entry.request.isTest {
            return try insert(entry, asPartOf: broadcast)
        }
        try run(
            """
            INSERT INTO outbox (id, project_id, contact_id, execution_id, status, due_at, attempts, uncertain_attempts,
                generation, template_version_id, message_id, request, created_at, class, attachment_set, lane)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, entry.id, entry.projectID, entry.contactID, entry.executionID, entry.status.rawValue, entry.dueAt,
            entry.attempts, entry.uncertainAttempts, entry.generation, entry.request.templateVersionID,
            entry.messageID, JSONWriter.write(entry.request.json), entry.createdAt, entry.isBulk,
            entry.request.attachmentSet, entry.lane)
    }

    static func outboxEntry(_ row: SQLRow) throws -> OutboxEntry {
        var entry = OutboxEntry(
            id: row[0], projectID: row[1], contactID: row[2], executionID: row[3],
            status: try row.decoded(4, as: OutboxEntry.Status.self), dueAt: row[5], createdAt: row[6],
            attempts: row[7], uncertainAttempts: row[8], generation: row[9],
            request: MailRequest(id: row[0], templateVersionID: row[10], json: try row.json(12)), messageID: row[11])
        entry.firstAttemptAt = row[13]
        return entry
    }

    func entry(_ id: Identifier) throws -> OutboxEntry? {
        try first(
            """
            SELECT id, project_id, contact_id, execution_id, status, due_at, created_at, attempts, uncertain_attempts,
                generation, template_version_id, message_id, request, first_attempt_at
            FROM outbox WHERE id = ?
            """
        ) {
            $0.add(id)
        } decode: {
            try Self.outboxEntry($0)
        }
    }

    func record(_ attempt: AttemptRecord, of entry: Identifier) throws -> Bool {
        try run(
            """
            UPDATE outbox SET status = ?1, due_at = coalesce(?2, due_at), attempts = attempts + ?3,
                first_attempt_at = CASE WHEN ?3 THEN coalesce(first_attempt_at, ?8) ELSE first_attempt_at END,
                uncertain_attempts = uncertain_attempts + ?4, last_reply = ?5, relay_queue_id = ?6,
                completed_at = ?7, relay = ?9
            WHERE id = ?10
            """
        ) {
            $0.add(attempt.status.rawValue)
            $0.add(attempt.dueAt)
            $0.add(attempt.isAttempt)
            $0.add((attempt.isUncertain ? 1 : 0) - attempt.resolvedAttempts)
            $0.add(attempt.reply)
            $0.add(attempt.relayQueueID)
            $0.add(attempt.status == .pending ? nil : attempt.at)
            $0.add(attempt.at)
            $0.add(attempt.relay)
            $0.add(entry)
        }
        return changeCount > 0
    }

    func releaseClaims(at time: Timestamp) throws -> [Identifier] {
        let claimed: [Identifier] = try rows("SELECT id FROM outbox WHERE status = 'claimed'") { $0[0] }
        for id in claimed {
            try run(
                """
                UPDATE outbox SET status = 'pending', due_at = ?1, attempts = attempts + 1,
                    first_attempt_at = coalesce(first_attempt_at, ?1),
                    uncertain_attempts = uncertain_attempts + 1, last_reply = 'the daemon stopped during the attempt'
                WHERE id = ?2
                """, time, id)
        }
        return claimed
    }

    func unclaim(_ entries: [Identifier], until time: Timestamp) throws {
        for id in entries {
            try run("UPDATE outbox SET status = 'pending', due_at = ? WHERE id = ? AND status = 'claimed'", time, id)
        }
    }

    func deliveredAt(_ entry: Identifier) throws -> Timestamp? {
        try first("SELECT completed_at FROM outbox WHERE id = ? AND status = 'delivered'", entry) { $0[0] } ?? nil
    }

    func outboxCounts() throws -> [OutboxEntry.Status: Int] {
        // The two that have an index; the rest would be a scan of everything ever sent.
        [
            .pending: try first("SELECT count(*) FROM outbox WHERE status = 'pending'") { $0[0] } ?? 0,
            .claimed: try first("SELECT count(*) FROM outbox WHERE status = 'claimed'") { $0[0] } ?? 0,
        ]
    }

    // MARK: Mail in

    func insert(_ reception: Reception) throws -> Bool {
        try run(
            """
            INSERT INTO receptions (key, project_id, event_id, recipient, queue_id, received_at)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING
            """, reception.key, reception.projectID, reception.eventID, reception.recipient, reception.queueID,
            reception.receivedAt)
        return changeCount > 0
    }

    // MARK: Opens

    /// A second fetch by the same client within this time is the same look at the mail (a proxy that asks twice).
    private static let burst: Int64 = 60_000_000

    func record(_ hit: PixelHit, limit: Int) throws -> Bool {
        struct Summary {
            var count: Int
            var isBurst: Bool
            /// Of the next hit: the earliest may be forgotten.
            var sequence: Int
        }
        let summary = try first(
            """
            SELECT count(*), coalesce(max(at > ?2 AND network = ?3 AND user_agent = ?4 AND machine_reason IS ?5), 0),
                coalesce(max(sequence) + 1, 0)
            FROM pixel_hits WHERE entry_id = ?1
            """
        ) {
            $0.add(hit.entryID)
            $0.add(hit.at.microseconds - Self.burst)
            $0.add(hit.network)
            $0.add(hit.userAgent)
            $0.add(hit.machineReason)
        } decode: {
            Summary(count: $0[0], isBurst: $0[1], sequence: $0[2])
        }
        guard let summary, !summary.isBurst else { return false }
        if summary.count < limit {
            try run(
                """
                INSERT INTO pixel_hits (entry_id, sequence, at, user_agent, network, machine_reason)
                VALUES (?, ?, ?, ?, ?, ?)
                """
            ) {
                $0.add(hit.entryID)
                $0.add(summary.sequence)
                $0.add(hit.at)
                $0.add(hit.userAgent)
                $0.add(hit.network)
                $0.add(hit.machineReason)
            }
        }
        guard hit.machineReason == nil else { return false }
        let openedBefore: Bool =
            try first("SELECT opened_at IS NOT NULL FROM outbox WHERE id = ?", hit.entryID) { $0[0] } ?? true
        try run("UPDATE outbox SET opens = opens + 1, opened_at = coalesce(opened_at, ?) WHERE id = ?") {
            $0.add(hit.at)
            $0.add(hit.entryID)
        }
        return !openedBefore
    }
}

extension SQLSession: StoreTransaction, StoreReader {}

extension MailRequest {
    /// What is stored of a request beside the columns that are asked for.
    var json: JSON {
        var object: JSONObject = [
            "step": .string(step), "kind": .string(kind.rawValue), "to": .string(recipient),
            "variables": .object(variables),
        ]
        if !partials.isEmpty {
            let versions = partials.sorted { $0.key < $1.key }.map { ($0.key, JSON.string("\($0.value)")) }
            object["partials"] = .object(JSONObject(versions))
        }
        if isToContact { object["toContact"] = true }
        if isTest { object["test"] = true }
        if let broadcast {
            object["broadcast"] = [.string("\(broadcast.id)"), .int(Int64(broadcast.variant))]
            object["variant"] = broadcast.variantName.map { .string($0) }
        }
        object["from"] = from.map { .string($0) }
        object["replyTo"] = replyTo.map { .string($0) }
        object["toName"] = recipientName.map { .string($0) }
        object["window"] = window.map(\.json)
        object["attachments"] = attachmentSet.map { .string("\($0)") }
        if !headers.isEmpty { object["headers"] = .array(headers.map { [.string($0.name), .string($0.value)] }) }
        if let answers {
            object["answers"] = [
                "writtenTo": .string(answers.writtenTo), "subject": .string(answers.subject),
                "messageId": answers.messageID.map { .string($0) } ?? .null,
                "references": .array(answers.references.map { .string($0) }),
            ]
        }
        return .object(object)
    }

    fileprivate init(id: Identifier, templateVersionID: Identifier, json: JSON) {
        let answers = json["answers"].map { answered in
            Answered(
                writtenTo: answered["writtenTo"]?.stringValue ?? "", subject: answered["subject"]?.stringValue ?? "",
                messageID: answered["messageId"]?.stringValue,
                references: answered["references"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        }
        var partials: [String: Identifier] = [:]
        for (name, version) in json["partials"]?.objectValue ?? [:] {
            partials[name] = version.stringValue.flatMap { Identifier($0) }
        }
        self.init(
            id: id, step: json["step"]?.stringValue ?? "", templateVersionID: templateVersionID, partials: partials,
            kind: json["kind"]?.stringValue.flatMap(TemplateSummary.Kind.init) ?? .marketing,
            recipient: json["to"]?.stringValue ?? "", from: json["from"]?.stringValue,
            replyTo: json["replyTo"]?.stringValue, variables: json["variables"]?.objectValue ?? [:], answers: answers,
            isTest: json["test"]?.boolValue ?? false)
        isToContact = json["toContact"]?.boolValue ?? false
        recipientName = json["toName"]?.stringValue
        if let part = json["broadcast"]?.arrayValue, let id = part.first?.stringValue.flatMap({ Identifier($0) }) {
            broadcast = Broadcast(
                id: id, variant: part.last?.intValue.map { Int($0) } ?? 0, variantName: json["variant"]?.stringValue)
        }
        window = json["window"].flatMap { SendWindow.read($0, path: "window", zones: nil).window }
        attachmentSet = json["attachments"]?.stringValue.flatMap { Identifier($0) }
        headers = (json["headers"]?.arrayValue ?? []).compactMap { pair in
            guard let name = pair.arrayValue?.first?.stringValue, let value = pair.arrayValue?.last?.stringValue
            else { return nil }
            return Header(name: name, value: value)
        }
    }
}
