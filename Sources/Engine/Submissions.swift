import Logging
import MailModel
import WorkflowModel

/// Our own mail as the milter sees it on its way into the MTA's queue: notes what goes in, and keeps out what is there
/// already.
///
/// The note is durable before the MTA says 250, so a daemon that dies before it reads that 250 finds it. A note is no proof:
/// the MTA may still give the mail up after our answer (a filter behind us, a full disk), and whoever submits it would never
/// hear of it when he died too. So a second submission is dropped only when the first is known to be in the queue, or to have
/// been there, and goes in otherwise: a mail that comes twice is better than one that does not come.
struct Submissions {
    let context: EngineContext

    private enum Decision: Sendable {
        /// None of ours, or no attempt of ours: a copy that comes back through a content filter, or that somebody forwards.
        case stranger
        case accepted
        case discarded
        /// An earlier attempt may have put it into the queue.
        case doubtful(attempt: Int, earlier: [Acceptance], recipient: String)
    }

    /// What is left to do with it.
    /// - Parameter others: messages on their way to their end beside this one, whose notes may share its commit.
    func read(_ submission: OwnSubmission, others: Int) -> MessageRecording {
        // Our transport sends one mail to one recipient.
        guard submission.isFromHere, let recipient = submission.recipients.first, submission.recipients.count == 1,
            let id = context.tokens.verify(Self.trimmed(submission.marker), kind: .delivery)
        else { return { $0(.continue) } }
        context.relayWatch?.arrivals.note(submission.queueID, to: [recipient])
        guard context.configuration.notesSubmissions else { return { $0(.continue) } }
        return { completion in
            context.submit(others: others) { transaction in
                try decide(id, recipient: recipient, queueID: submission.queueID, in: transaction)
            } completion: { result in
                switch result {
                case .success(.doubtful(let attempt, let earlier, let recipient)):
                    Task {
                        let isQueued = await isInQueue(earlier, recipient: recipient)
                        note(id, attempt: attempt, queueID: submission.queueID, isDiscarded: isQueued, completion)
                    }
                case .success(.discarded): completion(.discard)
                case .success: completion(.continue)
                case .failure(let error): completion(failed(error, submission.queueID))
                }
            }
        }
    }

    private static func trimmed(_ value: String) -> Substring {
        var text = value[...]
        while text.utf8.first == 0x20 || text.utf8.first == 0x09 { text = text.dropFirst() }
        while text.utf8.last == 0x20 || text.utf8.last == 0x09 { text = text.dropLast() }
        return text
    }

    /// Without its note the mail would come twice should we die now, so it waits.
    private func failed(_ error: any Error, _ queueID: String) -> Verdict {
        context.logger.error("own mail not noted", metadata: ["queueId": "\(queueID)", "error": "\(error)"])
        return .tempfail(Reply(code: 451, enhancedCode: "4.3.0", text: "Temporary failure, try again later"))
    }

    private func decide(
        _ id: Identifier, recipient: String, queueID: String, in transaction: EngineTransaction
    ) throws -> Decision {
        guard let mail = try transaction.store.relayedMail(id), mail.entry.status == .claimed,
            Self.isSame(recipient, mail.entry.request.recipient)
        else { return .stranger }
        let attempt = mail.entry.attempts + 1
        let known = try transaction.store.acceptances(of: id)
        // Each attempt comes by once. What follows is the same mail on its further way.
        guard !known.contains(where: { $0.attempt == attempt }) else { return .stranger }
        let earlier = known.filter { !$0.isDiscarded }
        // Of every attempt that was not uncertain the relay said that it did not take the mail.
        guard mail.entry.uncertainAttempts > 0, !earlier.isEmpty || mail.fate != nil else {
            return try note(id, attempt, queueID, isDiscarded: false, in: transaction)
        }
        if mail.fate != nil { return try note(id, attempt, queueID, isDiscarded: true, in: transaction) }
        return .doubtful(attempt: attempt, earlier: earlier, recipient: recipient)
    }

    private func note(
        _ id: Identifier, _ attempt: Int, _ queueID: String, isDiscarded: Bool, in transaction: EngineTransaction
    ) throws -> Decision {
        _ = try transaction.store.insert(
            Acceptance(
                entryID: id, attempt: attempt, queueID: queueID, at: transaction.now, isDiscarded: isDiscarded))
        guard isDiscarded else { return .accepted }
        try transaction.store.count("submissions_discarded", by: 1)
        try transaction.store.count("possible_duplicates", by: -1)
        context.logger.notice("second submission discarded", metadata: ["entry": "\(id)", "queueId": "\(queueID)"])
        return .discarded
    }

    private func note(
        _ id: Identifier, attempt: Int, queueID: String, isDiscarded: Bool,
        _ completion: @escaping @Sendable (Verdict) -> Void
    ) {
        context.submit { transaction in
            try note(id, attempt, queueID, isDiscarded: isDiscarded, in: transaction)
        } completion: { result in
            switch result {
            case .success: completion(isDiscarded ? .discard : .continue)
            case .failure(let error): completion(failed(error, queueID))
            }
        }
    }

    /// The address as it went over the wire and as the mail has it, whatever the case and form of its letters.
    static func isSame(_ wire: String, _ recipient: String) -> Bool {
        let normal = RecipientAddress.normal(recipient)
        if wire.lowercased() == normal { return true }
        return AddressText.normal(wire) == normal
    }

    // MARK: Proof

    /// Whether the listing shows one of these.
    func isInQueue(_ earlier: [Acceptance], recipient: String) async -> Bool {
        guard let listing = context.relayWatch?.listing, !earlier.isEmpty else { return false }
        let wanted = RecipientAddress.normal(recipient)
        return await listing.queued(among: earlier.map { ($0.queueID, wanted) })?.isEmpty == false
    }

    /// What is known of a mail whose earlier attempt may have been taken.
    enum Finding: Sendable {
        /// The relay has it, or had it, under this id.
        case queued(String)
        /// Not known yet.
        case open(until: Timestamp)
        case none
    }

    /// Looks for proof that an earlier attempt has put it into the queue.
    func look(for entry: OutboxEntry) async throws -> Finding {
        guard let watch = context.relayWatch else { return .none }
        if watch.followsLog { await watch.waitForEnd(asOf: context.clock.now()) }
        let (fate, noted) = try await context.store.read { reader in
            (try reader.relayedMail(entry.id)?.fate, try reader.acceptances(of: entry.id))
        }
        if let fate { return .queued(fate.queueID) }
        let earlier = noted.filter { !$0.isDiscarded }
        guard let last = earlier.last else { return .none }
        if let listing = watch.listing {
            let recipient = RecipientAddress.normal(entry.request.recipient)
            let found = await listing.queued(among: earlier.map { ($0.queueID, recipient) }) ?? []
            if let queueID = found.first { return .queued(queueID) }
        }
        // What the MTA took a moment ago may still be with a filter behind us, or on its way into the log.
        let now = context.clock.now()
        let end = max(last.at, watch.startedAt).adding(seconds: watch.patience)
        return now < end ? .open(until: min(end, now.adding(seconds: 1))) : .none
    }
}
