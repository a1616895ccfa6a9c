import Logging
import MailModel
import WorkflowModel

// What follows when a message turns out to be about a mail of ours. It is recorded in the transaction that records the
// message: either both are there, or the sender tries again.

extension Intake {
    /// What a message says about mail of ours, as far as that is known before the transaction.
    struct Return: Sendable {
        let mail: ReturnedMail?
        /// The mail whose marker is somewhere in a message that nobody understands.
        private let source: Identifier?
        private let isAutomatic: Bool
        /// By which a second copy of the message is known, whoever it is for.
        fileprivate let key: [UInt8]

        init(
            _ message: ReceivedMessage, _ facts: IncomingMail, key: [UInt8], ownAddresses: Set<String>,
            context: EngineContext
        ) {
            mail = ReturnedMail(message, facts, ownAddresses: ownAddresses, context: context)
            source = mail == nil ? Self.ownEntry(of: message, context) ?? TokenReader.source(of: message, context) : nil
            self.key = mail == nil ? [] : context.cryptography.digest(key + Array("returned".utf8))
            isAutomatic =
                switch mail?.matter {
                case .report, .complaint, .automaticReply, .unclear: true
                case .reply, nil: false
                }
        }

        /// The mail of ours that the message is, or comes from, as our signatures say: what it brings about follows from that
        /// mail, or a forwarding back to us would go round for ever.
        private static func ownEntry(of message: ReceivedMessage, _ context: EngineContext) -> Identifier? {
            if let sender = context.configuration.returnAddresses.match(message.reversePath),
                let entry = context.tokens.verifyAddress(sender.token, kind: sender.kind)
            {
                return entry
            }
            return message.headers(named: MailBuilder.markerField).lazy
                .compactMap { context.tokens.verify($0, kind: .delivery) }.first
        }

        /// The recipient whose mail is done with when it is recorded: nobody has a mailbox of that name.
        var consumedRecipient: String? { mail?.isConsumed == true ? mail?.recipient : nil }

        /// How far the message is from the outside world: what a machine says of our mail follows from our mail.
        func generation(
            _ correlation: ReturnedMail.Correlation?, in transaction: EngineTransaction
        ) throws -> Int {
            if isAutomatic, let correlation { return correlation.entry.generation }
            return try source.flatMap { try transaction.store.entry($0)?.generation } ?? 0
        }
    }

    /// Whether the message came to an address of one of our mails.
    func isReturned(_ message: ReceivedMessage) -> Bool {
        let addresses = context.configuration.returnAddresses
        return !addresses.isEmpty && message.recipients.contains { addresses.match($0) != nil }
    }

    /// Whether its sender is the address of one of our mails: nothing that answers it reaches anybody.
    func comesFromMail(_ message: ReceivedMessage) -> Bool {
        context.configuration.returnAddresses.match(message.reversePath) != nil
    }

    /// What shows that the message is mail of our own, whoever brought it: only what we signed, since what is shown of a message
    /// is to be true.
    func ownSigns(of message: ReceivedMessage, bearsMarker: Bool) -> [MailEvidence] {
        var signs: [MailEvidence] = bearsMarker ? [.ownMark] : []
        let sender = context.configuration.returnAddresses.match(message.reversePath)
        if let sender, context.tokens.verifyAddress(sender.token, kind: sender.kind) != nil {
            signs.append(.ownReturnPath)
        }
        return signs
    }

    /// Whether the routes refuse the message as an answer of a person: spam to the address of a mail of ours stops no series. What
    /// mail systems say is never refused (`Arrival.objection`).
    func isRefused(_ returned: Return, _ arrivals: [Arrival], _ facts: IncomingMail) -> Bool {
        switch returned.mail?.matter {
        case .report, .complaint, nil: return false
        case .reply, .automaticReply, .unclear: break
        }
        let recipient = (returned.mail?.recipient).map(AddressText.normal)
        let own = arrivals.filter { AddressText.normal($0.recipient) == recipient }
        let judges = own.isEmpty ? arrivals : own
        return !judges.isEmpty && judges.allSatisfy { $0.objection(facts.message, facts.verdicts) != nil }
    }

    func act(
        on returned: Return, _ correlation: ReturnedMail.Correlation?, _ facts: IncomingMail,
        in transaction: EngineTransaction
    ) throws {
        guard let mail = returned.mail else { return }
        let project = try project(of: mail, facts.message, in: transaction)
        // Once for each message, however many recipients and projects get it, and however often it is sent.
        let reception = Reception(
            key: returned.key, projectID: project, eventID: transaction.makeID(), recipient: mail.recipient ?? "",
            queueID: facts.message.queueID, receivedAt: transaction.now)
        guard try transaction.store.insert(reception) else { return }
        let outcome = try mail.act(on: correlation, facts, project: project, in: transaction)
        context.logger.info(
            "mail came back",
            metadata: [
                "queueId": "\(facts.message.queueID)", "class": "\(facts.recognition.mailClass.name)",
                "outcome": "\(outcome.rawValue)", "matchedBy": "\(correlation?.proof.rawValue ?? "-")",
                "entry": "\(correlation.map { "\($0.entry.id)" } ?? "-")",
            ])
    }

    /// Whose address it came to: by its route, or by the address itself.
    private func project(
        of mail: ReturnedMail, _ message: ReceivedMessage, in transaction: EngineTransaction
    ) throws -> Identifier {
        let routed = message.recipients.lazy.compactMap { routes(for: $0).first?.project }.first
        let slug = mail.address?.project ?? routed ?? Project.defaultSlug
        guard let project = transaction.catalog.project(slug: slug) ?? transaction.catalog.projects.first else {
            throw StoreError(.unusable, "return address of an unknown project: \(slug)")
        }
        return project.id
    }
}
