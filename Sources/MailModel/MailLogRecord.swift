/// One line of Postfix's log that says something about one mail.
package struct MailLogRecord: Hashable, Sendable {
    /// When the line was written.
    package enum Moment: Hashable, Sendable {
        /// Microseconds since 1970, UTC.
        case instant(Int64)
        /// What the clock of the machine showed, without a year (RFC 3164 section 4.1.2).
        case local(month: Int, day: Int, hour: Int, minute: Int, second: Int)
    }

    /// What the line says of the mail.
    package enum Fact: Hashable, Sendable {
        /// smtpd(8) is about to take it from this client.
        case client(Client)
        /// pickup(8) has it from sendmail(1).
        case pickedUp
        /// cleanup(8) has seen its header. Whether it will be queued is not decided yet.
        case messageID(String)
        /// qmgr(8) has it: it is in the queue, and on disk.
        case queued(sender: String)
        /// An attempt to deliver it to one recipient has ended.
        case outcome(Outcome)
        /// qmgr(8) gave it up after its lifetime. Recipients that are left get a bounce.
        case expired
        /// bounce(8) reports of it in another mail.
        case notified(queueID: String)
        /// A filter or check decided about it; `action` is Postfix's word, `milter-reject` for one.
        case filtered(action: String, text: String)
        /// It has left the queue.
        case removed
    }

    package struct Client: Hashable, Sendable {
        /// `unknown` when it has no name.
        package var name: String
        /// Numeric.
        package var address: String
        /// Nil without a login.
        package var login: String?

        package init(name: String, address: String, login: String? = nil) {
            self.name = name
            self.address = address
            self.login = login
        }
    }

    /// Of one attempt for one recipient.
    package struct Outcome: Hashable, Sendable {
        package enum Status: String, Hashable, Sendable, CaseIterable {
            case sent, deferred, bounced, expired
        }

        package var status: Status
        /// After rewriting and aliases.
        package var recipient: String
        /// As it was before them, where that differs.
        package var originalRecipient: String?
        /// Host and address, or the name of a program; `none` when it came to no attempt.
        package var relay: String
        /// RFC 3463; nil when the line has none.
        package var enhancedCode: String?
        /// What the other side said, or why there was no attempt.
        package var reply: String

        package init(
            status: Status, recipient: String, originalRecipient: String? = nil, relay: String, enhancedCode: String?,
            reply: String
        ) {
            self.status = status
            self.recipient = recipient
            self.originalRecipient = originalRecipient
            self.relay = relay
            self.enhancedCode = enhancedCode
            self.reply = reply
        }

        /// The queue id under which the next server has the mail, where it says so as Postfix does, directly or through a
        /// filter.
        package var nextQueueID: String? {
            guard status == .sent, let range = reply.utf8.lastRange(of: "queued as ") else { return nil }
            let id = Substring(reply.utf8[range.upperBound...].prefix { MailLogReader.isQueueIDByte($0) })
            return MailLogReader.isQueueID(Array(id.utf8)[...]) ? String(id) : nil
        }
    }

    package var moment: Moment
    /// `syslog_name`: `postfix` unless there are several instances.
    package var instance: String
    /// The program, without the name of its service.
    package var program: String
    package var queueID: String
    package var fact: Fact

    package init(moment: Moment, instance: String, program: String, queueID: String, fact: Fact) {
        self.moment = moment
        self.instance = instance
        self.program = program
        self.queueID = queueID
        self.fact = fact
    }
}

extension String.UTF8View {
    fileprivate func lastRange(of text: StaticString) -> Range<Index>? {
        let wanted = text.withUTF8Buffer { Array($0) }
        var end = endIndex
        while let last = self[..<end].lastIndex(of: wanted[0]) {
            if self[last...].starts(with: wanted) { return last..<index(last, offsetBy: wanted.count) }
            end = last
        }
        return nil
    }
}
