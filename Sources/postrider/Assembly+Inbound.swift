import Engine
import MailModel
import ScannerAdapter
import Settings

/// Routes and verdict sources as the engine knows them.
extension Assembly {
    /// - Throws: `CommandFailure` for a wildcard or pattern that cannot be used, with its place in the list.
    var inboundRoutes: InboundRoutes {
        get throws {
            var routes: [InboundRoutes.Route] = []
            for (index, route) in configuration.routes.enumerated() {
                do {
                    routes.append(try Self.route(route))
                } catch let failure as AddressPattern.Failure {
                    throw CommandFailure("routes[\(index + 1)]: the pattern cannot be used: \(failure)")
                }
            }
            let unknown = configuration.unknownRecipients.compactMap { rule in
                Self.rule(rule).map { (rule.domain, $0) }
            }
            return InboundRoutes(
                routes, unknown: Dictionary(unknown) { first, _ in first },
                delimiter: configuration.recipientDelimiter)
        }
    }

    private static func route(_ route: Configuration.Route) throws -> InboundRoutes.Route {
        let match: InboundRoutes.Route.Match =
            switch route.target {
            case .recipient(let address): .recipient(address)
            case .domain(let domain): .domain(domain)
            case .wildcard(let text): .pattern(try AddressPattern(wildcard: AddressText.normal(text)))
            case .pattern(let text): .pattern(try AddressPattern(expression: text))
            }
        var made = InboundRoutes.Route(
            match: match, project: route.project,
            disposition: InboundRoutes.Disposition(rawValue: route.disposition.rawValue) ?? .continue)
        made.conditions = route.conditions.compactMap(VerdictCondition.init)
        made.rejectText = route.rejectText
        made.spamMode = InboundRoutes.SpamMode(rawValue: route.spam.rawValue) ?? .none
        made.replies.answersBlindCopies = route.answersBlindCopies
        made.replies.requiresAuthentication = route.requiresAuthentication
        made.rawMail = route.rawMail.map(keep)
        return made
    }

    private static func rule(_ rule: Configuration.UnknownRecipients) -> InboundRoutes.UnknownRecipients? {
        switch rule.answer {
        case .continue: return nil
        case .reject: return .reject
        case .discard: return .discard
        case .event:
            var route = InboundRoutes.Route(
                match: .domain(rule.domain), project: rule.project, disposition: .continue)
            route.isForUnknown = true
            return .event(route)
        }
    }

    /// The sources that stand in the message.
    var passiveSources: PassiveSources {
        PassiveSources(
            configuration.verdicts.sources.compactMap { source in
                switch source.kind {
                case .rspamdHeaders: .rspamd(RspamdHeaders(virusSymbols: Set(source.virusSymbols)))
                case .spamAssassinHeaders: .spamAssassin(SpamAssassinHeaders(grayMinimum: source.grayMinimum))
                case .clamAVHeaders: .clamAV(ClamAVHeaders(rules: Self.rules(source)))
                case .authres: .authentication(services: Set(source.authservIDs))
                case .receivedSPF: .receivedSPF
                case .rspamdHTTP, .spamd, .clamd: nil
                }
            }, localNetworks: configuration.verdicts.localNetworks.compactMap { IPNetwork(text: $0) })
    }

    /// The sources that are asked.
    var scanners: [any VerdictScanner] {
        configuration.verdicts.sources.compactMap { source -> (any VerdictScanner)? in
            guard let address = ScannerAddress(source.address) else { return nil }
            let scanner = ScannerConfiguration(
                address: address, timeout: source.timeout, sizeLimit: source.sizeLimit)
            switch source.kind {
            case .rspamdHTTP:
                return RspamdScanner(
                    configuration: scanner, password: source.password?.value,
                    virusSymbols: Set(source.virusSymbols))
            case .spamd: return SpamdScanner(configuration: scanner, grayMinimum: source.grayMinimum)
            case .clamd: return ClamdScanner(configuration: scanner, rules: Self.rules(source))
            default: return nil
            }
        }
    }

    private static func rules(_ source: Configuration.VerdictSource) -> VirusNameRules {
        VirusNameRules(takesHeuristicsAsGray: source.takesHeuristicsAsGray)
    }
}
