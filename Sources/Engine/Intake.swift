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
        /// How rspamd's header fields are read; nil when nobody declared them trusted.
        package var rspamd: RspamdHeaders?
        /// How much of a message is read.
        package var readingLimits = ReadingLimits()
        /// Bytes of text that travel in the event.
        package var textLimit = 16 * 1024

        package init() {}
    }

    let context: EngineContext
    private let configuration: Configuration
    private let replies: ReplyJudge
    private let rawMail: RawMailKeeper

    package init(context: EngineContext, configuration: Configuration) {
        self.context = context
        self.configuration = configuration
        replies = ReplyJudge(context.configuration, routes: configuration.routes)
        rawMail = RawMailKeeper(context)
    }

    package func wants(recipient: String) -> Bool {
        !configuration.routes.routes(for: recipient).isEmpty
            || context.configuration.returnAddresses.match(recipient) != nil
    }

    package func read(_ message: ReceivedMessage) -> MessageRecording {
        if bearsMarker(message), isFromHere(message) {
            context.logger.debug("own mail", metadata: ["queueId": "\(message.queueID)"])
            context.relayWatch?.arrivals.note(message.queueID)
            // What cleanup(8) shows us was queued before, and is only moved.
            if message.isInternal { return { $0(.continue) } }
            return read(OwnSubmission(message))
        }
        guard let prepared = prepare(message) else { return { $0(.continue) } }
        return { completion in
            submit(prepared) { result in
                switch result {
                case .success(let outcomes):
                    context.relayWatch?.arrivals.note(message.queueID)
                    // The MTA waits, the log does not.
                    completion(isConsumed(message, by: prepared.arrivals, prepared.returned) ? .discard : .continue)
                    log(outcomes, prepared.facts)
                case .failure(let error):
                    context.logger.error(
                        "mail not recorded", metadata: ["queueId": "\(message.queueID)", "error": "\(error)"])
                    completion(
                        .tempfail(Reply(code: 451, enhancedCode: "4.3.0", text: "Temporary failure, try again later")))
                }
            }
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
    }

    /// - Parameter manner: nil for mail that an MTA shows us now.
    /// - Returns: nil for what is nobody's, or our own.
    func prepare(_ message: ReceivedMessage, manner: Manner? = nil) -> Prepared? {
        let bearsMarker = bearsMarker(message)
        guard !(bearsMarker && isFromHere(message)) else {
            context.logger.debug("own mail", metadata: ["queueId": "\(message.queueID)"])
            return nil
        }
        let now = context.clock.now()
        var identity = identity(of: message)
        if manner?.isAgain == true { identity += context.identifiers.make(at: now).bytes }
        let arrivals = arrivals(of: message, identity)
        guard !arrivals.isEmpty || isReturned(message) else { return nil }
        // Whatever needs no database is done here, once for the message: the writer is one for all.
        let facts = IncomingMail(
            message, verdicts: verdicts(of: message), limits: configuration.readingLimits,
            textLimit: configuration.textLimit, dataLimit: context.configuration.eventDataLimit, now: now)
        let refusals = arrivals.map { arrival in
            replies.refusal(
                of: facts, to: arrival.recipient, by: arrival.route, isOwnMail: bearsMarker || comesFromMail(message),
                now: now,
                isAnyAge: manner?.answersOldMail ?? false)
        }
        return Prepared(
            arrivals: arrivals, refusals: refusals, facts: facts,
            returned: Return(
                message, facts, key: identity, ownAddresses: replies.ownAddresses, context: context),
            raw: manner == nil ? rawMail.plan(for: arrivals.map(\.route), now: now) : .init(keep: .never),
            manner: manner)
    }

    package func read(_ submission: OwnSubmission) -> MessageRecording {
        Submissions(context: context).read(submission)
    }

    func submit(
        _ prepared: Prepared, completion: @escaping @Sendable (Result<[Outcome], any Error>) -> Void
    ) {
        var prepared = prepared
        let (facts, returned) = (prepared.facts, prepared.returned)
        prepared.raw = rawMail.begin(prepared.raw, facts.message, now: context.clock.now())
        context.submit { [prepared] transaction in
            let correlation = try returned.mail?.correlate(in: transaction)
            let generation = try returned.generation(correlation, in: transaction)
            // What the message says of our mail counts for whatever the message itself brings about.
            try act(on: returned, correlation, facts, in: transaction)
            return try zip(prepared.arrivals, prepared.refusals).map { arrival, refusal in
                try record(
                    arrival, of: prepared, refusal: refusal, correlation: correlation, generation: generation,
                    in: transaction)
            }
        } completion: { [prepared] result in
            switch result {
            case .failure(let error): rawMail.fail(prepared.raw, facts.message, error: error)
            case .success(let outcomes):
                if !outcomes.isEmpty, outcomes.allSatisfy({ $0.isDuplicate }) { rawMail.forget(prepared.raw) }
            }
            completion(result)
        }
    }

    func routes(for recipient: String) -> [InboundRoutes.Route] { configuration.routes.routes(for: recipient) }

    // MARK: Before the transaction

    /// The MTA drops a discarded message for everybody, so every recipient must be one whose mail a workflow consumes.
    private func isConsumed(_ message: ReceivedMessage, by arrivals: [Arrival], _ returned: Return) -> Bool {
        var consumed = Set(arrivals.map { $0.recipient.lowercased() })
        // A report about one mail is done with when it is recorded, and nobody has a mailbox of that name.
        if let mail = returned.mail, mail.isConsumed, let recipient = mail.recipient {
            consumed.insert(recipient.lowercased())
        }
        return !message.hasFurtherRecipients && arrivals.allSatisfy { $0.route.disposition == .discard }
            && message.recipients.allSatisfy { consumed.contains($0.lowercased()) }
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

    /// Nobody's header field is believed unless its writer was declared trusted.
    private func verdicts(of message: ReceivedMessage) -> ScanVerdicts {
        configuration.rspamd?.verdicts(of: message) ?? ScanVerdicts()
    }

    /// A recipient with one of its routes, and the key by which a second copy is known.
    struct Arrival: Sendable {
        var recipient: String
        var route: InboundRoutes.Route
        var key: [UInt8]
    }

    /// What makes the message the same message, whoever gets it; computed when somebody wants it.
    private func identity(of message: ReceivedMessage) -> [UInt8] {
        // Nothing tells two mails without both apart from one sent twice; an event too many is better than a mail lost.
        let isNameless = message.header("Message-ID") == nil && message.header("Date") == nil
        return context.cryptography.digest { sink in
            MessageFingerprint.feed(message, recipients: [], into: sink)
            if isNameless { Array(message.queueID.utf8).withUnsafeBytes(sink) }
        }
    }

    private func arrivals(of message: ReceivedMessage, _ base: [UInt8]) -> [Arrival] {
        var seen: Set<String> = []
        let wanted = message.recipients.filter { seen.insert($0.lowercased()).inserted }
            .map { ($0, configuration.routes.routes(for: $0)) }.filter { !$0.1.isEmpty }
        return wanted.flatMap { recipient, routes in
            routes.map { route in
                let name = Array("\(route.project)\n\(recipient.lowercased())".utf8)
                return Arrival(recipient: recipient, route: route, key: context.cryptography.digest(base + name))
            }
        }
    }

    // MARK: In the transaction

    enum Outcome: Sendable {
        case recorded(Identifier)
        case duplicate

        var isDuplicate: Bool {
            if case .duplicate = self { true } else { false }
        }
    }

    private func record(
        _ arrival: Arrival, of prepared: Prepared, refusal: AutomaticReplyRule.Refusal?,
        correlation: ReturnedMail.Correlation?, generation: Int, in transaction: EngineTransaction
    ) throws -> Outcome {
        let facts = prepared.facts
        guard let project = transaction.catalog.project(slug: arrival.route.project) else {
            throw StoreError(.unusable, "route to an unknown project: \(arrival.route.project)")
        }
        let eventID = transaction.makeID()
        let reception = Reception(
            key: arrival.key, projectID: project.id, eventID: eventID, recipient: arrival.recipient,
            queueID: facts.message.queueID, receivedAt: transaction.now)
        guard try transaction.store.insert(reception) else {
            try transaction.store.count("receptions_repeated", by: 1)
            return .duplicate
        }
        let events = EventRecorder(transaction: transaction, projectID: project.id)
        // Writing to us is no subscription, and it never changes one.
        let contact = try facts.contactAddress.map {
            try events.upsert(
                email: $0, subscribed: nil, subscribedWhenNew: false, data: [:], generation: generation)
        }
        var data = facts.eventData(
            recipient: arrival.recipient, route: arrival.route.name, refusal: refusal,
            replyAddress: replies.replyAddress(of: facts))
        data["rawMailId"] = prepared.raw.id.map { .string("\($0)") }
        data["source"] = prepared.manner.map { .string($0.source) }
        // Another project's mail is none of this one's business.
        if let correlation, correlation.entry.projectID == project.id { data.merge(correlation.data) }
        let event = try events.record(
            EventName.emailReceived, data: data, generation: generation, contact: contact, id: eventID)
        return .recorded(event.id)
    }

    private func log(_ outcomes: [Outcome], _ facts: IncomingMail) {
        for outcome in outcomes {
            var metadata: Logger.Metadata = [
                "queueId": "\(facts.message.queueID)", "spam": "\(facts.verdicts.spam.rawValue)",
            ]
            switch outcome {
            case .recorded(let id):
                metadata["event"] = "\(id)"
                context.logger.info("mail received", metadata: metadata)
            case .duplicate:
                context.logger.info("mail received again", metadata: metadata)
            }
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
