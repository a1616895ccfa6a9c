import CLibcurl
import MailModel

extension SMTPConnection {
    /// The commands of a mail (RFC 5321 section 3.3), in their order.
    private enum Command: CaseIterable {
        case mail, recipient, data

        func isAccepted(_ code: Int) -> Bool { self == .data ? code == 354 : (200..<300).contains(code) }
    }

    /// How long a connection that is given up may wait for answers. Nothing depends on them, and a relay in trouble may never
    /// give them.
    private static let partingTime = Duration.seconds(2)

    /// A relay that has answered a message within that time, in seconds, gets the next envelope with the one after it: what is
    /// said ahead waits for that answer, and for no other connection.
    private static let promptness = Duration.milliseconds(20)

    /// One attempt. Blocks. Where the relay offers it, the commands go together (RFC 2920): its replies are the same, and the
    /// message itself is not sent before the last of them.
    ///
    /// Whatever ends otherwise than with the relay's acceptance leaves the connection of no further use.
    /// - Parameter next: asked for the mail that is sent next over this connection, whose envelope goes along with the message.
    func send(_ mail: OutgoingMail, next: () -> OutgoingMail? = { nil }) -> TransferResult {
        guard carries(mail) else { return resultForUnsupported }
        isAtCommand = false
        let isSaid = isEnvelopeSaid
        isEnvelopeSaid = false
        if let failure = isSaid ? hearEnvelope(otherwise: CURLE_OK) : sayEnvelope(of: mail) { return failure }
        // What it says before the message would be taken for the answer to it.
        if hasMoreToHear { return resultWithoutMessage(CURLE_WEIRD_SERVER_REPLY) }
        if stopSignal.isSet { return resultWithoutMessage(stopped()) }
        // Without a final dot the relay has no message.
        guard mail.mayDepart?() ?? true else { return resultWithoutMessage(CURLE_ABORTED_BY_CALLBACK) }
        var isNextSaid = false
        let code = mail.bytes.withUnsafeBytes { bytes in
            var message = DottedMessage(bytes)
            var deadline = WriteDeadline(limit: configuration.replyTimeout)
            while message.next(into: &outgoing) {
                if message.isEnded, isPrompt, exchange.extensions.hasPipelining, let next = next(),
                    carries(next)
                {
                    for command in Command.allCases { append(command, of: next) }
                    isNextSaid = true
                }
                let code = say(&deadline)
                if code != CURLE_OK {
                    hearRefusal(after: code)
                    return code
                }
            }
            let start = ContinuousClock.now
            let code = hear(atMost: configuration.replyTimeout)
            isPrompt = start.duration(to: .now) < Self.promptness
            return code
        }
        isEnvelopeSaid = isNextSaid
        isAtCommand = code == CURLE_OK && !isNextSaid
        return result(code)
    }

    /// Whether the relay offers what the mail needs. One that does not is told nothing of it (RFC 6531 section 3.2).
    func carries(_ mail: OutgoingMail) -> Bool { !mail.needsSMTPUTF8 || exchange.extensions.hasSMTPUTF8 }

    /// Whatever the relay said to the envelope: nothing of the message was sent.
    private func resultWithoutMessage(_ code: CURLcode) -> TransferResult {
        exchange.messageNotBegun()
        return result(code)
    }

    /// A relay that wants no more of a message may say so in the middle of it, and close the connection.
    private func hearRefusal(after code: CURLcode) {
        if isStopped || code == CURLE_OPERATION_TIMEDOUT { return }
        let before = exchange
        // Half a message is not accepted by anybody.
        if hear(atMost: Self.partingTime) != CURLE_OK || exchange.lastCode.map({ $0 < 400 }) ?? true {
            exchange = before
        }
    }

    /// - Returns: nil when the relay waits for the message.
    private func sayEnvelope(of mail: OutgoingMail) -> TransferResult? {
        outgoing.removeAll(keepingCapacity: true)
        if exchange.extensions.hasPipelining {
            for command in Command.allCases { append(command, of: mail) }
            return hearEnvelope(otherwise: say())
        }
        for command in Command.allCases {
            append(command, of: mail)
            if let failure = exchangeOne(command) { return failure }
            outgoing.removeAll(keepingCapacity: true)
        }
        return nil
    }

    /// - Parameter code: how saying it went. What has come meanwhile says more than a connection that is lost: 421, probably.
    private func hearEnvelope(otherwise code: CURLcode) -> TransferResult? {
        for command in Command.allCases {
            if let failure = hear(command, otherwise: code) {
                if failure.code == CURLE_WEIRD_SERVER_REPLY { hearTheRest(after: command) }
                return failure
            }
        }
        return nil
    }

    private func exchangeOne(_ command: Command) -> TransferResult? {
        let code = say()
        let failure = hear(command, otherwise: code)
        // It waits for the next one. After 354 it would take QUIT for mail.
        isAtCommand = failure?.code == CURLE_WEIRD_SERVER_REPLY && exchange.lastCode != 354
        return failure
    }

    /// - Parameter code: how saying it went.
    private func hear(_ command: Command, otherwise code: CURLcode) -> TransferResult? {
        let heard = hear(atMost: configuration.replyTimeout)
        if heard != CURLE_OK { return resultWithoutMessage(code == CURLE_OK ? heard : code) }
        guard let reply = exchange.lastCode, command.isAccepted(reply) else {
            return resultWithoutMessage(CURLE_WEIRD_SERVER_REPLY)
        }
        return code == CURLE_OK ? nil : resultWithoutMessage(code)
    }

    /// Hears what is answered to the commands that were said together with a refused one, so that the parting is in order.
    private func hearTheRest(after refused: Command) {
        for _ in Command.allCases.drop(while: { $0 != refused }).dropFirst() {
            guard hear(atMost: Self.partingTime) == CURLE_OK else { return }
        }
        isAtCommand = exchange.lastCode != 354
    }

    private func append(_ command: Command, of mail: OutgoingMail) {
        switch command {
        case .mail:
            outgoing.append(contentsOf: "MAIL FROM:<".utf8)
            outgoing.append(contentsOf: mail.reversePath.utf8)
            outgoing.append(UInt8(ascii: ">"))
            if exchange.extensions.hasSize, !mail.bytes.isEmpty {
                outgoing.append(contentsOf: " SIZE=\(mail.bytes.count)".utf8)
            }
            // Without BODY=8BITMIME: what is not ASCII stands in the header alone.
            if mail.needsSMTPUTF8 { outgoing.append(contentsOf: " SMTPUTF8".utf8) }
        case .recipient:
            outgoing.append(contentsOf: "RCPT TO:<".utf8)
            outgoing.append(contentsOf: mail.recipient.utf8)
            outgoing.append(UInt8(ascii: ">"))
        case .data: outgoing.append(contentsOf: "DATA".utf8)
        }
        outgoing.append(contentsOf: [0x0D, 0x0A])
    }
}
