import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Subscriptions

    /// All of them, for the catalog.
    func webhookSubscriptions() throws -> [WebhookSubscription] {
        try rows(
            """
            SELECT id, project_id, url, description, events, enabled, paused_at, pause_reason, created_at, updated_at,
                caught_up
            FROM webhook_subscriptions ORDER BY id
            """
        ) { row in
            let events: String = row[4]
            let pausedAt: Timestamp? = row[6]
            let reason: String? = row[7]
            return WebhookSubscription(
                id: row[0], projectID: row[1], url: row[2], description: row[3],
                // A line that is no pattern any more matches nothing, and is the matter of that subscription alone.
                events: events.split(separator: "\n").compactMap { try? EventPattern(String($0)) }, isEnabled: row[5],
                pause: pausedAt.map { .init(at: $0, reason: reason ?? "", caughtUp: row[10]) }, createdAt: row[8],
                updatedAt: row[9])
        }
    }

    func insert(_ subscription: WebhookSubscription, secret: WebhookSecret) throws {
        try run(
            """
            INSERT INTO webhook_subscriptions (id, project_id, url, description, events, enabled, paused_at,
                pause_reason, caught_up, secret, previous, previous_ends_at, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, subscription.id, subscription.projectID, subscription.url, subscription.description,
            subscription.eventLines, subscription.isEnabled, subscription.pause?.at, subscription.pause?.reason,
            subscription.pause?.caughtUp, secret.bytes, secret.previous, secret.previousEnds, subscription.createdAt,
            subscription.updatedAt)
        try bumpCatalog()
    }

    func update(_ subscription: WebhookSubscription) throws {
        try run(
            """
            UPDATE webhook_subscriptions SET url = ?, description = ?, events = ?, enabled = ?, paused_at = ?,
                pause_reason = ?, caught_up = ?, updated_at = ?
            WHERE id = ?
            """, subscription.url, subscription.description, subscription.eventLines, subscription.isEnabled,
            subscription.pause?.at, subscription.pause?.reason, subscription.pause?.caughtUp, subscription.updatedAt,
            subscription.id)
        try bumpCatalog()
    }

    func delete(subscription id: Identifier) throws {
        try run("DELETE FROM webhook_subscriptions WHERE id = ?", id)
        try run("DELETE FROM webhook_failures WHERE subscription_id = ?", id)
        try bumpCatalog()
    }

    func secret(ofSubscription id: Identifier) throws -> WebhookSecret? {
        try first("SELECT secret, previous, previous_ends_at FROM webhook_subscriptions WHERE id = ?", id) {
            WebhookSecret(bytes: $0[0], previous: $0[1], previousEnds: $0[2])
        }
    }

    func save(_ secret: WebhookSecret, ofSubscription id: Identifier) throws {
        try run(
            "UPDATE webhook_subscriptions SET secret = ?, previous = ?, previous_ends_at = ? WHERE id = ?",
            secret.bytes, secret.previous, secret.previousEnds, id)
    }

    func failingSince(ofSubscription id: Identifier) throws -> Timestamp? {
        try first("SELECT since FROM webhook_failures WHERE subscription_id = ?", id) { $0[0] }
    }

    func setFailing(since time: Timestamp?, ofSubscription id: Identifier) throws {
        guard let time else {
            return try run("DELETE FROM webhook_failures WHERE subscription_id = ?", id)
        }
        try run(
            """
            INSERT INTO webhook_failures (subscription_id, since) VALUES (?, ?)
            ON CONFLICT (subscription_id) DO UPDATE SET since = excluded.since
            """, id, time)
    }

    // MARK: Deliveries

    func insert(_ delivery: WebhookDelivery) throws {
        try run(
            """
            INSERT INTO webhook_deliveries (subscription_id, id, event_id, status, due_at, attempts, answer, reason,
                created_at, ended_at, kept_until)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, delivery.subscriptionID, delivery.id, delivery.eventID, delivery.status.rawValue, delivery.dueAt,
            delivery.attempts, delivery.answer, delivery.reason, delivery.createdAt, delivery.endedAt,
            delivery.keptUntil)
    }

    private static func delivery(_ row: SQLRow) throws -> WebhookDelivery {
        WebhookDelivery(
            id: row[1], subscriptionID: row[0], eventID: row[2],
            status: try row.decoded(3, as: WebhookDelivery.Status.self), dueAt: row[4], attempts: row[5],
            answer: row[6], reason: row[7], createdAt: row[8], endedAt: row[9], keptUntil: row[10])
    }

    func delivery(_ id: Identifier, of subscription: Identifier) throws -> WebhookDelivery? {
        try first(
            """
            SELECT subscription_id, id, event_id, status, due_at, attempts, answer, reason, created_at, ended_at,
                kept_until
            FROM webhook_deliveries WHERE subscription_id = ? AND id = ?
            """, subscription, id, decode: Self.delivery)
    }

    /// One step into the index for each subscription.
    func webhookQueues() throws -> [WebhookQueue] {
        try rows(
            """
            WITH RECURSIVE queues (name) AS (
                SELECT min(subscription_id) FROM webhook_deliveries WHERE status = 'pending'
                UNION ALL
                SELECT (SELECT min(subscription_id) FROM webhook_deliveries
                    WHERE status = 'pending' AND subscription_id > name)
                FROM queues WHERE name IS NOT NULL
            )
            SELECT name,
                (SELECT min(due_at) FROM webhook_deliveries WHERE status = 'pending' AND subscription_id = name),
                (SELECT count(*) FROM webhook_deliveries INDEXED BY webhook_deliveries_claimed
                    WHERE status = 'claimed' AND subscription_id = name),
                (SELECT since FROM webhook_failures WHERE subscription_id = name)
            FROM queues WHERE name IS NOT NULL
            """
        ) { WebhookQueue(subscriptionID: $0[0], dueAt: $0[1], claimed: $0[2], failingSince: $0[3]) }
    }

    func claimDeliveries(
        of subscription: Identifier, dueAt time: Timestamp, limit: Int
    ) throws -> [WebhookDelivery] {
        let due: [Identifier] = try rows(
            """
            SELECT id FROM webhook_deliveries WHERE status = 'pending' AND subscription_id = ? AND due_at <= ?
            ORDER BY due_at, id LIMIT ?
            """, subscription, time, limit
        ) { $0[0] }
        return try due.compactMap { id in
            try run(
                "UPDATE webhook_deliveries SET status = 'claimed' WHERE subscription_id = ? AND id = ?", subscription,
                id)
            return try delivery(id, of: subscription)
        }
    }

    func endAttempt(_ delivery: WebhookDelivery) throws -> Bool {
        try run(
            """
            UPDATE webhook_deliveries SET status = ?, due_at = ?, attempts = ?, answer = ?, reason = ?, ended_at = ?,
                kept_until = ?
            WHERE subscription_id = ? AND id = ? AND status = 'claimed'
            """, delivery.status.rawValue, delivery.dueAt, delivery.attempts, delivery.answer, delivery.reason,
            delivery.endedAt, delivery.keptUntil, delivery.subscriptionID, delivery.id)
        return changeCount > 0
    }

    func unclaimDelivery(_ id: Identifier, of subscription: Identifier, until time: Timestamp) throws {
        try run(
            """
            UPDATE webhook_deliveries SET status = 'pending', due_at = ?
            WHERE subscription_id = ? AND id = ? AND status = 'claimed'
            """, time, subscription, id)
    }

    func releaseDeliveryClaims(at time: Timestamp) throws -> [Identifier] {
        let claimed: [Identifier] = try rows("SELECT id FROM webhook_deliveries WHERE status = 'claimed'") { $0[0] }
        guard !claimed.isEmpty else { return [] }
        try run(
            """
            UPDATE webhook_deliveries SET status = 'pending', due_at = ?, attempts = attempts + 1
            WHERE status = 'claimed'
            """, time)
        return claimed
    }

    func requeueDelivery(_ id: Identifier, of subscription: Identifier, at time: Timestamp) throws -> Bool {
        try run(
            """
            UPDATE webhook_deliveries SET status = 'pending', due_at = ?, attempts = 0, ended_at = NULL,
                kept_until = NULL
            WHERE subscription_id = ? AND id = ? AND status <> 'claimed'
            """, time, subscription, id)
        return changeCount > 0
    }

    func requeueFailedDeliveries(
        of subscription: Identifier, from first: Identifier, to last: Identifier, at time: Timestamp, limit: Int
    ) throws -> [Identifier] {
        let failed: [Identifier] = try rows(
            """
            SELECT id FROM webhook_deliveries INDEXED BY webhook_deliveries_failed
            WHERE status = 'failed' AND subscription_id = ? AND id >= ? AND id < ?
            ORDER BY id LIMIT ?
            """, subscription, first, last, limit
        ) { $0[0] }
        for id in failed { _ = try requeueDelivery(id, of: subscription, at: time) }
        return failed
    }

    func hastenDeliveries(of subscription: Identifier, to time: Timestamp, limit: Int) throws -> Int {
        let late: [Identifier] = try rows(
            """
            SELECT id FROM webhook_deliveries WHERE status = 'pending' AND subscription_id = ? AND due_at > ?
            ORDER BY due_at, id LIMIT ?
            """, subscription, time, limit
        ) { $0[0] }
        for id in late {
            try run(
                "UPDATE webhook_deliveries SET due_at = ? WHERE subscription_id = ? AND id = ?", time, subscription, id)
        }
        return late.count
    }

    func events(from first: Identifier, before last: Identifier, limit: Int) throws -> [EventReference] {
        try rows(
            "SELECT id, project_id, name, created_at FROM events WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", first,
            last, limit
        ) { EventReference(id: $0[0], projectID: $0[1], name: $0[2], createdAt: $0[3]) }
    }

    func deliveries(
        of subscription: Identifier, status: WebhookDelivery.Status?, before cursor: Identifier?, limit: Int
    ) throws -> [WebhookDeliveryListing] {
        let end = cursor ?? Identifier(high: .max, low: .max)
        let listing = { (row: SQLRow) in WebhookDeliveryListing(delivery: try Self.delivery(row), event: row[11]) }
        guard let status else {
            return try rows(
                """
                SELECT d.subscription_id, d.id, d.event_id, d.status, d.due_at, d.attempts, d.answer, d.reason,
                    d.created_at, d.ended_at, d.kept_until, e.name
                FROM webhook_deliveries d LEFT JOIN events e ON e.id = d.event_id
                WHERE d.subscription_id = ? AND d.id < ? ORDER BY d.id DESC LIMIT ?
                """, subscription, end, limit, decode: listing)
        }
        if status == .failed {
            // The few among many: from their own index.
            return try rows(
                """
                SELECT d.subscription_id, d.id, d.event_id, d.status, d.due_at, d.attempts, d.answer, d.reason,
                    d.created_at, d.ended_at, d.kept_until, e.name
                FROM webhook_deliveries d INDEXED BY webhook_deliveries_failed
                    LEFT JOIN events e ON e.id = d.event_id
                WHERE d.status = 'failed' AND d.subscription_id = ? AND d.id < ? ORDER BY d.id DESC LIMIT ?
                """, subscription, end, limit, decode: listing)
        }
        return try rows(
            """
            SELECT d.subscription_id, d.id, d.event_id, d.status, d.due_at, d.attempts, d.answer, d.reason,
                d.created_at, d.ended_at, d.kept_until, e.name
            FROM webhook_deliveries d LEFT JOIN events e ON e.id = d.event_id
            WHERE d.subscription_id = ? AND d.id < ? AND d.status = ? ORDER BY d.id DESC LIMIT ?
            """, subscription, end, status.rawValue, limit, decode: listing)
    }

    func content(ofEvent id: Identifier) throws -> WebhookContent? {
        try first(
            """
            SELECT e.id, e.name, e.data, e.source, e.generation, e.created_at, c.id, c.email
            FROM events e LEFT JOIN contacts c ON c.id = e.contact_id
            WHERE e.id = ? AND (e.contact_id IS NULL OR c.id IS NOT NULL)
            """, id
        ) { row in
            let contact: Identifier? = row[6]
            return WebhookContent(event: try Self.event(row), contact: contact.map { ($0, row[7]) })
        }
    }

    func deliveryCounts() throws -> [WebhookDelivery.Status: Int] {
        [
            .pending: try first("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'") { $0[0] } ?? 0,
            .claimed: try first("SELECT count(*) FROM webhook_deliveries WHERE status = 'claimed'") { $0[0] } ?? 0,
        ]
    }

    // MARK: Sweeping

    func deleteExpiredDeliveries(at time: Timestamp, limit: Int) throws -> Int {
        let expired: [(Identifier, Identifier)] = try rows(
            """
            SELECT subscription_id, id FROM webhook_deliveries WHERE kept_until <= ? ORDER BY kept_until LIMIT ?
            """, time, limit
        ) { ($0[0], $0[1]) }
        for (subscription, id) in expired { try deleteDelivery(id, of: subscription) }
        return expired.count
    }

    func deleteStrayDeliveries(limit: Int) throws -> Int {
        let subscriptions: [Identifier] = try rows(
            """
            WITH RECURSIVE known (name) AS (
                SELECT min(subscription_id) FROM webhook_deliveries
                UNION ALL
                SELECT (SELECT min(subscription_id) FROM webhook_deliveries WHERE subscription_id > name)
                FROM known WHERE name IS NOT NULL
            )
            SELECT name FROM known WHERE name IS NOT NULL AND name NOT IN (SELECT id FROM webhook_subscriptions)
            """
        ) { $0[0] }
        var deleted = 0
        for subscription in subscriptions where deleted < limit {
            let stray: [Identifier] = try rows(
                "SELECT id FROM webhook_deliveries WHERE subscription_id = ? LIMIT ?", subscription, limit - deleted
            ) { $0[0] }
            for id in stray { try deleteDelivery(id, of: subscription) }
            deleted += stray.count
        }
        return deleted
    }

    private func deleteDelivery(_ id: Identifier, of subscription: Identifier) throws {
        try run("DELETE FROM webhook_deliveries WHERE subscription_id = ? AND id = ?", subscription, id)
    }
}

extension WebhookSubscription {
    fileprivate var eventLines: String { events.map(\.text).joined(separator: "\n") }
}
