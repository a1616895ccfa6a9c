import Logging
import WorkflowModel

/// Makes the calls that WEBHOOK steps asked for, and those that tell subscriptions of events, as many at once as the
/// transport has places. Neither kind can keep the other out, and no receiver the other receivers.
///
/// A claim is durable before the attempt begins. Should the daemon die in between, the next start finds the claim and
/// calls again with the same `webhook-id`: receivers hear of a call at least once, and every repetition that may be a
/// second one is counted (`webhooks_repeated`). What came of the last attempt is recorded together with what the
/// execution does about it.
package struct WebhookDispatch: Sendable {
    package let context: EngineContext
    package let transport: any WebhookTransport
    package let destinations: WebhookDestinations
    /// Calls to one receiver at the same time.
    package let perReceiver: Int

    private static let longestSleep: Int64 = 30
    /// How long a stop waits for attempts under way; what is still unfinished then is cut off and tried again.
    private static let drainTime = Duration.seconds(10)
    /// How long it may take, after that, to end them and to record it.
    private static let abandonTime = Duration.seconds(3)

    package init(
        context: EngineContext, transport: any WebhookTransport, destinations: WebhookDestinations, perReceiver: Int
    ) {
        self.context = context
        self.transport = transport
        self.destinations = destinations
        self.perReceiver = perReceiver
    }

    /// Gives back what a daemon that died had claimed. To be called once, before `run`.
    package func recover() async throws {
        let released = try await context.transact { transaction in
            let calls =
                try transaction.store.releaseWebhookClaims(at: transaction.now)
                + transaction.store.releaseDeliveryClaims(at: transaction.now)
            if !calls.isEmpty { try transaction.store.count("webhooks_repeated", by: calls.count) }
            return calls
        }
        for call in released { context.logger.warning("webhook may be called again", metadata: ["call": "\(call)"]) }
        while try await failLost() {}
    }

    /// Nothing will ever move an execution whose call is not there.
    /// - Returns: whether there may be more.
    private func failLost() async throws -> Bool {
        let limit = 200
        let lost = try await context.transact { transaction in
            let lost = try transaction.store.executionsWithoutTheirCall(limit: limit)
            for id in lost {
                try transaction.store.failExecution(id, reason: "its webhook call is lost", at: transaction.now)
            }
            return lost
        }
        for id in lost {
            context.logger.error(
                "execution failed", metadata: ["execution": "\(id)", "error": "its webhook call is lost"])
        }
        return lost.count == limit
    }

    /// Runs until cancelled; then takes nothing new, and returns when the attempts under way have ended or after
    /// `drainTime`.
    package func run() async {
        let places = WebhookPlaces(transport.concurrency, perReceiver: perReceiver)
        var deliveriesFirst = false
        var sweepAt = context.clock.now()
        while !Task.isCancelled {
            if context.clock.now() >= sweepAt { sweepAt = await sweep() }
            let free = places.free
            deliveriesFirst.toggle()
            guard let jobs = free > 0 ? await claim(free, places, deliveriesFirst: deliveriesFirst) : [] else {
                await context.signals.webhooks.wait(until: context.clock.now().adding(seconds: 1), clock: context.clock)
                continue
            }
            for job in jobs { begin(job, places) }
            // A full claim may have left more behind; otherwise wait for a reason to look again.
            if !jobs.isEmpty, jobs.count == free, places.free > 0 { continue }
            await context.signals.webhooks.wait(until: min(sweepAt, await nextLook(places)), clock: context.clock)
        }
        await places.waitUntilAllFree(atMost: Self.drainTime)
        transport.stop()
        await places.waitUntilAllFree(atMost: Self.abandonTime)
    }

    /// What takes a place.
    private enum Job: Sendable {
        case call(WebhookCall)
        case delivery(WebhookDelivery, WebhookSubscription)

        var receiver: String {
            switch self {
            case .call(let call): call.receiver
            case .delivery(_, let subscription): subscription.receiver
            }
        }
    }

    private func begin(_ job: Job, _ places: WebhookPlaces) {
        let receiver = job.receiver
        places.take(receiver)
        // Not a child: an attempt that has begun must not be cancelled with the loop.
        Task {
            switch job {
            case .call(let call): await attempt(call, places: places)
            case .delivery(let delivery, let subscription):
                await attempt(delivery, to: subscription, places: places)
            }
            if places.giveBack(receiver) { context.signals.webhooks.signal() }
        }
    }

    /// Each kind goes first every other time, so that neither waits for the end of the other's backlog.
    /// - Returns: nil when the database did not take the claim.
    private func claim(_ limit: Int, _ places: WebhookPlaces, deliveriesFirst: Bool) async -> [Job]? {
        let (underWay, perReceiver) = (places.underWay, perReceiver)
        do {
            return try await context.transact { transaction in
                var jobs: [Job] = []
                var underWay = underWay
                for takesDeliveries in [deliveriesFirst, !deliveriesFirst] where jobs.count < limit {
                    let left = limit - jobs.count
                    let more: [Job] =
                        takesDeliveries
                        ? try Self.claimDeliveries(left, perReceiver: perReceiver, underWay: underWay, in: transaction)
                            .map { .delivery($0, $1) }
                        : try transaction.store.claimWebhookCalls(
                            dueAt: transaction.now, limit: left, perReceiver: perReceiver, underWay: underWay
                        ).map { .call($0) }
                    for job in more { underWay[job.receiver, default: 0] += 1 }
                    jobs += more
                }
                return jobs
            }
        } catch {
            context.logger.error("webhooks wait for the database", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func nextLook(_ places: WebhookPlaces) async -> Timestamp {
        let now = context.clock.now()
        let latest = now.adding(seconds: Self.longestSleep)
        // Whoever gives a place back wakes the loop.
        guard places.free > 0 else { return latest }
        let busy = places.busy
        do {
            return try await context.transact { transaction in
                let call = try transaction.store.nextWebhookCall(besides: busy) ?? latest
                let delivery = try Self.nextDelivery(besides: busy, in: transaction) ?? latest
                return min(latest, call, delivery)
            }
        } catch {
            return now.adding(seconds: 1)
        }
    }

    // MARK: One attempt

    /// Signs, makes and records one claimed call. Also the whole of it for tests.
    ///
    /// - Parameter places: where the attempt holds a place, so that a stop can be noticed.
    package func attempt(_ call: WebhookCall, places: WebhookPlaces? = nil) async {
        let outcome: WebhookOutcome
        do {
            guard let signed = try await signed(call) else { return }
            outcome =
                switch signed {
                case .success(let webhook): await transport.call(webhook)
                case .failure(let refusal): .failed(reason: refusal.reason, isTemporary: false)
                }
        } catch {
            // Not the call's fault: the claim is given back for a while and no attempt is counted.
            context.logger.error("webhooks wait for the database", metadata: ["error": "\(error)"])
            await persist("claim not given back", call, places) {
                let until = context.clock.now().adding(seconds: EngineContext.longestPause)
                try await context.store.write { try $0.unclaimWebhookCalls([call.id], until: until) }
            }
            context.signals.webhooks.signal()
            return
        }
        await record(outcome, of: call, places)
    }

    private struct Refusal: Error {
        var reason: String
    }

    /// - Returns: nil when the call was taken back meanwhile, because its execution ended.
    private func signed(_ call: WebhookCall) async throws -> Result<SignedWebhook, Refusal>? {
        let (isWanted, known) = try await context.store.read {
            (try $0.webhookCall(call.id) != nil, try $0.webhookSecret(of: call.projectID))
        }
        guard isWanted else { return nil }
        if let objection = call.request.objection { return .failure(Refusal(reason: objection)) }
        guard let url = try? WebhookURL(call.request.url) else { return .failure(Refusal(reason: "the url is none")) }
        if let objection = destinations.objection(to: url) { return .failure(Refusal(reason: objection)) }
        let secret: WebhookSecret
        if let known {
            secret = known
        } else {
            secret = try await WebhookSecrets(context: context).make(for: call.projectID)
        }
        let signature = WebhookSignature(cryptography: context.cryptography, secret: secret)
        return .success(SignedWebhook(call, url: url, signature: signature, at: context.clock.now()))
    }

    private func record(_ outcome: WebhookOutcome, of call: WebhookCall, _ places: WebhookPlaces?) async {
        if case .answered(let response) = outcome, response.areHeadersTruncated {
            context.logger.notice("webhook answer's header fields were cut", metadata: ["call": "\(call.id)"])
        }
        let decision = WebhookRetries.decide(outcome, call: call, now: context.clock.now())
        await persist("webhook not recorded", call, places) {
            do {
                try await context.transact { try Self.record(decision, of: call, in: $0) }
            } catch let error as StoreError where error.code != .damaged && error.code != .conflict {
                throw error
            } catch {
                try await fail(call, error)
            }
        }
        log(decision, call)
    }

    private static func record(
        _ decision: WebhookRetries.Decision, of call: WebhookCall, in transaction: EngineTransaction
    ) throws {
        switch decision {
        case .retry(let due, _):
            try transaction.store.retryWebhookCall(call.id, at: due)
            transaction.wakes.webhooks = true
        case .end(let answer):
            // Taken back while the attempt was under way: nobody waits for the answer.
            guard try transaction.store.endWebhookCall(call.id) else { return }
            let recorder = EventRecorder(transaction: transaction, projectID: call.projectID)
            guard try !recorder.advance(call.executionID, input: .webhookAnswered(answer)) else { return }
            if case .webhook(call.id)? = try transaction.store.execution(call.executionID)?.execution.wait {
                throw StoreError(.damaged, "execution \(call.executionID) waits for a webhook and cannot be moved")
            }
        }
    }

    /// Ends an execution that cannot be moved, so that it does not stand still for ever.
    private func fail(_ call: WebhookCall, _ error: any Error) async throws {
        context.logger.error(
            "execution failed", metadata: ["execution": "\(call.executionID)", "error": "\(error)"])
        try await context.transact { transaction in
            guard try transaction.store.endWebhookCall(call.id) else { return }
            try transaction.store.failExecution(
                call.executionID, reason: "its stored data cannot be read", at: transaction.now)
        }
    }

    private func persist(
        _ failure: Logger.Message, _ call: WebhookCall, _ places: WebhookPlaces?, _ body: () async throws -> Void
    ) async { await persist(failure, call.id, places, body) }

    func persist(
        _ failure: Logger.Message, _ call: Identifier, _ places: WebhookPlaces?, _ body: () async throws -> Void
    ) async {
        await context.insist(
            failure, metadata: ["call": "\(call)"], until: { places?.isClosing ?? true }, body)
    }

    /// Without the address: what stands in it may be secret.
    private func log(_ decision: WebhookRetries.Decision, _ call: WebhookCall) {
        let (end, reason) =
            switch decision {
            case .retry(let due, let reason): ("deferred", "\(reason); again at \(due)")
            case .end(.succeeded(_, let status, _, _, _, _)): ("answered", "\(status)")
            case .end(.failed(_, let reason, _, _)): ("failed", reason)
            }
        context.logger.info(
            "webhook \(end)",
            metadata: [
                "call": "\(call.id)", "execution": "\(call.executionID)", "receiver": "\(call.receiver)",
                "attempt": "\(call.attempts + 1)", "reason": "\(reason)",
            ])
    }
}

extension SignedWebhook {
    /// Puts the step's own header fields first, then what they do not say, then the signature.
    init(_ call: WebhookCall, url: WebhookURL, signature: WebhookSignature, at time: Timestamp) {
        let request = call.request
        // A method that means a body has one, if an empty one (RFC 9110 section 8.6).
        let impliesBody = request.method != "GET" && request.method != "DELETE"
        let body = request.method == "GET" ? nil : request.body.map { Array($0.utf8) } ?? (impliesBody ? [] : nil)
        let names = Set(request.headers.map { $0.name.lowercased() })
        var headers = request.headers
        if request.body != nil, body != nil, !names.contains("content-type") {
            headers.append(.init(name: "Content-Type", value: "application/json"))
        }
        if !names.contains("user-agent") { headers.append(.init(name: "User-Agent", value: "Postrider")) }
        headers += signature.headers(id: "\(call.id)", body: body ?? [], at: time)
        self.init(method: request.method, url: url, headers: headers, body: body)
    }
}
