import MailModel

extension Deliverability {
    private typealias Finding = DeliverabilityFinding

    /// The DKIM keys of the selectors that are known: named by somebody, or by the mail.
    func keys(_ signatures: [SignedMail]) async -> [DeliverabilityFinding] {
        var places = question.selectors.map { (name: "\($0)._domainkey.\(question.domain)", algorithm: String?.none) }
        for case .read(let signature) in signatures where !places.contains(where: { $0.name == signature.keyName }) {
            places.append((signature.keyName, signature.algorithm))
        }
        guard !places.isEmpty else {
            guard question.mail == nil else { return [] }
            return [
                Finding(
                    .warning, .dkim, "no selector is known, so no key was looked at",
                    mend: "name it with --selector, or let a mail tell it with --send or --mail")
            ]
        }
        var findings: [DeliverabilityFinding] = []
        var isOnlyEd25519 = true
        for place in places {
            let (kind, found) = await key(place.name)
            if kind != .ed25519 { isOnlyEd25519 = false }
            findings += found
        }
        if isOnlyEd25519 {
            findings.append(
                Finding(
                    .warning, .dkim, "there are ed25519 keys alone, and most receivers know only RSA",
                    mend: "sign a second time with an RSA key of 2048 bits"))
        }
        return findings
    }

    /// - Returns: nil as kind when nobody can use it, or nobody knows.
    private func key(_ name: String) async -> (kind: DKIMKey.Kind?, findings: [DeliverabilityFinding]) {
        let answer = await names.ask(name, .text)
        switch answer.outcome {
        case .failed(let reason): return (nil, [unknown(.dkim, "\(name) TXT", reason)])
        case .noName, .noRecord:
            return (
                nil, [Finding(.error, .dkim, "there is no key at \(name)", mend: newKey(name), record: nil)]
            )
        case .found: break
        }
        guard answer.texts.count == 1, let text = answer.texts.first else {
            let count = answer.texts.count
            return (
                nil, [Finding(.error, .dkim, "\(name) has \(count) TXT records", mend: "leave the one with the key")]
            )
        }
        do throws(MalformedRecord) {
            let key = try DKIMKey(text)
            let findings = remarks(key, name, text)
            return (
                key.kind == .revoked ? nil : key.kind,
                findings.isEmpty
                    ? [Finding(.ok, .dkim, "the key at \(name) is in order: \(Self.words(key.kind))")] : findings
            )
        } catch {
            return (nil, [Finding(.error, .dkim, "the key at \(name) is broken: \(error)", mend: newKey(name))])
        }
    }

    private static func words(_ kind: DKIMKey.Kind) -> String {
        switch kind {
        case .rsa(let bits): "RSA with \(bits) bits"
        case .ed25519: "ed25519"
        case .revoked: "withdrawn"
        }
    }

    /// What makes a key, and the record for it.
    private func newKey(_ name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let end = parts.firstIndex(of: "_domainkey") ?? 0
        let selector = parts[..<end].joined(separator: ".")
        let domain = parts[(end + 1)...].joined(separator: ".")
        return
            "opendkim-genkey -b 2048 -h sha256 -d \(domain) -s \(selector) writes the key and, in \(selector).txt, the record "
            + "(rspamadm dkim_keygen -b 2048 -d \(domain) -s \(selector) prints both)"
    }

    private func remarks(_ key: DKIMKey, _ name: String, _ text: String) -> [DeliverabilityFinding] {
        var findings: [DeliverabilityFinding] = []
        switch key.kind {
        case .revoked:
            findings.append(
                Finding(.error, .dkim, "the key at \(name) was withdrawn (`p` is empty)", mend: newKey(name)))
        case .rsa(let bits) where bits < 1024:
            findings.append(
                Finding(
                    .error, .dkim, "the key at \(name) has \(bits) bits; receivers take none under 1024",
                    mend: newKey(name)))
        case .rsa(let bits) where bits < 2048:
            findings.append(
                Finding(
                    .warning, .dkim, "the key at \(name) has \(bits) bits; 2048 are usual", mend: newKey(name)))
        case .rsa, .ed25519: break
        }
        if key.isTesting {
            findings.append(
                Finding(
                    .warning, .dkim,
                    "the key at \(name) says that it is for tests (`t=y`): signatures count for nothing",
                    record: .init(name, "TXT", Self.without("t", text))))
        }
        if let hashes = key.hashes, !hashes.contains("sha256") {
            findings.append(
                Finding(
                    .error, .dkim, "the key at \(name) does not allow sha256 (`h=`)",
                    record: .init(name, "TXT", Self.without("h", text))))
        }
        if let services = key.services, !services.contains("*"), !services.contains("email") {
            findings.append(
                Finding(
                    .error, .dkim, "the key at \(name) is not for mail (`s=`)",
                    record: .init(name, "TXT", Self.without("s", text))))
        }
        return findings
    }

    private static func without(_ tag: String, _ text: String) -> String {
        let tags = text.split(separator: ";").map { $0.drop { $0 == " " || $0 == "\t" } }
        return tags.filter { !$0.isEmpty && $0.prefix { $0 != "=" && $0 != " " } != tag }.joined(separator: "; ")
    }
}
