import MailModel

extension Deliverability {
    private typealias Finding = DeliverabilityFinding

    /// The policy for the domain, and what is to say about it.
    ///
    /// Of the domains above only the organizational one is asked, as RFC 7489 section 6.6.3 says.
    func dmarc() async -> (record: DMARCRecord?, findings: [DeliverabilityFinding]) {
        let domain = question.domain
        var candidates = [domain]
        let above = OrganizationalDomain.of(domain)
        if above != domain { candidates.append(above) }
        for candidate in candidates {
            let answer = await names.ask("_dmarc.\(candidate)", .text)
            if case .failed(let reason) = answer.outcome {
                return (nil, [unknown(.dmarc, "_dmarc.\(candidate) TXT", reason)])
            }
            let texts = answer.texts.filter(DMARCRecord.isRecord)
            if texts.isEmpty { continue }
            guard texts.count == 1, let text = texts.first else {
                return (
                    nil,
                    [
                        Finding(
                            .error, .dmarc,
                            "_dmarc.\(candidate) has \(texts.count) DMARC records: receivers pass over all of them",
                            mend: "leave one of them", record: .init("_dmarc.\(candidate)", "TXT", texts[0]))
                    ]
                )
            }
            do throws(MalformedRecord) {
                let record = try DMARCRecord(text)
                return (record, await remarks(record, text, at: candidate))
            } catch {
                return (
                    nil,
                    [
                        Finding(
                            .error, .dmarc, "the DMARC record of \(candidate) is broken: \(error)",
                            mend: "put this in its place", record: suggestion(for: candidate))
                    ]
                )
            }
        }
        return (
            nil,
            [
                Finding(
                    .error, .dmarc, "\(domain) has no DMARC record; large receivers ask for one",
                    mend: "let the address of rua exist, or name another", record: suggestion(for: domain))
            ]
        )
    }

    private func suggestion(for domain: String) -> DeliverabilityFinding.Record {
        .init("_dmarc.\(domain)", "TXT", "v=DMARC1; p=none; rua=mailto:postmaster@\(domain)")
    }

    private func remarks(_ record: DMARCRecord, _ text: String, at owner: String) async -> [DeliverabilityFinding] {
        let name = "_dmarc.\(owner)"
        func with(_ tag: String) -> DeliverabilityFinding.Record {
            let key = tag.prefix { $0 != "=" }
            var tags = text.split(separator: ";").map { Self.trimmed($0) }.filter { !$0.isEmpty }
            if let index = tags.firstIndex(where: { $0.split(separator: "=").first.map(Self.trimmed) == String(key) }) {
                tags[index] = tag
            } else {
                tags.append(tag)
            }
            return .init(name, "TXT", tags.joined(separator: "; "))
        }
        var findings: [DeliverabilityFinding] = []
        let policy = owner == question.domain ? record.policy : record.subdomainPolicy ?? record.policy
        if policy == .none {
            findings.append(
                Finding(
                    .warning, .dmarc, "\(name) asks for nothing to be done with forgeries (p=none)",
                    mend: "when the reports show your own mail alone as passing",
                    record: with(owner == question.domain ? "p=quarantine" : "sp=quarantine")))
        }
        if record.percentage < 100 {
            findings.append(
                Finding(
                    .warning, .dmarc, "\(name) holds for \(record.percentage) % of the failing mail",
                    record: with("pct=100")))
        }
        for tag in record.ignored {
            findings.append(Finding(.warning, .dmarc, "\(name): receivers pass over the tag `\(tag)`"))
        }
        if record.reportAddresses.isEmpty {
            findings.append(
                Finding(
                    .warning, .dmarc, "\(name) asks for no reports, so nobody tells you what fails",
                    record: with("rua=mailto:postmaster@\(owner)")))
        }
        for domain in record.reportDomains
        where !OrganizationalDomain.isAligned(domain, owner, isStrict: false) {
            findings += await reportPermission(owner, domain)
        }
        if findings.isEmpty { findings.append(Finding(.ok, .dmarc, "\(name): \(text)")) }
        return findings
    }

    /// Reports go to another domain only when that one agrees (RFC 7489 section 7.1).
    private func reportPermission(_ owner: String, _ domain: String) async -> [DeliverabilityFinding] {
        let name = "\(owner)._report._dmarc.\(domain)"
        let answer = await names.ask(name, .text)
        if case .failed(let reason) = answer.outcome { return [unknown(.dmarc, "\(name) TXT", reason)] }
        guard !answer.texts.contains(where: DMARCRecord.isRecord) else { return [] }
        return [
            Finding(
                .warning, .dmarc, "reports for \(owner) do not go to \(domain), because that domain does not agree",
                mend: "in the zone of \(domain)", record: .init(name, "TXT", "v=DMARC1"))
        ]
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(start[...end])
    }
}
