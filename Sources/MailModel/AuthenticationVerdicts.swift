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
    /// One check passed in one field and failed in another, where only one answer is possible.
    package var isConflicting: Bool

    /// A check that no field of a trusted service mentions is DISABLED.
    package init(_ fields: [AuthenticationResults], trustedServices: Set<String>) {
        let trusted = Set(trustedServices.map { $0.lowercased() })
        let checks = fields.filter { trusted.contains($0.authservID) }.flatMap(\.checks)
        let spf = checks.filter { $0.method == "spf" }.map { AuthenticationVerdicts.verdict(ofSPF: $0.result) }
        let dmarc = checks.filter { $0.method == "dmarc" }.map { AuthenticationVerdicts.verdict(ofDMARC: $0.result) }
        self.spf = AuthenticationVerdicts.worst(spf)
        self.dmarc = AuthenticationVerdicts.worst(dmarc)
        dkim = AuthenticationVerdicts.verdict(ofDKIM: checks.filter { $0.method == "dkim" }.map(\.result))
        isConflicting = [spf, dmarc].contains { $0.contains(.pass) && $0.contains(.fail) }
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
