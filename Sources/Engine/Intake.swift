import JSONValue
import Logging
import MailFormat
import MailModel
import WorkflowModel

/// Turns a received message into one `email.received` for every recipient and project that has a route for it, at most
/// once, and says what becomes of the message.
package struct Intake: MessageIntake {
    package struct Configuration: Sendable {
        package var routes = InboundRoutes([])
        /// Whose header fields are believed; nobody's unless declared trusted.
        package var sources = PassiveSources([])
        /// How long an event waits for scanners that are asked; nil when none is.
        package var scanDeadline: Duration?
        /// Bytes of text that travel in the event.
        package var textLimit = 16 * 1024

        package init() {}
    }

    let context: EngineContext
    let configuration: Configuration
    let meters = IntakeMeters()
    private let replies: ReplyJudge
    private let rawMail: RawMailKeeper

    package init(context: EngineContext, configuration: Configuration) {
        self.context = context
        self.configuration = configuration
        replies = ReplyJudge(context.configuration, routes: configuration.routes)
        rawMail = RawMailKeeper(context)
        context.gauges.register("intake") { [meters] in meters.numbers }
    }

    /// Which recipients' mail becomes events.
    package var routes: InboundRoutes { configuration.routes }

    package func wants(recipient: String) -> Bool {
        records(recipient: recipient) || configuration.routes.ruleForUnknown(recipient) == .discard
    }

    /// Whether mail to this recipient is recorded, and missed when it is not.
    package func records(recipient: String) -> Bool {
        !configuration.routes.found(for: recipient).isEmpty
            || context.configuration.returnAddresses.match(recipient) != nil
    }

    package func read(_ message: ReceivedMessage, others: Int) -> MessageRecording {
        let recording = recording(of: message, others: others)
        guard let arrivals = context.relayWatch?.arrivals else { return recording }
        return { completion in
            recording { verdict in
                switch verdict {
                // Kept by the MTA, or gone with our knowledge: either way it came to us.
                case .continue, .discard, .quarantine: arrivals.note(message.queueID, to: message.recipients)
                case .reject, .tempfail: break
                }
                completion(verdict)
            }
        }
    }

    private func recording(of message: ReceivedMessage, others: Int) -> MessageRecording {
        let bearsMarker = bearsMarker(message)
        if isOurs(message, bearsMarker) {
            // What cleanup(8) shows us was queued before, and is only moved.
            if message.isInternal { return { $0(.continue) } }
            return read(OwnSubmission(message), others: others)
        }
        if let canary = CanaryMail.token(of: message, tokens: context.tokens) {
            return recording(ofCanary: canary, message)
        }
        let verdicts = configuration.sources.verdicts(of: message)
        let isReturned = isReturned(message)
        let identity = isReturned || hasRoute(message) ? identity(of: message) : []
        let arrivals = identity.isEmpty ? [] : arrivals(of: message, identity)
        // Whatever needs no database is done here, once for the message: the writer is one for all.
        let now = context.clock.now()
        func prepared() -> Prepared {
            prepare(message, arrivals, verdicts, key: identity, receivedAt: now, bearsMarker: bearsMarker)
        }
        let returned = isReturned ? prepared() : nil
        let verdict = verdict(message, arrivals, verdicts, consumed: returned?.returned.consumedRecipient)
        // Nothing is counted or logged before the recording is called: a message may be read in vain.
        if case .reject = verdict {
            return { completion in
                completion(verdict)
                count(verdict)
                let metadata: Logger.Metadata = ["queueId": "\(message.queueID)", "spam": "\(verdicts.spam.rawValue)"]
                context.logger.info("mail refused", metadata: metadata)
            }
        }
        guard !arrivals.isEmpty || isReturned else {
            return { completion in
                completion(verdict)
                count(verdict)
            }
        }
        if let deadline = configuration.scanDeadline, !arrivals.isEmpty {
            return recording(ofPending: message, arrivals, verdict: verdict, deadline: deadline, others: others)
        }
        let ready = returned ?? prepared()
        return { completion in
            submit(ready, others: others) { result in
                switch result {
                case .success(let outcomes):
                    // The MTA waits, the log does not.
                    completion(verdict)
                    count(verdict)
                    log(outcomes, ready.facts)
                case .failure(let error): completion(notRecorded(message, error))
                }
            }
        }
    }

    func notRecorded(_ message: ReceivedMessage, _ error: any Error) -> Verdict {
        context.logger.error(
            "mail not recorded", metadata: ["queueId": "\(message.queueID)", "error": "\(error)"])
        return .tempfail(Reply(code: 451, enhancedCode: "4.3.0", text: "Temporary failure, try again later"))
    }

    func count(_ verdict: Verdict) {
        switch verdict {
        case .reject: meters.count(.rejected)
        case .discard: meters.count(.discarded)
        case .quarantine: meters.count(.quarantined)
        case .continue, .tempfail: break
        }
    }

    /// A message that was read: all that can be known of it before the database.
    struct Prepared: Sendable {
        var arrivals: [Arrival]
        /// Why nobody may answer, one for each arrival.
        var refusals: [AutomaticReplyRule.Refusal?]
        var facts: IncomingMail
        var returned: Return
        var raw: RawMailKeeper.Plan
        var manner: Manner?
        /// The message waited for its verdicts under this id: its receptions are stored already.
        var pending: Identifier?
    }

    /// Mail from a file.
    /// - Returns: nil for what is nobody's, or our own.
    func prepare(_ message: ReceivedMessage, manner: Manner) -> Prepared? {
        let bearsMarker = bearsMarker(message)
        guard !isOurs(message, bearsMarker) else { return nil }
        let now = context.clock.now()
        var identity = identity(of: message)
        if manner.isAgain { identity += context.identifiers.make(at: now).bytes }
        let arrivals = arrivals(of: message, identity)
        guard !arrivals.isEmpty || isReturned(message) else { return nil }
        return prepare(
            message, arrivals, configuration.sources.verdicts(of: message), key: identity, receivedAt: now,
            bearsMarker: bearsMarker, manner: manner)
    }

    /// - Parameter manner: nil for mail that an MTA shows us now.
    func prepare(
        _ message: ReceivedMessage, _ arrivals: [Arrival], _ verdicts: ScanVerdicts, key: [UInt8],
        receivedAt: Timestamp, bearsMarker: Bool? = nil, manner: Manner? = nil, pending: Identifier? = nil
    ) -> Prepared {
        let now = context.clock.now()
        let bearsMarker = bearsMarker ?? self.bearsMarker(message)
        let facts = IncomingMail(
            message, verdicts: verdicts, limits: context.configuration.readingLimits,
            textLimit: configuration.textLimit,
            dataLimit: context.configuration.eventDataLimit, receivedAt: receivedAt, now: now,
            ownSigns: ownSigns(of: message, bearsMarker: bearsMarker), ownDomains: replies.ownDomains)
        let isOwnMail = bearsMarker || comesFromMail(message)
        let refusals = arrivals.map { arrival in
            replies.refusal(
                of: facts, to: arrival.recipient, by: arrival.route, isOwnMail: isOwnMail, now: receivedAt,
                isAnyAge: manner?.answersOldMail ?? false)
        }
        return Prepared(
            arrivals: arrivals, refusals: refusals, facts: facts,
            returned: Return(message, facts, key: key, ownAddresses: replies.ownAddresses, context: context),
            raw: manner == nil ? rawMail.plan(for: arrivals.map(\.route), now: now) : .init(keep: .never),
            manner: manner, pending: pending)
    }

    package func read(_ submission: OwnSubmission, others: Int) -> MessageRecording {
        Submissions(context: context).read(submission, others: others)
    }

    /// - Parameter completion: with no outcome for a message that somebody else has taken out of those that wait.
    func submit(
        _ prepared: Prepared, others: Int = 0, completion: @escaping @Sendable (Result<[Outcome], any Error>) -> Void
    ) {
        var prepared = prepared
        let (facts, returned) = (prepared.facts, prepared.returned)
        prepared.raw = rawMail.begin(prepared.raw, facts.message, now: context.clock.now())
        context.submit(others: others) { [prepared] transaction -> [Outcome] in
            if let pending = prepared.pending, try !transaction.store.deletePendingMail(pending) { return [] }
            let correlation = try returned.mail?.correlate(in: transaction)
            let generation = try returned.generation(correlation, in: transaction)
            // What the message says of our mail counts for whatever the message itself brings about.
            if !isRefused(returned, prepared.arrivals, facts) {
                try act(on: returned, correlation, facts, in: transaction)
            }
            return try zip(prepared.arrivals, prepared.refusals).map { arrival, refusal in
                try record(
                    arrival, of: prepared, refusal: refusal, correlation: correlation, generation: generation,
                    in: transaction)
            }
        } completion: { [prepared] result in
            switch result {
            case .failure(let error): rawMail.fail(prepared.raw, facts.message, error: error)
            case .success(let outcomes):
                let isNothingNew = outcomes.allSatisfy(\.isDuplicate)
                if isNothingNew, !outcomes.isEmpty || prepared.pending != nil { rawMail.forget(prepared.raw) }
            }
            completion(result)
        }
    }

    func routes(for recipient: String) -> [InboundRoutes.Route] { configuration.routes.routes(for: recipient) }

    // MARK: Before the transaction

    private func isOurs(_ message: ReceivedMessage, _ bearsMarker: Bool) -> Bool {
        guard bearsMarker && isFromHere(message) else { return false }
        context.logger.debug("own mail", metadata: ["queueId": "\(message.queueID)"])
        return true
    }

    /// Our own submissions carry a signed marker. Whoever got a mail of ours has it too, and may put it into mail of his own.
    private func bearsMarker(_ message: ReceivedMessage) -> Bool {
        message.headers(named: MailBuilder.markerField).contains { context.tokens.verify($0, kind: .delivery) != nil }
    }

    /// Whether it comes from where our own submissions come from. A marked mail from elsewhere is a copy that somebody
    /// forwards, or a stranger's with a marker he copied: it is an event, and it is not answered.
    private func isFromHere(_ message: ReceivedMessage) -> Bool {
        message.authenticatedUser != nil || ClientNetwork(address: message.clientAddress) != .public
    }

    private func hasRoute(_ message: ReceivedMessage) -> Bool {
        message.recipients.contains { !configuration.routes.found(for: $0).isEmpty }
    }

    /// What makes the message the same message, whoever gets it; computed when somebody wants it.
    func identity(of message: ReceivedMessage) -> [UInt8] {
        // Nothing tells two mails without both apart from one sent twice; an event too many is better than a mail lost.
        let isNameless = message.header("Message-ID") == nil && message.header("Date") == nil
        return context.cryptography.digest { sink in
            MessageFingerprint.feed(message, recipients: [], into: sink)
            if isNameless { Array(message.queueID.utf8).withUnsafeBytes(sink) }
        }
    }

    private func arrivals(of message: ReceivedMessage, _ base: [UInt8]) -> [Arrival] {
        var seen: Set<String> = []
        let wanted = message.recipients.filter { seen.insert(AddressText.normal($0)).inserted }
            .map { ($0, configuration.routes.found(for: $0)) }.filter { !$0.1.isEmpty }
        return wanted.flatMap { recipient, routes in
            routes.map { found in
                let name = Array("\(found.route.project)\n\(AddressText.normal(recipient))".utf8)
                return Arrival(
                    recipient: recipient, route: found.route, mailboxHash: found.mailboxHash,
                    key: context.cryptography.digest(base + name))
            }
        }
    }

    // MARK: In the transaction

    enum Outcome: Sendable {
        case recorded(Identifier)
        case kept(InboundOutcome.Kind)
        case duplicate

        var isDuplicate: Bool {
            if case .duplicate = self { true } else { false }
        }
    }

    func project(of route: InboundRoutes.Route, in transaction: EngineTransaction) throws -> Project {
        guard let project = transaction.catalog.project(slug: route.project) else {
            throw StoreError(.unusable, "route to an unknown project: \(route.project)")
        }
        return project
    }

    private func record(
        _ arrival: Arrival, of prepared: Prepared, refusal: AutomaticReplyRule.Refusal?,
        correlation: ReturnedMail.Correlation?, generation: Int, in transaction: EngineTransaction
    ) throws -> Outcome {
        let facts = prepared.facts
        let project = try project(of: arrival.route, in: transaction)
        let eventID = transaction.makeID()
        if prepared.pending != nil {
            try transaction.store.setEvent(eventID, ofReception: arrival.key)
        } else {
            let reception = Reception(
                key: arrival.key, projectID: project.id, eventID: eventID, recipient: arrival.recipient,
                queueID: facts.message.queueID, receivedAt: transaction.now)
            guard try transaction.store.insert(reception) else {
                try transaction.store.count("receptions_repeated", by: 1)
                return .duplicate
            }
        }
        if let kind = arrival.objection(facts.message, facts.verdicts) {
            try transaction.store.insert(
                InboundOutcome(
                    id: eventID, kind: kind, recipient: arrival.recipient,
                    sender: facts.contactAddress ?? facts.message.reversePath, queueID: facts.message.queueID,
                    at: transaction.now, detail: facts.outcomeDetail),
                in: project.id)
            return .kept(kind)
        }
        let events = EventRecorder(transaction: transaction, projectID: project.id)
        // Writing to us is no subscription, and it never changes one.
        let contact = try facts.contactAddress.flatMap { address in
            facts.isFromMailSystem
                ? try transaction.store.contact(email: AddressText.normal(address), in: project.id)
                : try events.upsert(
                    email: address, subscribed: nil, subscribedWhenNew: false, data: [:], generation: generation)
        }
        var data = facts.eventData(for: arrival, refusal: refusal, replyAddress: replies.replyAddress(of: facts))
        data["rawMailId"] = prepared.raw.id.map { .string("\($0)") }
        data["source"] = prepared.manner.map { .string($0.source) }
        // Another project's mail is none of this one's business.
        if let correlation, correlation.entry.projectID == project.id { data.merge(correlation.data) }
        let event = try events.record(
            EventName.emailReceived, data: data, generation: generation, contact: contact, id: eventID)
        return .recorded(event.id)
    }

    func log(_ outcomes: [Outcome], _ facts: IncomingMail) {
        for outcome in outcomes {
            var metadata: Logger.Metadata = [
                "queueId": "\(facts.message.queueID)", "spam": "\(facts.verdicts.spam.rawValue)",
            ]
            switch outcome {
            case .recorded(let id):
                metadata["event"] = "\(id)"
                context.logger.info("mail received", metadata: metadata)
            case .kept(let kind):
                meters.count(kind == .held ? .held : .refused)
                metadata["outcome"] = "\(kind.rawValue)"
                context.logger.info("mail received, no event", metadata: metadata)
            case .duplicate:
                context.logger.info("mail received again", metadata: metadata)
            }
        }
        if facts.read.defects.contains(.tooManyParts) { meters.count(.partsCut) }
        if facts.read.defects.contains(.nestedTooDeeply) { meters.count(.nestingCut) }
        if facts.verdicts.isConflicting { meters.count(.conflicts) }
        if !outcomes.isEmpty, outcomes.allSatisfy({ if case .duplicate = $0 { true } else { false } }) {
            meters.count(.repeated)
        }
    }
}

extension OwnSubmission {
    fileprivate init(_ message: ReceivedMessage) {
        self.init(
            marker: message.header(MailBuilder.markerField) ?? "", queueID: message.queueID,
            reversePath: message.reversePath, recipients: message.recipients, clientAddress: message.clientAddress,
            authenticatedUser: message.authenticatedUser)
    }
}
