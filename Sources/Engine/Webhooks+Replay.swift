import JSONValue
import WorkflowModel

// Events that were not delivered once are queued again from what is stored, a bounded number for each request, and a
// few hundred in one transaction: everybody else waits for it.

extension Webhooks {
    package struct ReplayRequest: Sendable {
        package var since: Timestamp
        /// Before that; nil is now.
        package var until: Timestamp?
        /// Nil is what the subscription listens to.
        package var events: [String]?
        /// Those that were given up, under their own ids; otherwise every event once more, as a new delivery.
        package var onlyFailed: Bool

        package init(since: Timestamp, until: Timestamp? = nil, events: [String]? = nil, onlyFailed: Bool = false) {
            self.since = since
            self.until = until
            self.events = events
            self.onlyFailed = onlyFailed
        }
    }

    package struct Replayed: Hashable, Sendable {
        package var queued: Int
        /// From where a further request goes on; nil when all is queued.
        package var continueFrom: Timestamp?
    }

    /// Deliveries that one request queues, and events that it looks at for them.
    static let replayLimit = 50_000
    static let lookLimit = 500_000
    private static let batchSize = 500

    /// - Throws: `UseCaseError`: `notFound`, `invalid`.
    package func replay(_ id: Identifier, _ request: ReplayRequest) async throws -> Replayed {
        let now = context.clock.now()
        let until = min(request.until ?? now, now)
        let (patterns, problems) = Self.patterns(request.events ?? [], path: "events")
        var found = problems
        if request.since >= until {
            found.append(.init(path: "since", message: "must lie before until, and in the past"))
        }
        if request.onlyFailed, request.events != nil {
            found.append(.init(path: "events", message: "cannot be given with onlyFailed"))
        }
        guard found.isEmpty else { throw UseCaseError(.invalid, "the replay is invalid", problems: found) }
        let subscription = try await find(id).subscription
        let span = Span(from: Identifier(at: request.since, random: (0, 0)), since: request.since, until: until)
        if request.onlyFailed { return try await requeueFailed(of: id, span) }
        let wanted = request.events == nil ? subscription.events : patterns
        return try await replay(span, of: id) {
            $0.projectID == subscription.projectID && Self.wants(wanted, $0)
        }
    }

    /// To be called in the first transaction of a replay: whatever becomes of the others, it was begun.
    private static func note(
        _ span: Span, of id: Identifier, onlyFailed: Bool, project: Identifier, in transaction: EngineTransaction
    ) throws {
        try transaction.audit(
            "webhook.replayed", "\(id)", in: project,
            details: [
                "since": .string("\(span.since)"), "until": .string("\(span.until)"), "onlyFailed": .bool(onlyFailed),
            ])
    }

    /// Calls a subscription again that we had paused: with what was pending, and with the events since.
    /// - Returns: how many of those were queued; `continueFrom` when there were too many for one request.
    /// - Throws: `UseCaseError.notFound`.
    package func resume(_ id: Identifier) async throws -> (listing: Listing, replayed: Replayed) {
        let projectID = projectID
        var replayed = Replayed(queued: 0)
        var looked = 0
        var delivered: Identifier?
        while true {
            let isLast = replayed.queued >= Self.replayLimit || looked >= Self.lookLimit
            let before = delivered
            let step = try await context.transact { transaction in
                transaction.lastDelivery = before
                return try Self.catchUp(id, project: projectID, ends: isLast, in: transaction)
            }
            delivered = step.last
            replayed.queued += step.queued
            looked += step.looked
            if let end = step.end {
                replayed.continueFrom = end.continueFrom
                return (try await find(id), replayed)
            }
        }
    }

    // MARK: Parts

    /// Events with ids from `from` on that were recorded from `since` until before `until`.
    private struct Span: Sendable {
        var from: Identifier
        var since: Timestamp
        var until: Timestamp

        /// Ids hold milliseconds.
        var end: Identifier { Identifier(at: until.adding(microseconds: 1000), random: (0, 0)) }
    }

    private static func wants(_ patterns: [EventPattern], _ event: EventReference) -> Bool {
        patterns.contains { $0.matches(event.name) }
    }

    private func replay(
        _ span: Span, of id: Identifier, where test: @escaping @Sendable (EventReference) -> Bool
    ) async throws -> Replayed {
        let projectID = projectID
        var replayed = Replayed(queued: 0)
        var next: Identifier? = span.from
        var looked = 0
        var delivered: Identifier?
        while let from = next {
            let before = delivered
            let batch = try await context.transact {
                transaction -> (events: [EventReference], queued: Int, last: Identifier?) in
                transaction.lastDelivery = before
                let subscription = try Self.find(id, project: projectID, in: transaction.catalog)
                let events = try transaction.store.events(from: from, before: span.end, limit: Self.batchSize)
                let wanted = events.filter { $0.createdAt >= span.since && $0.createdAt < span.until && test($0) }
                for event in wanted { try transaction.deliver(event.id, to: subscription) }
                if from == span.from {
                    try Self.note(span, of: id, onlyFailed: false, project: projectID, in: transaction)
                }
                return (events, wanted.count, transaction.lastDelivery)
            }
            delivered = batch.last
            replayed.queued += batch.queued
            looked += batch.events.count
            next = batch.events.count == Self.batchSize ? batch.events.last?.id.next : nil
            if let last = batch.events.last, next != nil,
                replayed.queued >= Self.replayLimit || looked >= Self.lookLimit
            {
                // Ids of one millisecond are in no order: rather one twice than none.
                replayed.continueFrom = last.id.time
                next = nil
            }
        }
        return replayed
    }

    private func requeueFailed(of id: Identifier, _ span: Span) async throws -> Replayed {
        let projectID = projectID
        var replayed = Replayed(queued: 0)
        var from = span.from
        while replayed.queued < Self.replayLimit {
            let first = from
            let ids = try await context.transact { transaction in
                _ = try Self.find(id, project: projectID, in: transaction.catalog)
                transaction.wakes.webhooks = true
                if first == span.from {
                    try Self.note(span, of: id, onlyFailed: true, project: projectID, in: transaction)
                }
                return try transaction.store.requeueFailedDeliveries(
                    of: id, from: first, to: span.end, at: transaction.now, limit: Self.batchSize)
            }
            replayed.queued += ids.count
            guard ids.count == Self.batchSize, let last = ids.last else { return replayed }
            from = last.next
        }
        replayed.continueFrom = from.time
        return replayed
    }

    private struct CatchUp: Sendable {
        struct End: Sendable {
            var continueFrom: Timestamp?
        }

        var queued = 0
        var looked = 0
        /// The last delivery that was made: those of the next batch come after it.
        var last: Identifier?
        /// Set when the subscription is called again.
        var end: End?
    }

    /// One batch of what a paused subscription has missed. The last one ends the pause in its own transaction, so that no
    /// event falls between; how far the others came is kept, so that a resumption that broke off repeats nothing.
    private static func catchUp(
        _ id: Identifier, project: Identifier, ends: Bool, in transaction: EngineTransaction
    ) throws -> CatchUp {
        var subscription = try find(id, project: project, in: transaction.catalog)
        // Somebody else may have ended it beside the daemon, which looks then.
        transaction.wakes.webhooks = true
        guard let pause = subscription.pause else { return CatchUp(end: .init()) }
        let from = pause.caughtUp?.next ?? Identifier(at: pause.at, random: (0, 0))
        var step = CatchUp()
        // Before what was missed since, as it happened; and before anything of that, so that no transaction has all of them.
        if pause.caughtUp == nil, !ends,
            try transaction.store.hastenDeliveries(of: id, to: pause.at, limit: batchSize) == batchSize
        {
            return step
        }
        let events =
            ends
            ? [] : try transaction.store.events(from: from, before: Identifier(high: .max, low: .max), limit: batchSize)
        for event in events
        where event.projectID == project && event.createdAt > pause.at && wants(subscription.events, event) {
            try transaction.deliver(event.id, to: subscription)
            step.queued += 1
        }
        step.looked = events.count
        step.last = transaction.lastDelivery
        if events.count == batchSize {
            subscription.pause?.caughtUp = events.last?.id
        } else {
            subscription.pause = nil
            step.end = .init(continueFrom: ends ? from.time : nil)
            try transaction.store.setFailing(since: nil, ofSubscription: id)
            try transaction.audit("webhook.resumed", "\(id)", in: project)
        }
        subscription.updatedAt = transaction.now
        try transaction.store.update(subscription)
        return step
    }
}
