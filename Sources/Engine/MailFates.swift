import JSONValue
import MailModel
import WorkflowModel

extension EngineTransaction {
    // MARK: What the relay's log says

    /// The relay has it in its queue. Written down only for a mail whose 250 we have not recorded (yet): it is the proof that
    /// it must not be sent again.
    func mailIsQueued(_ mail: RelayedMail, queueID: String, at time: Timestamp) throws {
        guard mail.fate == nil, mail.entry.isUnderWay else { return }
        try store.setFate(MailFate(status: .queued, at: time, queueID: queueID), of: mail.entry.id)
    }

    /// One attempt of the relay has ended. A queue id may have other recipients than the mail's own: a copy that goes
    /// to an archive (`always_bcc`), or what an alias has made. What becomes of them says nothing about the mail.
    /// - Parameter isHop: the mail went to another queue that is followed, or to a filter, and is not there yet.
    func relayTried(
        _ mail: RelayedMail, _ outcome: MailLogRecord.Outcome, queueID: String, isHop: Bool, at time: Timestamp
    ) throws {
        guard mail.fate?.status.isFinal != true else { return }
        // The original one is the recipient as it was before aliases.
        let isRecipient = [outcome.recipient, outcome.originalRecipient].contains {
            $0.map { Submissions.isSame($0, mail.entry.request.recipient) } ?? false
        }
        guard isRecipient else { return }
        let status: MailFate.Status =
            switch outcome.status {
            case .sent: isHop ? .queued : .delivered
            case .deferred: .deferred
            case .bounced: .bounced
            case .expired: .expired
            }
        try settle(
            mail,
            MailFate(
                status: status, at: time, queueID: queueID, relay: outcome.relay.isEmpty ? nil : outcome.relay,
                enhancedCode: outcome.enhancedCode, reply: outcome.reply))
    }

    /// The relay gave it up after its lifetime: what it was told last is the reason. The line speaks of everybody who is still
    /// under the queue id: a copy for an archive, perhaps, and not the mail, which has gone on long ago.
    func relayGaveUp(_ mail: RelayedMail, queueID: String, at time: Timestamp) throws {
        guard mail.fate?.hasLeft(queueID) != true else { return }
        try settle(
            mail,
            MailFate(
                status: .expired, at: time, queueID: queueID, relay: mail.fate?.relay,
                enhancedCode: mail.fate?.enhancedCode, reply: mail.fate?.reply))
    }

    private func settle(_ mail: RelayedMail, _ fate: MailFate) throws {
        try store.setFate(fate, of: mail.entry.id)
        if fate.status != mail.fate?.status, fate.status != .queued {
            try store.count("relay_\(fate.status.rawValue)", by: 1)
        }
        try tellFate(of: mail.entry.id)
    }

    // MARK: What follows

    /// Makes the event of a fate that is final, once, and after the one that says that the relay took the mail.
    func tellFate(of id: Identifier) throws {
        guard let mail = try store.relayedMail(id), var fate = mail.fate, fate.status.isFinal, !fate.isTold,
            !mail.entry.isUnderWay
        else { return }
        fate.isTold = true
        try store.setFate(fate, of: id)
        let entry = mail.entry
        // Of an erased contact nothing is written any more.
        guard !entry.request.isTest, let contact = try store.contact(entry.contactID) else { return }
        let events = EventRecorder(transaction: self, projectID: entry.projectID)
        var data = entry.eventData
        data["relayQueueId"] = .string(fate.queueID)
        guard fate.status != .delivered else {
            data["deliveredAt"] = .string("\(fate.at)")
            data["reply"] = fate.reply.map { .string($0) }
            data["relay"] = fate.relay.map { .string($0) }
            data["source"] = .string(Bounce.Source.log.rawValue)
            try BouncePolicy.delivered(entry, in: self)
            try events.record(EventName.emailDelivered, data: data, generation: entry.generation, contact: contact)
            try count(.delivered, for: entry)
            return
        }
        let bounce = fate.bounce
        // The report that the relay writes of it is the same bounce, whichever comes first.
        guard entry.status != .bounced,
            try store.insert(MailReturn(entryID: id, kind: .bounced, at: now, details: bounce.data))
        else { return }
        data.merge(bounce.data)
        data.merge(try BouncePolicy.apply(bounce, to: entry, in: self).data)
        data["bouncedAt"] = .string("\(fate.at)")
        if bounce.kind == .transient { data["transientBounce"] = true }
        try events.record(EventName.emailBounced, data: data, generation: entry.generation, contact: contact)
        try count(.bounced, for: entry)
    }
}

extension OutboxEntry {
    /// Whether it is not decided yet that the relay took it.
    var isUnderWay: Bool { status == .pending || status == .claimed || status == .held }
}

extension MailFate {
    /// Whether the mail is known to be under that queue id no more.
    fileprivate func hasLeft(_ queueID: String) -> Bool {
        switch status {
        // A reply is the filter's, or the next queue's, that has taken it from there.
        case .queued: self.queueID == queueID && reply != nil
        case .deferred: self.queueID != queueID
        case .delivered, .bounced, .expired: true
        }
    }

    /// Why it did not arrive.
    fileprivate var bounce: Bounce {
        let text = reply ?? ""
        let code = enhancedCode.flatMap { EnhancedStatus($0) }
        let replyCode = Self.replyCode(in: text)
        let stage = Self.stage(in: text)
        return Bounce(
            source: .log,
            reason: BounceClassifier.reason(text: text, status: code, replyCode: replyCode, stage: stage),
            status: code, replyCode: replyCode, diagnostic: String(text.prefix(500)), remoteHost: relay,
            isExpired: status == .expired, stage: stage)
    }

    /// Postfix closes with what was answered: `… 550 5.1.8 … (in reply to MAIL FROM command)`.
    private static func stage(in text: String) -> BounceClassifier.Stage? {
        let end = " command)"
        guard text.hasSuffix(end), let mark = text.ranges(of: "(in reply to ").last else { return nil }
        switch text[mark.upperBound...].dropLast(end.count) {
        case "EHLO", "HELO", "LHLO": return .helo
        case "MAIL FROM": return .mailFrom
        case "RCPT TO": return .recipient
        case "DATA", "end of DATA": return .data
        default: return nil
        }
    }

    /// Postfix quotes the other side: `host mx.example.com[192.0.2.1] said: 550 5.1.1 …`.
    private static func replyCode(in text: String) -> Int? {
        guard let said = text.firstRange(of: "said: ") else { return nil }
        let digits = text[said.upperBound...].utf8.prefix { $0 &- UInt8(ascii: "0") < 10 }
        return digits.count == 3 ? Int(String(Substring(digits))) : nil
    }
}
