import JSONValue
import Logging
import WorkflowModel

// Events on their way to subscriptions. Each subscription is a queue of its own, and attempts begin in the order in which
// its deliveries were made; one that failed comes again at its own time and holds up nothing behind it. While a
// subscription's attempts fail, one is made at a time.

extension WebhookDispatch {
    /// Rows that one sweep deletes.
    private static let sweepLimit = 500
    /// Seconds from one sweep to the next when nothing was left.
    private static let sweepPause: Int64 = 600

    // MARK: Claims

    /// Claims for the subscriptions with the fewest attempts under way first, of these for the one that waits longest.
    static func claimDeliveries(
        _ limit: Int, perReceiver: Int, underWay: [String: Int], in transaction: EngineTransaction
    ) throws -> [(WebhookDelivery, WebhookSubscription)] {
        guard !transaction.catalog.subscriptions.isEmpty else { return [] }
        var underWay = underWay
        var claimed: [(WebhookDelivery, WebhookSubscription)] = []
        let queues = try transaction.store.webhookQueues().filter { $0.dueAt <= transaction.now }
        for queue in queues.sorted(by: { ($0.claimed, $0.dueAt) < ($1.claimed, $1.dueAt) }) {
            guard let subscription = transaction.catalog.subscription(queue.subscriptionID), subscription.isListening
            else { continue }
            let receiver = subscription.receiver
            var free = min(perReceiver - underWay[receiver, default: 0], limit - claimed.count)
            if queue.failingSince != nil { free = min(free, 1 - queue.claimed) }
            guard free > 0 else { continue }
            let deliveries = try transaction.store.claimDeliveries(
                of: subscription.id, dueAt: transaction.now, limit: free)
            underWay[receiver, default: 0] += deliveries.count
            claimed += deliveries.map { ($0, subscription) }
        }
        return claimed
    }

    static func nextDelivery(besides busy: Set<String>, in transaction: EngineTransaction) throws -> Timestamp? {
        guard !transaction.catalog.subscriptions.isEmpty else { return nil }
        return try transaction.store.webhookQueues().filter { queue in
            // The end of an attempt wakes the loop.
            guard let subscription = transaction.catalog.subscription(queue.subscriptionID), subscription.isListening,
                queue.failingSince == nil || queue.claimed == 0
            else { return false }
            return !busy.contains(subscription.receiver)
        }.map(\.dueAt).min()
    }

    /// Claims what is due and makes it, one after the other: what the loop does, for tests.
    /// - Returns: how many attempts were made.
    package func deliverBatch() async throws -> Int {
        let (limit, perReceiver) = (transport.concurrency, perReceiver)
        let claimed = try await context.transact {
            try Self.claimDeliveries(limit, perReceiver: perReceiver, underWay: [:], in: $0)
        }
        for (delivery, subscription) in claimed { await attempt(delivery, to: subscription) }
        return claimed.count
    }

    // MARK: One attempt

    /// Signs, makes and records one claimed delivery. Also the whole of it for tests.
    package func attempt(
        _ delivery: WebhookDelivery, to subscription: WebhookSubscription, places: WebhookPlaces? = nil
    ) async {
        let outcome: Outcome
        do {
            guard let made = try await made(delivery, subscription) else { return }
            outcome =
                switch made {
                case .success(let webhook): .attempted(await transport.call(webhook))
                case .failure(let refusal): refusal
                }
        } catch let error as StoreError where error.code == .damaged {
            outcome = .nothingToSend("its event cannot be read")
        } catch {
            context.logger.error("webhooks wait for the database", metadata: ["error": "\(error)"])
            await persist("claim not given back", delivery.id, places) {
                let until = context.clock.now().adding(seconds: EngineContext.longestPause)
                try await context.store.write {
                    try $0.unclaimDelivery(delivery.id, of: subscription.id, until: until)
                }
            }
            context.signals.webhooks.signal()
            return
        }
        await record(outcome, of: delivery, to: subscription, places)
    }

    private enum Outcome: Error, Sendable {
        case attempted(WebhookOutcome)
        case nothingToSend(String)
    }

    /// - Returns: nil when the subscription is gone.
    private func made(
        _ delivery: WebhookDelivery, _ subscription: WebhookSubscription
    ) async throws -> Result<SignedWebhook, Outcome>? {
        let (secret, content) = try await context.store.read {
            (try $0.secret(ofSubscription: subscription.id), try $0.content(ofEvent: delivery.eventID))
        }
        guard let secret else { return nil }
        guard let content else { return .failure(.nothingToSend("its event is no longer there")) }
        let url: WebhookURL
        do throws(WebhookURL.Objection) { url = try WebhookURL(subscription.url) } catch {
            return .failure(.attempted(.failed(reason: "the url \(error)", isTemporary: true)))
        }
        if let objection = destinations.objection(to: url) {
            return .failure(.attempted(.failed(reason: objection, isTemporary: true)))
        }
        let body = JSONWriter.bytes(content.json)
        let signature = WebhookSignature(cryptography: context.cryptography, secret: secret)
        let headers: [WebhookRequest.Header] = [
            .init(name: "Content-Type", value: "application/json"), .init(name: "User-Agent", value: "Postrider"),
        ]
        return .success(
            SignedWebhook(
                method: "POST", url: url,
                headers: headers
                    + signature.headers(id: "\(delivery.id)", body: body, at: context.clock.now()), body: body))
    }

    private func record(
        _ outcome: Outcome, of delivery: WebhookDelivery, to subscription: WebhookSubscription, _ places: WebhookPlaces?
    ) async {
        await persist("webhook not recorded", delivery.id, places) {
            let ended = try await context.transact {
                try Self.record(outcome, of: delivery, to: subscription.url, in: $0)
            }
            guard let ended else { return }
            log(ended.delivery, subscription)
            guard let reason = ended.pauseReason else { return }
            context.logger.warning(
                "webhook paused",
                metadata: [
                    "webhook": "\(subscription.id)", "receiver": "\(subscription.receiver)", "reason": "\(reason)",
                ])
        }
    }

    private struct Ended: Sendable {
        var delivery: WebhookDelivery
        var pauseReason: String?
    }

    /// - Parameter url: who was called; since then it may be another one.
    /// - Returns: nil when there is nothing to record.
    private static func record(
        _ outcome: Outcome, of delivery: WebhookDelivery, to url: String, in transaction: EngineTransaction
    ) throws -> Ended? {
        guard let current = try transaction.store.delivery(delivery.id, of: delivery.subscriptionID) else { return nil }
        let verdict =
            switch outcome {
            case .attempted(let outcome):
                WebhookDeliveryRetries.decide(outcome, current, now: transaction.now)
            case .nothingToSend(let reason):
                WebhookDeliveryRetries.giveUp(current, because: reason, now: transaction.now)
            }
        let after = verdict.delivery
        guard try transaction.store.endAttempt(after) else { return nil }
        // The next of its queue may be waiting for this one's end.
        transaction.wakes.webhooks = true
        if after.status == .failed { try transaction.store.count("webhook_deliveries_failed", by: 1) }
        let called = transaction.catalog.subscriptions.first { $0.id == delivery.subscriptionID }
        guard verdict.isTheReceivers, called?.url == url else { return Ended(delivery: after) }
        let since = try transaction.store.failingSince(ofSubscription: delivery.subscriptionID)
        guard after.status != .delivered else {
            if since != nil { try transaction.store.setFailing(since: nil, ofSubscription: delivery.subscriptionID) }
            return Ended(delivery: after)
        }
        if since == nil {
            try transaction.store.setFailing(since: transaction.now, ofSubscription: delivery.subscriptionID)
        }
        let reason: String
        if verdict.isGone {
            reason = "the receiver answered 410 Gone"
        } else if let since, since.adding(seconds: WebhookDeliveryRetries.patience) <= transaction.now {
            reason = "nothing but failures since \(since); the last: \(after.reason ?? "")"
        } else {
            return Ended(delivery: after)
        }
        let isPaused = try transaction.pause(delivery.subscriptionID, because: reason)
        return Ended(delivery: after, pauseReason: isPaused ? reason : nil)
    }

    /// Without the address: what stands in it may be secret.
    private func log(_ delivery: WebhookDelivery, _ subscription: WebhookSubscription) {
        let end: Logger.Message =
            switch delivery.status {
            case .delivered: "webhook delivered"
            case .failed: "webhook given up"
            case .pending, .claimed: "webhook deferred"
            }
        var metadata: Logger.Metadata = [
            "delivery": "\(delivery.id)", "webhook": "\(subscription.id)", "receiver": "\(subscription.receiver)",
            "attempt": "\(delivery.attempts)",
        ]
        if let reason = delivery.reason { metadata["reason"] = "\(reason)" }
        if delivery.status == .pending { metadata["again"] = "\(delivery.dueAt)" }
        context.logger.info(end, metadata: metadata)
    }

    // MARK: Sweeping

    /// Deletes what was kept long enough, a batch at most.
    /// - Returns: when to come back.
    package func sweep() async -> Timestamp {
        let now = context.clock.now()
        do {
            let deleted = try await context.store.write { store in
                let expired = try store.deleteExpiredDeliveries(at: now, limit: Self.sweepLimit)
                return try expired + store.deleteStrayDeliveries(limit: Self.sweepLimit - expired)
            }
            return now.adding(seconds: deleted < Self.sweepLimit ? Self.sweepPause : 1)
        } catch {
            context.logger.error("deliveries not swept", metadata: ["error": "\(error)"])
            return now.adding(seconds: 60)
        }
    }
}

extension EngineTransaction {
    /// Puts an event into a subscription's queue.
    /// - Returns: the id of the delivery.
    @discardableResult
    func deliver(_ event: Identifier, to subscription: WebhookSubscription) throws -> Identifier {
        // Ids of one millisecond are in no order, and what one transaction brings about must keep its own.
        let id = max(makeID(), lastDelivery?.next ?? Identifier(high: 0, low: 0))
        lastDelivery = id
        try store.insert(
            WebhookDelivery(id: id, subscriptionID: subscription.id, eventID: event, dueAt: now, createdAt: now))
        wakes.webhooks = true
        return id
    }

    /// Stops calling a subscription, with a notice for those who listen to it.
    /// - Returns: false when that was done before, or when it is gone.
    func pause(_ id: Identifier, because reason: String) throws -> Bool {
        guard var subscription = catalog.subscription(id), subscription.pause == nil else { return false }
        subscription.pause = .init(at: now, reason: reason)
        subscription.updatedAt = now
        try store.update(subscription)
        try store.count("webhooks_paused", by: 1)
        try EventRecorder(transaction: self, projectID: subscription.projectID).record(
            EventName.webhookPaused,
            data: [
                "webhook": .string("\(id)"), "receiver": .string(subscription.receiver),
                "description": subscription.description.map { .string($0) } ?? .null, "reason": .string(reason),
            ], generation: 0, contact: nil)
        return true
    }
}
