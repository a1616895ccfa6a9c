import MailModel

extension Deliverability {
    private typealias Finding = DeliverabilityFinding

    /// SPF of the domains in reverse paths, and whether they stand for the one in From.
    func senders(_ policy: DMARCRecord?) async -> [DeliverabilityFinding] {
        let domains = question.returnDomains.isEmpty ? [question.domain] : question.returnDomains
        var findings: [DeliverabilityFinding] = []
        for domain in domains {
            findings += await sender(domain)
            let isStrict = policy?.isStrictSPF ?? false
            if !OrganizationalDomain.isAligned(domain, question.domain, isStrict: isStrict) {
                findings.append(
                    Finding(
                        .warning, .spf,
                        "bounces go to \(domain), so SPF says nothing for \(question.domain) in DMARC\(isStrict ? " (aspf=s)" : "")",
                        mend: "take a return address within \(question.domain), or rely on DKIM alone"))
            }
        }
        return findings
    }

    private func sender(_ domain: String) async -> [DeliverabilityFinding] {
        let answer = await names.ask(domain, .text)
        if case .failed(let reason) = answer.outcome { return [unknown(.spf, "\(domain) TXT", reason)] }
        switch answer.spfRecord {
        case .none:
            return [
                Finding(
                    .error, .spf, "\(domain) has no SPF record",
                    record: .init(domain, "TXT", "v=spf1 \(ownTerms(domain)) -all"))
            ]
        case .several(let texts):
            return [
                Finding(
                    .error, .spf, "\(domain) has \(texts.count) SPF records: receivers take that for an error",
                    mend: "put one record in the place of all of them",
                    record: .init(domain, "TXT", Self.merged(texts)))
            ]
        case .malformed(let error, let text):
            return [
                Finding(
                    .error, .spf, "the SPF record of \(domain) is broken: \(error)",
                    mend: "mend that term of: \(text)",
                    record: .init(domain, "TXT", "v=spf1 \(ownTerms(domain)) -all"))
            ]
        case .one(let record, let text):
            let findings = await survey(record, domain) + ending(record, text, domain) + permissions(text, domain)
            return findings.isEmpty
                ? [Finding(.ok, .spf, "\(domain) has an SPF record: \(text)")] : findings
        }
    }

    /// Terms for the sending addresses; without any known, for the domain's own servers.
    private func ownTerms(_ domain: String) -> String {
        question.addresses.isEmpty ? "mx" : question.addresses.map(Self.term).joined(separator: " ")
    }

    private static func term(_ address: IPAddress) -> String {
        "ip\(address.bytes.count == 4 ? 4 : 6):\(address)"
    }

    /// One record with the terms of all, in their order, each once.
    private static func merged(_ texts: [String]) -> String {
        var terms: [String] = []
        var ending = "-all"
        for term in texts.flatMap({ $0.split(separator: " ").dropFirst() }).map(String.init) {
            if term.lowercased().hasSuffix("all"), term.count <= 4 {
                ending = term
            } else if !terms.contains(term) {
                terms.append(term)
            }
        }
        return (["v=spf1"] + terms + [ending == "+all" || ending == "all" ? "-all" : ending]).joined(separator: " ")
    }

    private func survey(_ record: SPFRecord, _ domain: String) async -> [DeliverabilityFinding] {
        var survey = SPFSurvey(names: names)
        await survey.walk(record, of: domain)
        var findings = survey.errors.map { Finding(.error, .spf, $0, mend: "remove that term, or mend what it names") }
        let count = survey.lookups.count
        if count > SPFSurvey.lookupLimit {
            findings.append(
                Finding(
                    .error, .spf,
                    "the SPF record of \(domain) asks the DNS \(count) times; receivers give up after \(SPFSurvey.lookupLimit)",
                    mend:
                        "write addresses (ip4:, ip6:) in the place of some of: \(survey.lookups.joined(separator: ", "))"
                ))
        }
        if !survey.voids.isEmpty {
            let isOver = survey.voids.count > SPFSurvey.voidLimit
            findings.append(
                Finding(
                    isOver ? .error : .warning, .spf,
                    "the SPF record of \(domain) asks for what is not there: \(survey.voids.joined(separator: ", "))"
                        + (isOver ? "; receivers give up after \(SPFSurvey.voidLimit)" : ""),
                    mend: "remove those terms"))
        }
        return findings + survey.warnings.map { Finding(.warning, .spf, $0) }
    }

    /// What is said of everybody else.
    private func ending(_ record: SPFRecord, _ text: String, _ domain: String) -> [DeliverabilityFinding] {
        func replaced(_ end: String) -> DeliverabilityFinding.Record {
            let terms = text.split(separator: " ").filter { !["all", "+all", "?all"].contains($0.lowercased()) }
            return .init(domain, "TXT", (terms.map(String.init) + [end]).joined(separator: " "))
        }
        guard let index = record.directives.firstIndex(where: { $0.mechanism == .all }) else {
            guard record.redirect == nil else { return [] }
            return [
                Finding(
                    .warning, .spf, "the SPF record of \(domain) says nothing of other hosts: it has no `all`",
                    record: replaced("~all"))
            ]
        }
        var findings: [DeliverabilityFinding] = []
        switch record.directives[index].qualifier {
        case .pass:
            findings.append(
                Finding(
                    .warning, .spf, "the SPF record of \(domain) lets everybody send in its name: `+all`",
                    record: replaced("-all")))
        case .neutral:
            findings.append(
                Finding(
                    .warning, .spf, "the SPF record of \(domain) says nothing of other hosts: `?all`",
                    record: replaced("~all")))
        case .fail, .softfail: break
        }
        if index < record.directives.count - 1 || record.redirect != nil {
            findings.append(
                Finding(.warning, .spf, "the SPF record of \(domain) has terms behind `all`, which nobody reads"))
        }
        return findings
    }

    /// Whether the sending addresses are among those that may.
    private func permissions(_ text: String, _ domain: String) async -> [DeliverabilityFinding] {
        var findings: [DeliverabilityFinding] = []
        for address in question.addresses {
            var evaluation = SPFEvaluation(of: address, sender: domain, greeting: question.greeting, names: names)
            let result = await evaluation.run()
            switch result {
            case .pass: findings.append(Finding(.ok, .spf, "\(address) may send for \(domain): \(text)"))
            case .temperror: findings.append(unknown(.spf, "\(domain) TXT", "a question had no answer"))
            // Said already, with its reason.
            case .permerror where !findings.isEmpty: break
            case .none, .neutral, .fail, .softfail, .permerror:
                var terms = text.split(separator: " ").map(String.init)
                terms.insert(Self.term(address), at: min(1, terms.count))
                findings.append(
                    Finding(
                        .error, .spf, "\(address) may not send for \(domain): the result of SPF is \(result.rawValue)",
                        record: .init(domain, "TXT", terms.joined(separator: " "))))
            }
        }
        return findings
    }
}
