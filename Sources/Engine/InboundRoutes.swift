import MailModel

/// Which recipients' mail becomes events, and of which project.
///
/// One recipient has at most one route for each project. In this order: the route for the very address; the one for the
/// address without what follows the delimiter (`help+42@` is `help@`); the first wildcard or pattern that fits, in the order
/// of the configuration; the one for the domain. Where none fits, the domain's rule for unknown recipients.
package struct InboundRoutes: Sendable {
    package enum Disposition: String, Sendable, CaseIterable {
        /// The message goes on to its mailbox.
        case `continue`
        /// The workflow has consumed the message.
        case discard
        /// The MTA puts the message on hold.
        case quarantine
        /// The MTA refuses the message.
        case reject
    }

    /// What becomes of the event of a mail that a scanner called spam, or in which it found a virus.
    package enum SpamMode: String, Sendable, CaseIterable {
        /// It is an event like any other.
        case none
        /// It is an event that says `isSpam`.
        case mark
        /// It is no event; that it came is kept, and the message is put on hold where the verdict is there in time.
        case quarantine
        /// It is no event; that it came is kept, and the message is refused where the verdict is there in time.
        case fail
    }

    package struct Route: Hashable, Sendable {
        package enum Match: Hashable, Sendable {
            /// A whole address, lower case.
            case recipient(String)
            /// Everything at that domain, lower case.
            case domain(String)
            /// Every address that fits.
            case pattern(AddressPattern)
        }

        package var match: Match
        /// The project's slug.
        package var project: String
        package var disposition: Disposition
        /// One of them must hold for a disposition other than `continue`; empty: it always applies.
        package var conditions: [VerdictCondition] = []
        /// What a refused sender reads.
        package var rejectText: String?
        package var spamMode = SpamMode.none
        package var replies = Replies()
        /// Which of its mail is kept as it came; nil: as the configuration says.
        package var rawMail: RawMailPolicy.Keep?
        /// It takes those recipients of a domain for whom there is no other route.
        package var isForUnknown = false

        package init(match: Match, project: String, disposition: Disposition) {
            self.match = match
            self.project = project
            self.disposition = disposition
        }

        /// By what the mail it takes is written to: an address, or `@` and a domain.
        package var name: String {
            switch match {
            case .recipient(let address): address.lowercased()
            case .domain(let domain): "@" + domain.lowercased()
            case .pattern(let pattern): pattern.text
            }
        }
    }

    /// Which mail to a route may be answered by itself, beside what holds for all.
    package struct Replies: Hashable, Sendable {
        /// Mail that does not name its recipient is answered too.
        package var answersBlindCopies = false
        /// Only senders whom DMARC or SPF verified get an answer.
        package var requiresAuthentication = false

        package init() {}
    }

    /// What to do with mail for a recipient of a domain who has no route.
    package enum UnknownRecipients: Hashable, Sendable {
        /// It is an event, by this route.
        case event(Route)
        /// The recipient is refused.
        case reject
        /// The mail ends here, when it is nobody else's.
        case discard
    }

    /// A route of one recipient.
    package struct Found: Sendable {
        package var route: Route
        /// What follows the delimiter in the local part, as it was written; nil without one.
        package var mailboxHash: String?
    }

    private let byRecipient: [String: [Route]]
    private let byDomain: [String: [Route]]
    private let patterns: [(pattern: AddressPattern, route: Route)]
    private let unknown: [String: UnknownRecipients]
    private let delimiter: Character?

    /// - Parameters:
    ///   - unknown: by domain, lower case.
    ///   - delimiter: what separates an address from its tag; nil knows no tags.
    package init(
        _ routes: [Route], unknown: [String: UnknownRecipients] = [:], delimiter: Character? = "+"
    ) {
        var byRecipient: [String: [Route]] = [:]
        var byDomain: [String: [Route]] = [:]
        var patterns: [(AddressPattern, Route)] = []
        for route in routes {
            switch route.match {
            case .recipient(let address): byRecipient[AddressText.normal(address), default: []].append(route)
            case .domain(let domain): byDomain[AddressText.normalDomain(domain), default: []].append(route)
            case .pattern(let pattern): patterns.append((pattern, route))
            }
        }
        self.byRecipient = byRecipient
        self.byDomain = byDomain
        self.patterns = patterns
        self.unknown = Dictionary(
            unknown.map { (AddressText.normalDomain($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
        self.delimiter = delimiter
    }

    /// The routes of one recipient, at most one for each project.
    package func routes(for recipient: String) -> [Route] { found(for: recipient).map(\.route) }

    /// The routes of one recipient with its tag, at most one for each project.
    package func found(for recipient: String) -> [Found] {
        let address = AddressText.normal(recipient)
        guard let at = address.lastIndex(of: "@") else { return [] }
        let domain = String(address[address.index(after: at)...])
        let tag = tag(of: recipient)
        var routes = byRecipient[address] ?? []
        if let tag, let base = byRecipient[AddressText.normal(tag.base)] { routes += base }
        // An expression is written in either form of a domain.
        let written = patterns.isEmpty ? address : recipient.lowercased()
        for (pattern, route) in patterns
        where pattern.matches(address) || (written != address && pattern.matches(written)) { routes.append(route) }
        routes += byDomain[domain] ?? []
        if routes.isEmpty, case .event(let route)? = unknown[domain] { routes.append(route) }
        if routes.count > 1 {
            var seen: Set<String> = []
            routes = routes.filter { seen.insert($0.project).inserted }
        }
        return routes.map { Found(route: $0, mailboxHash: tag?.tag) }
    }

    /// What becomes of a recipient without a route: nil when it is nobody of ours.
    package func ruleForUnknown(_ recipient: String) -> UnknownRecipients? {
        guard !unknown.isEmpty, let at = recipient.lastIndex(of: "@") else { return nil }
        let rule = unknown[AddressText.normalDomain(String(recipient[recipient.index(after: at)...]))]
        return rule != nil && routes(for: recipient).isEmpty ? rule : nil
    }

    /// `help+42@example.com` is `help@example.com` and `42` (postconf(5) `recipient_delimiter`).
    private func tag(of recipient: String) -> (base: String, tag: String)? {
        guard let delimiter, let at = recipient.lastIndex(of: "@"),
            let place = recipient[..<at].firstIndex(of: delimiter), place > recipient.startIndex
        else { return nil }
        let tag = recipient[recipient.index(after: place)..<at]
        return (String(recipient[..<place] + recipient[at...]), String(tag))
    }

    /// The addresses that have a route of their own: mail from them is mail from ourselves.
    package var addresses: Set<String> { Set(byRecipient.keys) }

    /// The domains of all routes, lower case.
    package var domains: Set<String> {
        Set(byDomain.keys).union(byRecipient.keys.map(AutomaticReplyKey.domain))
    }

    /// Whether a recipient may have to be refused on its own.
    package var refusesUnknownRecipients: Bool { unknown.values.contains(.reject) }

    /// Whether a message may have to be put on hold.
    package var mayQuarantine: Bool {
        let all = Array(byRecipient.values.joined()) + Array(byDomain.values.joined()) + patterns.map(\.route)
        return all.contains { $0.disposition == .quarantine || $0.spamMode == .quarantine }
    }
}
