import Engine
import Foundation
import Logging
import SMTPAdapter
import Settings

extension Assembly {
    /// The relays with the way to each, in the order of the configuration: the one of `smtp` when no others are listed.
    var relays: [(rules: RelayRules, smtp: SMTPConfiguration)] {
        guard !configuration.relays.isEmpty else {
            return [(RelayRules(name: "smtp"), Self.smtp(configuration.smtp))]
        }
        return configuration.relays.map { relay in
            let rules = RelayRules(
                name: relay.name, weight: relay.weight, senderDomains: Set(relay.senderDomains),
                projects: Set(relay.projects), isBackup: relay.isBackup)
            return (rules, Self.smtp(relay.smtp))
        }
    }

    /// Starts what each relay needs.
    /// - Throws: `SMTPConfigurationError`.
    func makeRelays() throws -> [(relay: MailRelay, transport: SMTPTransport)] {
        try relays.map { rules, smtp in
            let transport = try SMTPTransport(configuration: smtp, logger: logger)
            return (MailRelay(rules, transport: transport), transport)
        }
    }

    private static func smtp(_ smtp: Configuration.SMTP) -> SMTPConfiguration {
        let tls: SMTPConfiguration.TLS =
            switch smtp.tls {
            case .none: .none
            case .opportunistic: .opportunistic
            case .required: .required
            case .implicit: .implicit
            }
        return SMTPConfiguration(
            host: smtp.host, port: smtp.port, ehloName: smtp.ehloName ?? ProcessInfo.processInfo.hostName, tls: tls,
            verifiesPeer: smtp.verify, caFile: smtp.caFile,
            credentials: smtp.login.map { .init(username: $0.username, password: $0.password.value) },
            workers: smtp.workers, connectTimeout: smtp.connectTimeout, replyTimeout: smtp.replyTimeout)
    }
}

extension Configuration.Pacing {
    var rule: PacingRule {
        let subject: PacingRule.Subject =
            switch subject {
            case .relays(let names): .relays(names)
            case .projects(let names): .projects(names)
            case .domains(let names): .domains(names)
            case .mailServers(let names): .mailServers(names)
            case .senders(let names): .senders(names)
            case .eachProject: .eachProject
            case .eachDomain: .eachDomain
            case .eachSender: .eachSender
            }
        var pace = Pace(
            rate: rate.map { .init(count: $0.count, seconds: $0.seconds) }, connections: connections, perDay: perDay)
        pace.warmUp = warmUp
        pace.warmUpStart = warmUpFrom ?? 0
        return PacingRule(subject, pace)
    }
}
