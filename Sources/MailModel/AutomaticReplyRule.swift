/// Whether a program may answer a message by itself (RFC 3834, RFC 5230 section 4.6).
///
/// Two robots that answer each other never stop, and an answer to a forged sender is spam sent in our name. The questions
/// are asked in a fixed order, cheap ones first, and the first that says no is the reason that is logged. Deduplication and
/// rate limits come after this rule and belong to whoever counts.
///
/// One value holds what there is to know of one message, read once: a mail to a thousand recipients asks a thousand times.
package struct AutomaticReplyRule: Sendable {
    /// Why no automatic reply may be sent. The raw value is stored and shown, so it is never reused.
    package enum Refusal: String, Hashable, Sendable, CaseIterable {
        /// The reverse path is empty or Postfix's `double-bounce`: a bounce or a notice.
        case nullSender = "null_sender"
        /// The reverse path is no address that can be written to.
        case invalidSender = "invalid_sender"
        /// The sender is an address of ours, or the recipient itself.
        case ownAddress = "own_address"
        /// It bears the mark of our own mail.
        case ownMail = "own_mail"
        /// Its thread refers to more mails of ours than a conversation has.
        case longThread = "long_thread"
        /// Auto-Submitted is anything but `no` (RFC 3834 section 5).
        case autoSubmitted = "auto_submitted"
        /// It came through a mailing list (RFC 2369, RFC 2919).
        case mailingList = "mailing_list"
        /// Precedence is bulk, list, junk or of that kind.
        case precedence
        /// X-Auto-Response-Suppress asks for none (MS-OXCMAIL section 2.2.3.2.14).
        case suppressed
        /// The header is longer than is kept: the marks of a program may be in the rest.
        case unreadableHeader = "unreadable_header"
        /// Another header field that only programs write.
        case machineHeader = "machine_header"
        /// A delivery report, a disposition notification, a complaint, an answer to an invitation.
        case report
        /// It says of itself, by its subject or text, that a program wrote it.
        case automaticReply = "automatic_reply"
        /// Somebody's filter asks the sender to prove himself first.
        case challenge
        /// The name before the `@` is a program's.
        case machineAddress = "machine_address"
        /// The recipient is named in no To or Cc field: a blind copy or a list (RFC 5230 section 4.6).
        case notAddressed = "not_addressed"
        /// A scanner called it spam or found a virus.
        case spam
        /// The site asks for a verified sender and neither DMARC nor SPF verified it.
        case unauthenticated
        /// It passed more servers than mail does.
        case looping
        /// It is older than the site answers.
        case stale
    }

    /// What is known about a message beside itself.
    package struct Circumstances: Hashable, Sendable {
        /// The envelope recipient on whose behalf the reply would be sent.
        package var recipient: String
        /// `MailAddress.normalized` of every address that is ours: routes, bounce addresses, senders of templates. An address with
        /// a detail behind `+` counts as its base address.
        package var ownAddresses: Set<String>
        /// What the scanners and authentication checks found.
        package var verdicts: ScanVerdicts
        /// The message bears our own mark, verified by the caller.
        package var isOwnMail: Bool
        /// Domains of our own Message-IDs, lower case.
        package var ownDomains: Set<String> = []
        /// Mails of ours that a message may refer to (RFC 5322 section 3.6.4).
        package var largestThread = 3
        /// Further header fields that forbid a reply, lower case.
        package var refusedFields: Set<String> = []
        /// What the message was recognised as by its content, where that forbids a reply.
        package var contentRefusal: Refusal?
        /// The route answers blind copies too.
        package var answersBlindCopies: Bool
        /// Answer only whom SPF or DMARC vouches for: the address that is answered.
        package var requiresAuthentication: Bool
        /// The reply goes to From where DMARC is PASS.
        package var answersFrom = false
        /// Age by its Date field, and the age from which nothing is answered, both in microseconds; nil: not asked.
        package var age: Int64?
        /// See `age`.
        package var largestAge: Int64?
        /// Received fields from which a loop is assumed; Postfix gives up at 50 (postconf(5) `hopcount_limit`).
        package var largestHopCount: Int

        /// Everything but the recipient has the value of a site that asks for nothing special.
        package init(
            recipient: String, ownAddresses: Set<String> = [], verdicts: ScanVerdicts = ScanVerdicts(),
            isOwnMail: Bool = false, answersBlindCopies: Bool = false, requiresAuthentication: Bool = false,
            age: Int64? = nil, largestAge: Int64? = nil, largestHopCount: Int = 25
        ) {
            self.recipient = recipient
            self.ownAddresses = ownAddresses
            self.verdicts = verdicts
            self.isOwnMail = isOwnMail
            self.answersBlindCopies = answersBlindCopies
            self.requiresAuthentication = requiresAuthentication
            self.age = age
            self.largestAge = largestAge
            self.largestHopCount = largestHopCount
        }
    }

    private let message: ReceivedMessage
    private let reversePath: MailAddress?
    /// The reverse path and the mailboxes of From: both are asked, because the reply goes to one and is read by the other.
    private let senders: [MailAddress]
    /// Everybody named in To, Cc and their Resent forms, normalized.
    private let addressed: Set<String>
    /// Whose mailboxes it has been through already (qmail's loop mark), normalized.
    private let deliveredTo: Set<String>
    private let headerRefusal: Refusal?
    private let hopCount: Int
    /// The message's own id, and those it refers to.
    private let messageID: String?
    private let references: [String]

    package init(_ message: ReceivedMessage) {
        self.message = message
        reversePath = MailAddress.parse(received: message.reversePath)
        senders = (reversePath.map { [$0] } ?? []) + Self.addresses(["From"], in: message)
        addressed = Set(Self.addresses(["To", "Cc", "Resent-To", "Resent-Cc"], in: message).map(\.normalized))
        deliveredTo = Set(Self.addresses(["Delivered-To"], in: message).map(\.normalized))
        headerRefusal = AutomaticMail.refusalByHeader(message)
        hopCount = message.headers.count { $0.isNamed("Received") }
        messageID = message.headers(named: "Message-ID").first.flatMap { MessageIdentifiers.parse($0).first }
        references = message.headers(named: "References").flatMap { MessageIdentifiers.parse($0) }
    }

    private static func addresses(_ names: [String], in message: ReceivedMessage) -> [MailAddress] {
        names.flatMap { message.headers(named: $0).flatMap(HeaderAddresses.parse) }
    }

    /// The first reason against a reply; nil when it may be sent.
    package static func refusal(for message: ReceivedMessage, in circumstances: Circumstances) -> Refusal? {
        AutomaticReplyRule(message).refusal(in: circumstances)
    }

    /// The first reason against a reply; nil when it may be sent.
    package func refusal(in circumstances: Circumstances) -> Refusal? {
        let recipient = circumstances.recipient.lowercased()
        if let refusal = refusalBySender(recipient, circumstances) { return refusal }
        if circumstances.isOwnMail || isOurs(messageID, circumstances) { return .ownMail }
        if references.count(where: { isOurs($0, circumstances) }) > circumstances.largestThread { return .longThread }
        if let headerRefusal { return headerRefusal }
        if deliveredTo.contains(recipient) || hasRefusedField(circumstances) { return .machineHeader }
        if message.areHeadersTruncated { return .unreadableHeader }
        if let refusal = circumstances.contentRefusal { return refusal }
        if senders.contains(where: { MachineAddress.matches(localPart: $0.localPart) }) { return .machineAddress }
        if !circumstances.answersBlindCopies, !addressed.contains(recipient) { return .notAddressed }
        return refusalByCircumstances(circumstances)
    }

    private func isOurs(_ identifier: String?, _ circumstances: Circumstances) -> Bool {
        identifier.map { OwnMessageID.matches($0, domains: circumstances.ownDomains) } ?? false
    }

    private func hasRefusedField(_ circumstances: Circumstances) -> Bool {
        !circumstances.refusedFields.isEmpty
            && message.headers.contains { circumstances.refusedFields.contains($0.name.lowercased()) }
    }

    private func refusalBySender(_ recipient: String, _ circumstances: Circumstances) -> Refusal? {
        if message.reversePath.isEmpty || message.reversePath.lowercased().hasPrefix("double-bounce@") {
            return .nullSender
        }
        guard let reversePath, reversePath.isSafeForSMTP else { return .invalidSender }
        let isOurs = senders.contains { address in
            address.normalized == recipient || circumstances.ownAddresses.contains(address.normalized)
                || circumstances.ownAddresses.contains(Self.baseAddress(address))
        }
        return isOurs ? .ownAddress : nil
    }

    /// `bounce+token@ours.example` is `bounce@ours.example` (postconf(5) `recipient_delimiter`).
    private static func baseAddress(_ address: MailAddress) -> String {
        guard let plus = address.localPart.firstIndex(of: "+") else { return address.normalized }
        return address.localPart[..<plus].lowercased() + "@" + address.domain.lowercased()
    }

    /// DMARC speaks for the domain of From (RFC 7489 section 3.1) and the reply goes to the reverse path, which anybody can write.
    private var isFromReversePathsDomain: Bool {
        guard let domain = reversePath?.domain.lowercased() else { return false }
        return senders.dropFirst().contains { $0.domain.lowercased() == domain }
    }

    private func refusalByCircumstances(_ circumstances: Circumstances) -> Refusal? {
        let verdicts = circumstances.verdicts
        if verdicts.spam == .fail || verdicts.virus == .fail { return .spam }
        if circumstances.requiresAuthentication, verdicts.spf != .pass,
            verdicts.dmarc != .pass || !(circumstances.answersFrom || isFromReversePathsDomain)
        {
            return .unauthenticated
        }
        if hopCount > circumstances.largestHopCount { return .looping }
        if let age = circumstances.age, let largest = circumstances.largestAge, age > largest { return .stale }
        return nil
    }
}
