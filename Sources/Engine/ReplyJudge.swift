import MailFormat
import MailModel
import WorkflowModel

/// Says of a received message whether a program may answer it: the rule, with what this installation knows and asks for.
struct ReplyJudge: Sendable {
    private let limits: ReplyLimits
    /// Mail from these is mail from ourselves.
    let ownAddresses: Set<String>
    /// At which our Message-IDs are.
    let ownDomains: Set<String>

    init(_ configuration: EngineConfiguration, routes: InboundRoutes) {
        limits = configuration.replies
        var addresses = routes.addresses.union(configuration.ownAddresses)
            .union(configuration.returnAddresses.all)
        for sender in [configuration.defaultFrom, configuration.autoReplyFrom] {
            if let sender, let mailbox = MailBuilder.mailbox(sender) { addresses.insert(mailbox.address.normalized) }
        }
        addresses.formUnion(addresses.map(AddressText.normal))
        ownAddresses = addresses
        var domains = routes.domains.union(addresses.map(AutomaticReplyKey.domain))
        if let domain = configuration.messageIDDomain { domains.insert(domain.lowercased()) }
        domains.insert(configuration.hostName.lowercased())
        ownDomains = domains
    }

    /// Why no program may answer; nil when one may.
    /// - Parameters:
    ///   - isOwnMail: it bears our own mark.
    ///   - isAnyAge: mail from long ago is answered too.
    func refusal(
        of mail: IncomingMail, to recipient: String, by route: InboundRoutes.Route, isOwnMail: Bool, now: Timestamp,
        isAnyAge: Bool = false
    ) -> AutomaticReplyRule.Refusal? {
        var circumstances = AutomaticReplyRule.Circumstances(
            recipient: recipient, ownAddresses: ownAddresses, verdicts: mail.verdicts, isOwnMail: isOwnMail,
            answersBlindCopies: route.replies.answersBlindCopies,
            requiresAuthentication: limits.requiresAuthentication || route.replies.requiresAuthentication,
            age: isAnyAge ? nil : mail.age(at: now), largestAge: limits.largestAge * 1_000_000,
            largestHopCount: limits.largestHopCount)
        circumstances.answersFrom = limits.answersFrom
        circumstances.ownDomains = ownDomains
        circumstances.largestThread = limits.largestThread
        circumstances.refusedFields = limits.refusedFields
        circumstances.contentRefusal = Self.refusal(of: mail.recognition.mailClass)
        return mail.replyRule.refusal(in: circumstances)
    }

    /// Where the reply goes when that is not the reverse path: From may be believed where DMARC says so.
    func replyAddress(of mail: IncomingMail) -> String? {
        guard limits.answersFrom, mail.verdicts.dmarc == .pass else { return nil }
        return mail.read.from?.address.description
    }

    /// What a message is by its content, where its header says nothing.
    private static func refusal(of mailClass: MailClass) -> AutomaticReplyRule.Refusal? {
        switch mailClass {
        case .deliveryReport, .complaint, .dispositionNotification, .calendarReply: .report
        case .automaticReply, .automatic: .automaticReply
        case .challenge: .challenge
        case .mailingList: .mailingList
        case .ownMail: .ownMail
        case .ordinary: nil
        }
    }
}

extension IncomingMail {
    /// Microseconds since it was written, or since the first server that passed it on took it, whichever is longer; nil when
    /// neither is stated.
    fileprivate func age(at now: Timestamp) -> Int64? {
        [read.date, ReceivedDate.oldest(in: message)].compactMap { $0 }.min().map { now.microseconds - $0 }
    }
}
