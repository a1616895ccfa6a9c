/// Which recipients' mail becomes events, and of which project.
package struct InboundRoutes: Sendable {
    package enum Disposition: String, Sendable, CaseIterable {
        /// The message goes on to its mailbox.
        case `continue`
        /// The workflow has consumed the message.
        case discard
    }

    package struct Route: Hashable, Sendable {
        package enum Match: Hashable, Sendable {
            /// A whole address, lower case.
            case recipient(String)
            /// Everything at that domain, lower case.
            case domain(String)
        }

        package var match: Match
        /// The project's slug.
        package var project: String
        package var disposition: Disposition
        package var replies = Replies()
        /// Which of its mail is kept as it came; nil: as the configuration says.
        package var rawMail: RawMailPolicy.Keep?

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

    private let byRecipient: [String: [Route]]
    private let byDomain: [String: [Route]]

    package init(_ routes: [Route]) {
        var byRecipient: [String: [Route]] = [:]
        var byDomain: [String: [Route]] = [:]
        for route in routes {
            switch route.match {
            case .recipient(let address): byRecipient[address.lowercased(), default: []].append(route)
            case .domain(let domain): byDomain[domain.lowercased(), default: []].append(route)
            }
        }
        self.byRecipient = byRecipient
        self.byDomain = byDomain
    }

    /// The routes of one recipient, at most one for each project; a route for the address goes before one for its domain.
    package func routes(for recipient: String) -> [Route] {
        let recipient = recipient.lowercased()
        let exact = byRecipient[recipient] ?? []
        let domain = recipient.utf8.lastIndex(of: UInt8(ascii: "@")).map {
            String(recipient[recipient.utf8.index(after: $0)...])
        }
        var seen: Set<String> = []
        return (exact + (domain.flatMap { byDomain[$0] } ?? [])).filter { seen.insert($0.project).inserted }
    }

    /// The domains of all routes, lower case.
    package var domains: Set<String> {
        Set(byDomain.keys).union(byRecipient.keys.map(AutomaticReplyKey.domain))
    }

    /// The addresses that have a route of their own: mail from them is mail from ourselves.
    package var addresses: Set<String> { Set(byRecipient.keys) }
}
