/// The verdict sources that stand in the message itself, as the administrator listed them. Nobody else's field is read.
///
/// Scanners leave mail of local clients and of users who logged in alone, and forged fields in it too, so there every source
/// is silent.
package struct PassiveSources: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        case rspamd(RspamdHeaders)
        case spamAssassin(SpamAssassinHeaders)
        /// X-Virus-Status of clamav-milter.
        case clamAV(ClamAVHeaders)
        /// Authentication-Results of these services.
        case authentication(services: Set<String>)
        /// The first Received-SPF, of a policy server.
        case receivedSPF
    }

    package let sources: [Source]
    private let localNetworks: [IPNetwork]
    private let isBesideRspamd: Bool
    private let isBesideSpamAssassin: Bool

    /// - Parameter localNetworks: networks that are local to the scanners beside those that are local to everybody.
    package init(_ sources: [Source], localNetworks: [IPNetwork] = []) {
        self.sources = sources
        self.localNetworks = localNetworks
        isBesideRspamd = sources.contains { if case .rspamd = $0 { true } else { false } }
        isBesideSpamAssassin = sources.contains { if case .spamAssassin = $0 { true } else { false } }
    }

    /// All five verdicts, each the worst that a source of the list says.
    package func verdicts(of message: ReceivedMessage) -> ScanVerdicts {
        var verdicts = ScanVerdicts()
        guard !sources.isEmpty else { return verdicts }
        if let user = message.authenticatedUser, !user.isEmpty { return verdicts }
        let isDeclaredLocal = isDeclaredLocal(message.clientAddress)
        let isPublic = !isDeclaredLocal && ClientNetwork(address: message.clientAddress) == .public
        for source in sources {
            if case .rspamd(let headers) = source {
                verdicts.merge(
                    headers.verdicts(
                        of: message, isLocalClient: isDeclaredLocal, isBesideSpamAssassin: isBesideSpamAssassin))
            } else if isPublic {
                verdicts.merge(read(source, message))
            }
        }
        // A forged field stands somewhere in this header: nothing good may be concluded from its neighbours.
        if verdicts.isConflicting {
            for check in [VerdictCheck.spam, .virus] where verdicts[check] == .pass { verdicts[check] = .gray }
        }
        return verdicts
    }

    private func isDeclaredLocal(_ client: String) -> Bool {
        guard !localNetworks.isEmpty, let address = IPAddress(ClientNetwork.bare(client)) else { return false }
        return localNetworks.contains { $0.contains(address) }
    }

    private func read(_ source: Source, _ message: ReceivedMessage) -> ScanVerdicts {
        switch source {
        case .rspamd(let headers): headers.verdicts(of: message)
        case .spamAssassin(let headers): headers.verdicts(of: message, isBesideRspamd: isBesideRspamd)
        case .clamAV(let headers): headers.verdicts(of: message)
        case .authentication(let services): AuthenticationVerdicts.verdicts(of: message, trustedServices: services)
        case .receivedSPF: ReceivedSPF.verdicts(of: message)
        }
    }
}
