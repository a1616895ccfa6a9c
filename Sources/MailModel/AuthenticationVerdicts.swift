/// The SPF, DKIM and DMARC verdicts of the Authentication-Results fields of trusted services.
///
/// Several fields of one service are normal (one writes `dkim`, another adds `dmarc`), so all of them count together.
package struct AuthenticationVerdicts: Hashable, Sendable {
    /// The worst of all SPF results.
    package var spf: ScanVerdict
    /// PASS with one good signature.
    package var dkim: ScanVerdict
    /// The worst of all DMARC results.
    package var dmarc: ScanVerdict
    /// One check of one identity passed and failed, where only one answer is possible.
    package var isConflicting: Bool

    /// A check that no field of a trusted service mentions is DISABLED.
    package init(_ fields: [AuthenticationResults], trustedServices: Set<String>) {
        let trusted = Set(trustedServices.map { $0.lowercased() })
        let checks = fields.filter { trusted.contains($0.authservID) }.flatMap(\.checks)
        let spfChecks = checks.filter { $0.method == "spf" }
        let spf = spfChecks.map { AuthenticationVerdicts.verdict(ofSPF: $0.result) }
        let dmarc = checks.filter { $0.method == "dmarc" }.map { AuthenticationVerdicts.verdict(ofDMARC: $0.result) }
        self.spf = AuthenticationVerdicts.worst(spf)
        self.dmarc = AuthenticationVerdicts.worst(dmarc)
        dkim = AuthenticationVerdicts.verdict(ofDKIM: checks.filter { $0.method == "dkim" }.map(\.result))
        isConflicting =
            (dmarc.contains(.pass) && dmarc.contains(.fail)) || AuthenticationVerdicts.isConflicting(spf: spfChecks)
    }

    /// The reverse path and the name of HELO are asked about apart (RFC 7208 sections 2.3 and 2.4), and each has its own
    /// answer. A result that does not say whose it is may be either's.
    private static func isConflicting(spf checks: [AuthenticationResults.Check]) -> Bool {
        let passed = Set(checks.filter { verdict(ofSPF: $0.result) == .pass }.map(identity))
        let failed = Set(checks.filter { verdict(ofSPF: $0.result) == .fail }.map(identity))
        guard !passed.isEmpty, !failed.isEmpty else { return false }
        return passed.contains(nil) || failed.contains(nil) || !passed.isDisjoint(with: failed)
    }

    private static func identity(_ check: AuthenticationResults.Check) -> String? {
        ["smtp.mailfrom", "smtp.helo"].first { check.property($0) != nil }
    }

    /// The name of this source in the configuration.
    package static let name = "authres"

    /// The verdicts of a message's fields, with what was said and by which domain.
    package static func verdicts(of message: ReceivedMessage, trustedServices: Set<String>) -> ScanVerdicts {
        let fields = message.headers(named: "Authentication-Results").compactMap(AuthenticationResults.init)
        let judged = AuthenticationVerdicts(fields, trustedServices: trustedServices)
        let trusted = Set(trustedServices.map { $0.lowercased() })
        let checks = fields.filter { trusted.contains($0.authservID) }.flatMap(\.checks)
        var verdicts = ScanVerdicts(isConflicting: judged.isConflicting)
        for (check, verdict) in [(VerdictCheck.spf, judged.spf), (.dkim, judged.dkim), (.dmarc, judged.dmarc)] {
            let words = checks.filter { $0.method == check.rawValue }.map(\.result)
            verdicts.add(
                VerdictFinding(check, source: name, verdict: verdict, value: words.joined(separator: ", ")))
        }
        if judged.dmarc == .fail {
            verdicts.dmarcPolicy = checks.lazy.filter { $0.method == "dmarc" }.compactMap(policy).first
        }
        if judged.dkim == .pass {
            let author = message.header("From").map(HeaderAddresses.parse)?.first?.domain.lowercased()
            let signers = checks.filter { $0.method == "dkim" && $0.result == "pass" }
                .compactMap { $0.property("header.d") ?? $0.property("header.i").map(domain) }
            verdicts.isDKIMAligned = signers.contains { isAligned($0.lowercased(), with: author) }
        }
        return verdicts
    }

    /// A domain's policy: rspamd writes `policy=reject` into a comment, opendmarc `p=reject`; others have the property
    /// `policy.dmarc`.
    private static func policy(_ check: AuthenticationResults.Check) -> String? {
        let words = check.comment.split(whereSeparator: { " ;,()\t".contains($0) }).map { $0.lowercased() }
        let named = words.compactMap { word in
            ["policy=", "p="].first { word.hasPrefix($0) }.map { String(word.dropFirst($0.count)) }
        }
        let said =
            ([check.property("policy.dmarc"), check.property("policy.published-domain-policy")]
                .compactMap { $0?.lowercased() } + named)
        return said.first { ["none", "quarantine", "reject"].contains($0) }
    }

    /// RFC 7489 section 3.1.1, relaxed, as far as it can be told without the list of public suffixes.
    private static func isAligned(_ signer: String, with author: String?) -> Bool {
        guard let author, signer.contains(".") else { return false }
        return signer == author || author.hasSuffix("." + signer) || signer.hasSuffix("." + author)
    }

    private static func domain(_ identity: String) -> String {
        identity.lastIndex(of: "@").map { String(identity[identity.index(after: $0)...]) } ?? identity
    }

    /// RFC 7208 section 2.6. `softfail` and `neutral` are no verdict of their publisher.
    package static func verdict(ofSPF result: String) -> ScanVerdict {
        switch result {
        case "pass": .pass
        case "fail", "hardfail": .fail
        case "temperror", "permerror": .processingFailed
        default: .gray
        }
    }

    /// RFC 7489 section 11.2; `bestguesspass` is opendmarc's word for a domain without a policy.
    package static func verdict(ofDMARC result: String) -> ScanVerdict {
        switch result {
        case "pass": .pass
        case "fail": .fail
        case "temperror", "permerror": .processingFailed
        default: .gray
        }
    }

    /// RFC 8601 section 2.7.1: one result per signature, and one good signature is enough.
    package static func verdict(ofDKIM results: [String]) -> ScanVerdict {
        if results.isEmpty { return .disabled }
        if results.contains("pass") { return .pass }
        if results.contains(where: { $0 == "fail" || $0 == "policy" }) { return .fail }
        if results.allSatisfy({ $0 == "temperror" || $0 == "permerror" }) { return .processingFailed }
        return .gray
    }

    private static func worst(_ verdicts: [ScanVerdict]) -> ScanVerdict {
        let order: [ScanVerdict] = [.fail, .processingFailed, .gray, .pass]
        return order.first { verdicts.contains($0) } ?? .disabled
    }
}
