import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// What a message that came in says about a mail of ours: it is a report of its fate, a complaint about it, or an answer to it.
///
/// Anybody can write such a message. What it brings about depends on what it proves: our own signed token, which was in that
/// one mail and nowhere else, proves that its writer had the mail before him.
struct ReturnedMail: Sendable {
    /// By what a message was matched with a mail, in the order in which they are asked. The raw values are shown.
    enum Proof: String, Hashable, Sendable, CaseIterable {
        /// The token in the address that the message came to.
        case returnPath = "return_path"
        case replyAddress = "reply_address"
        /// The queue id under which our relay took the mail.
        case queueID = "queue_id"
        /// The envelope id that the mail was sent with.
        case envelopeID = "envelope_id"
        /// A token of ours in the header of the mail that came back.
        case marker
        case messageID = "message_id"
    }

    /// What a message is about.
    enum Matter: Sendable {
        case report(DeliveryReport)
        case complaint(Complaint)
        case automaticReply(AutomaticReply)
        /// A person wrote.
        case reply
        /// It came to an address that only mail systems know, and nobody understands it.
        case unclear
    }

    private enum Candidate: Sendable {
        case entry(Identifier, Proof)
        case queueID(String)
        case messageID(String)
    }

    let matter: Matter
    /// The address of ours that it came to, among those that have a token.
    let address: ReturnAddresses.Match?
    /// That address, as the sender had it.
    let recipient: String?
    private let candidates: [Candidate]
    /// It did not come over the network: our own MTA wrote it, or somebody on this machine did.
    private let isLocal: Bool
    private let recipients: Set<String>

    /// Message ids of an answer that are looked up.
    private static let answeredLimit = 20

    /// Nil for what says nothing about mail of ours.
    /// - Parameter ownAddresses: who writes from these is one of us, and answers nothing of ours although he takes part in the
    ///   thread.
    init?(
        _ message: ReceivedMessage, _ facts: IncomingMail, ownAddresses: Set<String>, context: EngineContext
    ) {
        let addresses = context.configuration.returnAddresses
        let found =
            addresses.isEmpty
            ? nil
            : message.recipients.lazy.compactMap { recipient in
                addresses.match(recipient).map { (recipient, $0) }
            }.first
        address = found?.1
        recipient = found?.0
        // A file that somebody imports counts as internal too, because nobody can refuse it, and has no client.
        isLocal = message.isInternal && !message.clientAddress.isEmpty
        var candidates: [Candidate] = []
        if let address, let entry = context.tokens.verifyAddress(address.token, kind: address.kind) {
            candidates.append(.entry(entry, address.kind == .bounce ? .returnPath : .replyAddress))
        }
        let reader = TokenReader(tokens: context.tokens, addresses: addresses)
        switch facts.recognition.mailClass {
        case .deliveryReport(let report):
            matter = .report(report)
            if let id = report.queueID { candidates.append(.queueID(id)) }
            if let id = report.envelopeID, let entry = context.tokens.verify(id, kind: .delivery) {
                candidates.append(.entry(entry, .envelopeID))
            }
            candidates += reader.entries(in: report.original, message).map { .entry($0, .marker) }
            if let id = report.original?.messageID { candidates.append(.messageID(id)) }
            recipients = Set(
                report.recipients.flatMap {
                    [$0.address, $0.originalAddress].compactMap { $0.map(AddressText.normal) }
                })
        case .complaint(let complaint):
            matter = .complaint(complaint)
            if let id = complaint.envelopeID, let entry = context.tokens.verify(id, kind: .delivery) {
                candidates.append(.entry(entry, .envelopeID))
            }
            candidates += reader.entries(in: complaint.original, message).map { .entry($0, .marker) }
            if let sender = complaint.originalSender, let entry = reader.entry(inAddress: sender) {
                candidates.append(.entry(entry, .marker))
            }
            if let id = complaint.original?.messageID { candidates.append(.messageID(id)) }
            recipients = []
        case .automaticReply(let reply):
            matter = .automaticReply(reply)
            candidates += Self.answered(facts).map { .messageID($0) }
            recipients = []
        case .ordinary where address?.kind != .bounce:
            matter = .reply
            candidates += Self.answered(facts).map { .messageID($0) }
            recipients = []
        default:
            guard address?.kind == .bounce else { return nil }
            matter = .unclear
            recipients = []
        }
        self.candidates = candidates
        // A mail that answers nothing of ours is just a mail.
        if case .reply = matter {
            let isFromUs = message.authenticatedUser != nil || facts.contactAddress.map(ownAddresses.contains) == true
            if isFromUs || candidates.isEmpty { return nil }
        }
        if case .automaticReply = matter, candidates.isEmpty, address?.kind != .bounce { return nil }
    }

    /// The newest first: the mail that somebody answers stands last in References.
    private static func answered(_ facts: IncomingMail) -> [String] {
        var seen: Set<String> = []
        let ids = facts.read.inReplyTo + facts.read.references.reversed()
        return Array(ids.filter { seen.insert($0).inserted }.prefix(answeredLimit))
    }

    /// It came to the address for bounces of one mail, with its token, and is what comes to such addresses.
    var isConsumed: Bool {
        guard address?.kind == .bounce, case .entry(_, .returnPath)? = candidates.first else { return false }
        return switch matter {
        case .report, .complaint, .automaticReply: true
        case .reply, .unclear: false
        }
    }

    // MARK: In the transaction

    /// The mail that a message is about.
    struct Correlation: Sendable {
        var entry: OutboxEntry
        var proof: Proof
        /// What follows may be taken from it.
        var isVerified: Bool

        /// What the event of the message itself says of the mail.
        var data: JSONObject {
            var data: JSONObject = [
                "emailId": .string("\(entry.id)"), "matchedBy": .string(proof.rawValue),
                "isVerified": .bool(isVerified),
            ]
            data["executionId"] = entry.executionID.map { .string("\($0)") }
            return data
        }
    }

    /// The first mail found, and the first that is proven before one that is not.
    func correlate(in transaction: EngineTransaction) throws -> Correlation? {
        var unproven: Correlation?
        for candidate in candidates {
            guard let (entry, proof) = try find(candidate, in: transaction) else { continue }
            let found = Correlation(entry: entry, proof: proof, isVerified: isProof(proof))
            if found.isVerified { return found }
            unproven = unproven ?? found
        }
        return unproven
    }

    private func find(
        _ candidate: Candidate, in transaction: EngineTransaction
    ) throws -> (OutboxEntry, Proof)? {
        let store = transaction.store
        switch candidate {
        case .entry(let id, let proof): return try store.entry(id).map { ($0, proof) }
        case .messageID(let text):
            guard let at = text.utf8.firstIndex(of: UInt8(ascii: "@")), let id = Identifier(String(text[..<at])),
                let entry = try store.entry(id), entry.messageID.lowercased() == text.lowercased()
            else { return nil }
            return (entry, .messageID)
        case .queueID(let id):
            // Postfix gives the same id again after a while, to another mail.
            let since = transaction.now.adding(seconds: -Self.queueMemory)
            let entries = try store.entries(relayQueueID: id, since: since)
            let named = entries.filter { recipients.contains(RecipientAddress.normal($0.request.recipient)) }
            guard let entry = named.first ?? (entries.count == 1 ? entries[0] : nil) else { return nil }
            return (entry, .queueID)
        }
    }

    /// Seconds after which a queue id counts no more: far beyond what a queue keeps mail.
    private static let queueMemory: Int64 = 30 * 86_400

    /// A Message-ID is in every answer to a mail, and in every archive that has one: it shows that somebody has seen the mail
    /// or an answer to it. That is enough for an answer, and for a complaint, whose writers take out all else; it is too
    /// little to end mail to an address because of a report. A queue id is in the log of our own machine.
    private func isProof(_ proof: Proof) -> Bool {
        switch (proof, matter) {
        case (.returnPath, _), (.replyAddress, _), (.envelopeID, _), (.marker, _): true
        case (.queueID, _): isLocal
        case (.messageID, .report), (.messageID, .unclear): false
        case (.messageID, .complaint), (.messageID, .automaticReply), (.messageID, .reply): true
        }
    }
}

/// Finds our tokens in a mail that came back.
struct TokenReader {
    let tokens: TokenSigner
    let addresses: ReturnAddresses

    /// The mail of ours whose marker is somewhere in a message without a sender, whatever kind of message it is.
    ///
    /// What such a message brings about is a consequence of the mail that came back. Counted from nothing, a workflow that
    /// writes to a dead address whenever mail arrives would be started anew by each bounce of its own mail, for ever.
    static func source(of message: ReceivedMessage, _ context: EngineContext) -> Identifier? {
        // Reports have the null reverse path (RFC 5321 section 4.5.5).
        guard message.reversePath.isEmpty else { return nil }
        return TokenReader(tokens: context.tokens, addresses: context.configuration.returnAddresses).inBody(message)
    }

    /// The mails whose tokens are in the header that came back, or else anywhere in the message.
    func entries(in original: OriginalMessage?, _ message: ReceivedMessage) -> [Identifier] {
        let headers = original?.headers ?? []
        var found = headers.filter { $0.isNamed(MailBuilder.markerField) }.compactMap { marked($0.text) }
        for field in headers where field.isNamed("Return-Path") || field.isNamed("Reply-To") {
            if let entry = entry(inAddress: field.text) { found.append(entry) }
        }
        for field in headers where field.isNamed("List-Unsubscribe") {
            if let entry = unsubscribed(field.text) { found.append(entry) }
        }
        if found.isEmpty, let entry = inBody(message) { found.append(entry) }
        return found
    }

    func entry(inAddress text: String) -> Identifier? {
        guard !addresses.isEmpty else { return nil }
        let address = HeaderAddresses.parse(text).first?.description ?? text
        guard let match = addresses.match(address.filter { $0 != "<" && $0 != ">" }) else { return nil }
        return tokens.verifyAddress(match.token, kind: match.kind)
    }

    private func marked(_ text: String) -> Identifier? {
        tokens.verify(String(text.filter { $0 != " " }.prefix(TokenSigner.textLength)), kind: .delivery)
    }

    /// `<https://example.com/u/TOKEN>`
    private func unsubscribed(_ text: String) -> Identifier? {
        guard let start = text.firstRange(of: "/u/") else { return nil }
        return tokens.verify(text[start.upperBound...].prefix(TokenSigner.textLength), kind: .unsubscribe)
    }

    /// Reports that are no MIME have the header of the mail as lines of their text.
    private func inBody(_ message: ReceivedMessage) -> Identifier? {
        let field = Array("\(MailBuilder.markerField): ".utf8)
        var position = message.body.startIndex
        while let feed = message.body[position...].firstIndex(of: 0x0A) {
            position = feed + 1
            // Some quote it: `> X-Postrider-Delivery: …`.
            let line = message.body[position...].drop { $0 == 0x20 || $0 == UInt8(ascii: ">") }
            guard line.starts(with: field) else { continue }
            let token = String(decoding: line.dropFirst(field.count).prefix(TokenSigner.textLength), as: UTF8.self)
            if let entry = tokens.verify(token, kind: .delivery) { return entry }
        }
        return nil
    }
}
