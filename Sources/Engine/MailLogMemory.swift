import MailModel
import WorkflowModel

/// What the lines read so far say of mails in the queue. It holds no more than so many mails: the oldest are forgotten, and
/// those of ours are found in the database.
struct MailLogMemory {
    struct Key: Hashable, Sendable {
        var instance: String
        var queueID: String
    }

    /// One mail in a queue.
    struct Mail: Sendable {
        /// The outbox entry that the Message-ID names; whether there is one with that Message-ID is not looked at yet.
        var candidate: Identifier?
        var messageID: String?
        var sender: String?
        /// A client on this machine submitted it, or sendmail(1).
        var isLocal = false
        /// It has nothing to do with us.
        var isForeign = false
        /// It is in the database as ours.
        var isSaved = false
        /// Recipients that were looked at for a gap.
        var seenRecipients: Set<String> = []
    }

    /// What is to be done about a mail that is ours, or may be.
    enum Step: Sendable {
        /// Its Message-ID is known; it may yet be refused.
        case named(Key, Mail)
        /// It is in the queue.
        case queued(Key, Mail, at: Timestamp)
        /// - isHop: it went to another queue whose log this is too, or to a filter that hands it back.
        case outcome(Key, Mail, MailLogRecord.Outcome, isHop: Bool, at: Timestamp)
        case expired(Key, Mail, at: Timestamp)
        case removed(Key)
    }

    /// A mail that should have become an event.
    struct Arrival: Sendable {
        var key: Key
        var recipient: String
        var messageID: String?
        var sender: String?
        /// Other queue ids of the same mail, before it went through a filter.
        var otherQueueIDs: Set<String>
        var at: Timestamp
    }

    private static let size = 20_000
    /// Queue ids of one mail that are looked at: each filter gives it another. Anybody may write one Message-ID into very many.
    private static let largestTrip = 20
    private var mails: [Key: Mail] = [:]
    private var byMessageID: [String: [Key]] = [:]
    /// The keys in the order in which they came, from `first` on.
    private var order: [Key] = []
    private var first = 0

    /// - Parameter wants: whether mail to that recipient becomes an event.
    mutating func take(
        _ lines: [MailLogBatch.Line], wants: (String) -> Bool
    ) -> (steps: [Step], arrivals: [Arrival]) {
        var (steps, arrivals): ([Step], [Arrival]) = ([], [])
        for line in lines {
            let record = line.record
            let key = Key(instance: record.instance, queueID: record.queueID)
            switch record.fact {
            case .client(let client):
                begin(key, isLocal: client.login != nil || ClientNetwork(address: client.address) == .loopback)
            case .pickedUp: begin(key, isLocal: true)
            case .messageID(let id):
                note(id, of: key)
                if let mail = ours(key) { steps.append(.named(key, mail)) }
            case .queued(let sender):
                update(key) { $0.sender = sender }
                if let mail = ours(key) { steps.append(.queued(key, mail, at: line.at)) }
            case .outcome(let outcome):
                if let arrival = arrival(of: key, outcome, at: line.at, wants: wants) { arrivals.append(arrival) }
                guard let mail = ours(key) else { continue }
                let isHop = isHop(outcome, from: key, mail) || Self.isFiltered(outcome, by: record.program)
                steps.append(.outcome(key, mail, outcome, isHop: isHop, at: line.at))
            case .expired: if let mail = ours(key) { steps.append(.expired(key, mail, at: line.at)) }
            case .removed:
                if ours(key) != nil { steps.append(.removed(key)) }
            case .notified, .filtered: continue
            }
        }
        return (steps, arrivals)
    }

    /// It is none of ours, whatever its Message-ID looks like.
    mutating func setForeign(_ keys: Set<Key>) { for key in keys { update(key) { $0.isForeign = true } } }

    mutating func setSaved(_ keys: Set<Key>) { for key in keys { update(key) { $0.isSaved = true } } }

    /// How many it knows.
    var count: Int { mails.count }

    // MARK: One mail

    private mutating func update(_ key: Key, _ change: (inout Mail) -> Void) {
        if mails[key] == nil {
            if mails.count >= Self.size { forgetOldest() }
            order.append(key)
        }
        change(&mails[key, default: Mail()])
    }

    /// A new file in the queue. Short queue ids come again (postconf(5), `enable_long_queue_ids`): what was known of another mail
    /// by that id says nothing of this one.
    private mutating func begin(_ key: Key, isLocal: Bool) {
        update(key) { _ in }
        unname(key)
        mails[key] = Mail(isLocal: isLocal)
    }

    private mutating func unname(_ key: Key) {
        guard let id = mails[key]?.messageID else { return }
        byMessageID[id]?.removeAll { $0 == key }
        if byMessageID[id]?.isEmpty == true { byMessageID[id] = nil }
    }

    private mutating func note(_ id: String, of key: Key) {
        // What was seen of a mail before its name belongs to it, and not to one of another name.
        if let former = mails[key], let name = former.messageID, name != id { begin(key, isLocal: former.isLocal) }
        guard mails[key]?.messageID != id else { return }
        update(key) { mail in
            mail.messageID = id
            mail.candidate = Self.entry(in: id)
            mail.isForeign = mail.candidate == nil
        }
        byMessageID[id, default: []].append(key)
    }

    /// The outbox entry that made a Message-ID; nil for what we do not make.
    private static func entry(in messageID: String) -> Identifier? {
        guard let at = messageID.utf8.firstIndex(of: UInt8(ascii: "@")),
            let id = Identifier(String(messageID[..<at])), id.high >> 12 & 0xF == 7
        else { return nil }
        return id
    }

    /// Nil for a mail that is none of ours. One that nothing is known of may be.
    private func ours(_ key: Key) -> Mail? {
        guard let mail = mails[key] else { return Mail() }
        return mail.isForeign ? nil : mail
    }

    private func isHop(_ outcome: MailLogRecord.Outcome, from key: Key, _ mail: Mail) -> Bool {
        guard let next = outcome.nextQueueID, let id = mail.messageID else { return false }
        return byMessageID[id]?.contains { $0 != key && $0.queueID == next } ?? false
    }

    /// Whether pipe(8) gave it to a content filter, which submits it again: Postfix's FILTER_README calls the service
    /// `filter`. Mailboxes are filled by pipe(8) too (`dovecot`, `maildrop`), and the line is the same, so that only
    /// the name tells.
    private static func isFiltered(_ outcome: MailLogRecord.Outcome, by program: String) -> Bool {
        guard program == "pipe", outcome.status == .sent,
            outcome.reply.hasPrefix("delivered via \(outcome.relay) service")
        else { return false }
        return filters.contains(outcome.relay.lowercased())
    }

    /// What content filters are called in the master.cf of their guides. A name that is missing costs an early
    /// `delivered`, one too many would cost the event.
    private static let filters: Set<String> = [
        "filter", "content-filter", "content_filter", "contentfilter", "spamfilter", "spam-filter", "spamassassin",
        "spamc", "virusfilter", "antivirus", "clamfilter", "disclaimer", "altermime",
    ]

    private mutating func arrival(
        of key: Key, _ outcome: MailLogRecord.Outcome, at time: Timestamp, wants: (String) -> Bool
    ) -> Arrival? {
        // The milter was shown the recipient as it was before aliases.
        let recipient = outcome.originalRecipient ?? outcome.recipient
        guard wants(recipient) else { return nil }
        let mail = mails[key] ?? Mail()
        // Our own mail becomes no event.
        guard !(mail.candidate != nil && mail.isLocal), !mail.seenRecipients.contains(recipient) else { return nil }
        update(key) { $0.seenRecipients.insert(recipient) }
        // The newest: what came in before a filter was just before.
        let others = mail.messageID.flatMap { byMessageID[$0] }?.suffix(Self.largestTrip).map(\.queueID) ?? []
        return Arrival(
            key: key, recipient: recipient, messageID: mail.messageID, sender: mail.sender,
            otherQueueIDs: Set(others).subtracting([key.queueID]), at: time)
    }

    private mutating func forgetOldest() {
        let key = order[first]
        first += 1
        unname(key)
        mails[key] = nil
        guard first >= Self.size else { return }
        order.removeFirst(first)
        first = 0
    }
}
