/// A relay as the rules of outgoing mail see it.
package struct RelayRules: Hashable, Sendable {
    package var name: String
    /// Its share of the mail, in relation to the other relays for the same mail.
    package var weight: Int
    /// Domains of From whose mail goes here and not to relays that name none.
    package var senderDomains: Set<String>
    /// Slugs of projects whose mail goes here and not to relays that name none.
    package var projects: Set<String>
    /// Gets mail only while the others for it are out of order.
    package var isBackup: Bool

    package init(
        name: String, weight: Int = 1, senderDomains: Set<String> = [], projects: Set<String> = [],
        isBackup: Bool = false
    ) {
        self.name = name
        self.weight = weight
        self.senderDomains = Set(senderDomains.map(AddressText.normalDomain))
        self.projects = projects
        self.isBackup = isBackup
    }

    /// How well it fits: relays that name the sender before those that name the project, and these before those for
    /// everybody. Nil when the mail is not for it.
    package func fitness(senderDomain: String?, project: String?) -> Int? {
        var fitness = 0
        if !projects.isEmpty {
            guard let project, projects.contains(project) else { return nil }
            fitness = 1
        }
        if !senderDomains.isEmpty {
            guard let senderDomain, senderDomains.contains(senderDomain) else { return nil }
            fitness += 2
        }
        return fitness
    }
}

/// A relay with the way to it.
package struct MailRelay: Sendable {
    package let rules: RelayRules
    package let transport: any MailTransport

    package init(_ rules: RelayRules, transport: any MailTransport) {
        self.rules = rules
        self.transport = transport
    }
}
