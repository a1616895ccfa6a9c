import Engine
import Foundation
import JSONValue
import MailModel
import SMTPAdapter
import SQLStore
import Settings

/// What the configuration says of the way that a domain's mail goes, and a mail of our own on that way.
struct DoctorSite {
    let configuration: Configuration
    /// The domain in From.
    let domain: String

    /// What became of the mail that was to come back.
    enum Loop {
        case seen(Deliverability.SeenMail)
        case failed(DeliverabilityFinding)
    }

    /// How long the mail may be under way.
    private static let patience = Duration.seconds(20)

    /// The relay that such mail goes over, as far as its domain decides.
    private var relay: SMTPConfiguration? {
        let relays = Assembly(configuration: configuration, logger: .quiet).relays
        let fitting = relays.compactMap { relay in
            relay.rules.fitness(senderDomain: domain, project: nil).map { (fitness: $0, relay: relay) }
        }
        let best = fitting.filter { !$0.relay.rules.isBackup }.max { $0.fitness < $1.fitness } ?? fitting.first
        return best?.relay.smtp
    }

    private var isLocal: Bool {
        let relays = configuration.relays.map(\.smtp)
        return (relays.isEmpty ? [configuration.smtp] : relays).contains { $0.isLocal && $0.host == relay?.host }
    }

    /// What the machine calls itself: Postfix does the same unless it was told otherwise.
    var greeting: String? {
        guard isLocal else { return nil }
        let name = configuration.smtp.ehloName ?? ProcessInfo.processInfo.hostName
        return name.contains(".") ? name.lowercased() : nil
    }

    /// The domains that bounces go to: those of addresses that stand for the domain, else that of everybody's.
    var returnDomains: [String] {
        let all = [configuration.returns.addresses] + configuration.returns.projects.values
        let domains = all.compactMap { $0.bounce.flatMap { MailAddress.parse($0) } }.compactMap(\.asciiDomain)
        let own = Set(domains.filter { OrganizationalDomain.isAligned($0, domain, isStrict: false) })
        if !own.isEmpty { return own.sorted() }
        let everybody = configuration.returns.addresses.bounce.flatMap { MailAddress.parse($0)?.asciiDomain }
        return everybody.map { [$0] } ?? []
    }

    /// What can be known of the addresses that receivers see, and a sentence on where it is from.
    func sendingAddresses(_ names: any NameService) async -> ([IPAddress], origin: String?) {
        guard let host = isLocal ? greeting : relay?.host else { return ([], nil) }
        if let address = IPAddress(host) { return (Self.isPublic(address) ? [address] : [], nil) }
        let found = await names.ask(host, .a).addresses + names.ask(host, .aaaa).addresses
        let addresses = found.filter(Self.isPublic)
        guard !addresses.isEmpty else { return ([], nil) }
        let list = addresses.map(\.description).joined(separator: ", ")
        return (addresses, "sending address: \(list), as \(host) has in the DNS (--ip names another)")
    }

    private static func isPublic(_ address: IPAddress) -> Bool {
        address.reservation.map { $0 == "documentation" } ?? true
    }

    /// What the configuration keeps from mail to many.
    var remarks: [DeliverabilityFinding] {
        if configuration.http.publicURL?.hasPrefix("https:") == true { return [] }
        return [
            DeliverabilityFinding(
                .warning, .unsubscribe, "mail to many bears no List-Unsubscribe-Post, which promises https",
                mend: "http.public_url: https://…")
        ]
    }

    /// Sends a mail and waits until the daemon has seen it.
    func loop(to recipient: String?) async throws -> Loop {
        guard let recipient = try MailAddress.parse(recipient ?? CanaryCheck.recipient(configuration)) else {
            throw CommandFailure("the address is none: name one with --recipient")
        }
        guard var smtp = relay else { throw CommandFailure("no relay takes mail of \(domain)") }
        smtp.workers = 1
        let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
            .makeEngine(exclusively: false, makingDatabase: false)
        defer { try? store.close() }
        let base = configuration.http.publicURL.flatMap { $0.hasPrefix("https:") ? $0 : nil }
        let looped = try LoopedMail(from: domain, to: recipient, base: base, context: context)
        let transport = try SMTPTransport(configuration: smtp, logger: .quiet)
        let outcome = await transport.deliver(looped.mail)
        await transport.shutdown()
        switch outcome {
        case .delivered: break
        case .rejected(let reply), .deferred(let reply):
            return .failed(Self.failure("the relay did not take the mail: \(reply.code) \(reply.text)"))
        case .unreachable(let reason), .unknown(let reason), .refused(let reason), .unsupported(let reason):
            return .failed(Self.failure("the mail could not be sent: \(reason)"))
        }
        let found = try await CanaryCheck.outcome(of: looped.id, context, within: Self.patience)
        guard let seen = found.flatMap({ Deliverability.SeenMail($0.detail["seen"]) }) else {
            return .failed(
                Self.failure(
                    "the relay took the mail, and the daemon did not see it",
                    mend: "is the daemon running, and is mail to \(recipient) shown to its milter? otherwise use --mail"
                ))
        }
        return .seen(seen)
    }

    private static func failure(
        _ message: String, mend: String = "postrider check --relays tries the way there"
    ) -> DeliverabilityFinding {
        DeliverabilityFinding(.error, .mail, message, mend: mend)
    }
}
