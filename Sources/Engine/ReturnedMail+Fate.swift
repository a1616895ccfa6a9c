import JSONValue
import MailModel
import WorkflowModel

extension ReturnedMail {
    /// What came of a message about a mail of ours. The raw values are what the list of reports shows.
    enum Outcome: String, Hashable, Sendable, CaseIterable {
        case bounced, complained, replied
        case autoReplied = "auto_replied"
        case unsubscribed
        /// The same was said of the mail before.
        case repeated
        /// It is late, or it arrived: no failure.
        case noFailure = "no_failure"
        /// `not-spam`, and reports about authentication.
        case noComplaint = "no_complaint"
        /// Nothing in it proves that it is about the mail it names.
        case unverified
        /// It names no mail of ours.
        case unknown
        /// The mail's contact was erased since.
        case erased
        /// The mail was a test.
        case test
        case unclear
    }

    /// Records what follows from the message, in the transaction that records the message itself.
    /// - Parameters:
    ///   - correlation: the mail that the message is about; nil when none was found.
    ///   - project: where a report is shown that belongs to no mail.
    func act(
        on correlation: Correlation?, _ facts: IncomingMail, project: Identifier, in transaction: EngineTransaction
    ) throws -> Outcome {
        let outcome = try outcome(of: correlation, facts, in: transaction)
        let isShown =
            switch matter {
            case .report, .complaint: true
            // Whoever invents addresses gets no row for each.
            case .unclear: correlation != nil
            case .automaticReply, .reply: address?.kind == .bounce && (outcome == .unknown || outcome == .unverified)
            }
        if isShown {
            try transaction.store.insert(
                InboundReport(
                    self, outcome, correlation, facts, project: project, id: transaction.makeID(),
                    at: transaction.now))
            try transaction.store.count("reports_\(outcome.rawValue)", by: 1)
        }
        return outcome
    }

    private func outcome(
        of correlation: Correlation?, _ facts: IncomingMail, in transaction: EngineTransaction
    ) throws -> Outcome {
        guard let correlation else { return .unknown }
        let entry = correlation.entry
        guard correlation.isVerified else { return .unverified }
        guard !entry.request.isTest else { return .test }
        guard let contact = try transaction.store.contact(entry.contactID, in: entry.projectID) else { return .erased }
        let fate = Fate(correlation: correlation, contact: contact, facts: facts, transaction: transaction)
        switch matter {
        case .report(let report): return try fate.report(report)
        case .complaint(let complaint): return try fate.complaint(complaint)
        case .automaticReply(let reply): return try fate.automaticReply(reply)
        case .reply: return try fate.reply()
        case .unclear: return .unclear
        }
    }
}

/// What one message brings about for one mail of ours.
private struct Fate {
    let correlation: ReturnedMail.Correlation
    let contact: Contact
    let facts: IncomingMail
    let transaction: EngineTransaction

    private var entry: OutboxEntry { correlation.entry }

    private var events: EventRecorder { EventRecorder(transaction: transaction, projectID: entry.projectID) }

    private var data: JSONObject {
        var data = entry.eventData
        data["matchedBy"] = .string(correlation.proof.rawValue)
        return data
    }

    // MARK: Bounces

    func report(_ report: DeliveryReport) throws -> ReturnedMail.Outcome {
        guard let failed = report.failure(of: RecipientAddress.normal(entry.request.recipient)) else {
            return .noFailure
        }
        let bounce = Bounce(failed, reportedBy: report.reportingHost)
        guard entry.status != .bounced,
            try transaction.store.insert(
                MailReturn(entryID: entry.id, kind: .bounced, at: transaction.now, details: bounce.data))
        else { return .repeated }
        let effect = try BouncePolicy.apply(bounce, to: entry, in: transaction)
        var data = data
        data.merge(bounce.data)
        data.merge(effect.data)
        data["bouncedAt"] = .string("\(transaction.now)")
        if bounce.kind == .transient { data["transientBounce"] = true }
        try events.record(EventName.emailBounced, data: data, generation: entry.generation, contact: contact)
        try transaction.count(.bounced, for: entry)
        return .bounced
    }

    // MARK: Complaints

    func complaint(_ complaint: Complaint) throws -> ReturnedMail.Outcome {
        guard complaint.isAgainstUs else { return .noComplaint }
        let type = String(complaint.feedbackType.prefix(40))
        // A reader whose program writes in his name that he wants no more does not complain.
        if type == "opt-out" { return try optOut() ? .unsubscribed : .repeated }
        var details: JSONObject = ["feedbackType": .string(type)]
        details["userAgent"] = complaint.userAgent.map { .string(String($0.prefix(100))) }
        guard
            try transaction.store.insert(
                MailReturn(entryID: entry.id, kind: .complained, at: transaction.now, details: details))
        else { return .repeated }
        var data = data
        data.merge(details)
        data["complainedAt"] = .string("\(transaction.now)")
        data["isSuppressed"] = .bool(
            try BouncePolicy.complained(about: entry, evidence: details, in: transaction))
        try events.record(EventName.emailComplained, data: data, generation: entry.generation, contact: contact)
        try transaction.count(.complained, for: entry)
        try unsubscribe(reason: "complaint")
        return .complained
    }

    /// As the mail's own page would do it: its reader speaks for the contact when the mail went to the contact, whose address may
    /// be another one since; an address that is not the contact's gets no more mail to many.
    /// - Returns: false when all of that had been done.
    private func optOut() throws -> Bool {
        let reason = "opt_out"
        var isNew = try unsubscribe(reason: reason)
        let recipient = RecipientAddress.normal(entry.request.recipient)
        guard !entry.isTo(contact) || contact.email != recipient else { return isNew }
        if try !transaction.store.hasOptedOut(recipient, of: entry.projectID, at: transaction.now, transaction.context)
        {
            isNew = true
            try transaction.optOut(recipient, of: entry.projectID, evidence: origin(reason))
        }
        return isNew
    }

    /// The contact's own subscription, and not that of somebody to whom a step of his workflow wrote.
    /// - Returns: whether there was one.
    @discardableResult
    private func unsubscribe(reason: String) throws -> Bool {
        guard entry.isTo(contact), let current = try transaction.store.contact(contact.id), current.isSubscribed else {
            return false
        }
        var changed = current
        changed.isSubscribed = false
        try events.change(
            from: current, to: changed, generation: entry.generation, subscriptionData: origin(reason))
        try transaction.countUnsubscription(by: entry)
        return true
    }

    private func origin(_ reason: String) -> JSONObject {
        ["emailId": .string("\(entry.id)"), "reason": .string(reason)]
    }

    // MARK: Answers

    func reply() throws -> ReturnedMail.Outcome {
        _ = try transaction.store.insert(
            MailReturn(entryID: entry.id, kind: .replied, at: transaction.now, details: [:]))
        var data = data
        data.merge(answer)
        data["automatic"] = false
        data["repliedAt"] = .string("\(transaction.now)")
        let before = transaction.eventNumber
        let event = try events.record(
            EventName.emailReplied, data: data, generation: entry.generation, contact: contact)
        try note(event, sinceMove: before)
        try transaction.store.count("mails_replied", by: 1)
        return .replied
    }

    func automaticReply(_ reply: AutomaticReply) throws -> ReturnedMail.Outcome {
        var data = data
        data.merge(answer)
        data["automatic"] = true
        data["replyKind"] = .string(reply.kind.rawValue)
        data["returnDate"] = reply.returnDate.map { .string("\($0)") }
        data["until"] = reply.returnDate.flatMap(morning).map { .string("\($0)") }
        data["repliedAt"] = .string("\(transaction.now)")
        try events.record(EventName.emailAutoReplied, data: data, generation: entry.generation, contact: contact)
        try transaction.store.count("mails_auto_replied", by: 1)
        return .autoReplied
    }

    /// What was written, and by whom: not always by the one whom we wrote to.
    private var answer: JSONObject {
        var data = facts.answerData
        let from = facts.contactAddress.map(AddressText.normal)
        data["isFromRecipient"] = .bool(from == RecipientAddress.normal(entry.request.recipient))
        return data
    }

    /// When the day begins where the project is; nil for a day that has begun.
    private func morning(of day: CalendarDate) -> Timestamp? {
        let zone = transaction.catalog.projects.first { $0.id == entry.projectID }?.timezone ?? "UTC"
        let midnight = day.microseconds
        let offset = transaction.context.zones.offset(at: Timestamp(microseconds: midnight), zone: zone) ?? 0
        let moment = Timestamp(microseconds: midnight).adding(seconds: -offset)
        // Nothing waits longer, and a year from now is a slip of the pen.
        return moment > transaction.now && moment < transaction.now.adding(seconds: 365 * 86_400) ? moment : nil
    }

    /// The executions that the reply moved: what they had decided to send before it is not sent any more.
    private func note(_ event: Event, sinceMove number: Int) throws {
        let moved = transaction.lastMoves.filter { $0.value > number }.map(\.key).sorted()
        for execution in moved
        where try transaction.store.execution(execution)?.execution.resumedBy?.id == event.id {
            try transaction.store.noteAnswer(to: execution, at: transaction.now)
            transaction.wakes.withdraws = true
        }
    }
}

extension DeliveryReport {
    /// What it says of that recipient; where it does not name him, of the first for whom it failed. One of our mails has one
    /// recipient, and whoever else is named got it from him.
    fileprivate func failure(of address: String) -> ReportedRecipient? {
        let own = recipients.filter {
            AddressText.normal($0.address) == address || $0.originalAddress.map(AddressText.normal) == address
        }
        return (own.isEmpty ? recipients : own).first(where: \.isFailure)
    }
}

extension CalendarDate {
    /// Midnight in UTC, in microseconds since 1970.
    fileprivate var microseconds: Int64 {
        // The year begins in March, so that the leap day is its last.
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468) * 86_400_000_000
    }
}
