/// The verdicts that rspamd's milter wrote into the header, for a site that declared these fields trusted.
///
/// Every one of these fields can be written by the sender. They are worth something only where the border removes the
/// incoming copies first, so this source is used when the administrator says so, and then reads as little good as it can:
/// PASS only for a positive `no action` that nothing contradicts. rspamd writes nothing for its own networks and for
/// clients that logged in, and leaves forged fields alone there, so such mail is DISABLED throughout.
package struct RspamdHeaders: Hashable, Sendable {
    /// The authserv-ids whose Authentication-Results are ours (rspamd takes Postfix's `myhostname`). Empty: none is read.
    package var trustedServices: Set<String>
    /// Symbols of rspamd's antivirus module that the administrator declares active, for example `CLAM_VIRUS`. Empty:
    /// the virus verdict is DISABLED, because the absence of a symbol proves nothing.
    package var virusSymbols: Set<String>
    /// True when rspamd is configured to scan and rewrite mail from private networks as well (`skip_local = false`).
    package var scansPrivateNetworks: Bool

    /// Trusts no authserv-id and no antivirus module until told.
    package init(trustedServices: Set<String> = [], virusSymbols: Set<String> = [], scansPrivateNetworks: Bool = false)
    {
        self.trustedServices = trustedServices
        self.virusSymbols = virusSymbols
        self.scansPrivateNetworks = scansPrivateNetworks
    }

    /// The name of this source in the configuration.
    package static let name = "rspamd-headers"

    /// All five verdicts. `isLocalClient` is for networks that only the configuration knows as ours;
    /// `isBesideSpamAssassin`: an X-Spam-Status with `required` is somebody else's.
    package func verdicts(
        of message: ReceivedMessage, isLocalClient: Bool = false, isBesideSpamAssassin: Bool = false
    ) -> ScanVerdicts {
        if isLocalClient || isSkipped(message) { return ScanVerdicts() }
        var verdicts = ScanVerdicts()
        let results = message.headers(named: "X-Spamd-Result")
        let result = results.count == 1 ? results.first.flatMap(SpamdResult.init) : nil
        verdicts.spamScore = result?.score
        verdicts.spamThreshold = result?.threshold
        readAction(of: message, result: result, resultCount: results.count, into: &verdicts)
        readStatus(of: message, isBesideSpamAssassin: isBesideSpamAssassin, into: &verdicts)
        verdicts.virus = virusVerdict(result)
        let authentication =
            trustedServices.isEmpty
            ? ScanVerdicts() : AuthenticationVerdicts.verdicts(of: message, trustedServices: trustedServices)
        if authentication.isConflicting { verdicts.isConflicting = true }
        // A forged field stands somewhere in this header: nothing good may be concluded from its neighbours.
        if verdicts.isConflicting {
            if verdicts.spam == .pass { verdicts.spam = .gray }
            if verdicts.virus == .pass { verdicts.virus = .gray }
        }
        let findings = [
            VerdictFinding(
                .spam, source: Self.name, verdict: verdicts.spam, value: verdicts.spamAction,
                score: verdicts.spamScore, threshold: verdicts.spamThreshold),
            VerdictFinding(
                .virus, source: Self.name, verdict: verdicts.virus,
                value: result?.symbols.first { symbol in virusSymbols.contains { symbol.hasPrefix($0) } }),
        ]
        verdicts.findings = findings.filter { $0.verdict != .disabled }
        verdicts.merge(authentication)
        return verdicts
    }

    private func isSkipped(_ message: ReceivedMessage) -> Bool {
        if let user = message.authenticatedUser, !user.isEmpty { return true }
        switch ClientNetwork(address: message.clientAddress) {
        case .loopback: return true
        case .private: return !scansPrivateNetworks
        case .public: return false
        }
    }

    private func readAction(
        of message: ReceivedMessage, result: SpamdResult?, resultCount: Int, into verdicts: inout ScanVerdicts
    ) {
        let actions = message.headers(named: "X-Rspamd-Action")
        let isMarked = message.headers(named: "X-Spam").contains { $0.lowercased() == "yes" }
        guard actions.count <= 1, resultCount <= 1 else {
            verdicts.spam = .gray
            verdicts.isConflicting = true
            return
        }
        guard let action = actions.first?.lowercased() else {
            verdicts.spam = verdictWithoutAction(isMarked: isMarked, result: result)
            return
        }
        verdicts.spamAction = action
        verdicts.spam = RspamdHeaders.verdict(ofAction: action)
        if isMarked, verdicts.spam != .fail {
            verdicts.spam = .fail
            verdicts.isConflicting = true
        }
        if let result, result.isRejected, verdicts.spam == .pass { verdicts.isConflicting = true }
    }

    /// The default configuration writes nothing but `X-Spam: Yes`, and that only for spam: silence proves nothing.
    private func verdictWithoutAction(isMarked: Bool, result: SpamdResult?) -> ScanVerdict {
        if isMarked { return .fail }
        guard let result else { return .disabled }
        return result.isRejected ? .fail : .gray
    }

    /// X-Spam-Status: `Yes` means any action but none and greylisting, so it contradicts a claim of none; `No` adds nothing.
    private func readStatus(
        of message: ReceivedMessage, isBesideSpamAssassin: Bool, into verdicts: inout ScanVerdicts
    ) {
        let all = message.headers(named: "X-Spam-Status")
        let own = isBesideSpamAssassin ? all.filter { !$0.contains("required=") } : all
        guard own.count <= 1 else {
            if verdicts.spam != .fail { verdicts.spam = .gray }
            verdicts.isConflicting = true
            return
        }
        guard let status = own.first.flatMap(SpamStatus.init) else { return }
        if verdicts.spamScore == nil { verdicts.spamScore = status.score }
        if status.isSpam, verdicts.spam != .fail {
            verdicts.isConflicting = verdicts.isConflicting || verdicts.spam != .disabled
            verdicts.spam = .fail
        }
    }

    /// What rspamd's actions mean; an action of the administrator's own making is no verdict.
    package static func verdict(ofAction action: String) -> ScanVerdict {
        switch action.lowercased() {
        case "no action": .pass
        case "add header", "rewrite subject", "reject", "quarantine", "discard": .fail
        case "soft reject": .processingFailed
        default: .gray
        }
    }

    private func virusVerdict(_ result: SpamdResult?) -> ScanVerdict {
        guard !virusSymbols.isEmpty, let result else { return .disabled }
        let found = Set(result.symbols)
        if !found.isDisjoint(with: virusSymbols) { return .fail }
        if virusSymbols.contains(where: { found.contains($0 + "_FAIL") }) { return .processingFailed }
        let uncertain = virusSymbols.contains { found.contains($0 + "_ENCRYPTED") || found.contains($0 + "_MACRO") }
        return uncertain ? .gray : .pass
    }
}
