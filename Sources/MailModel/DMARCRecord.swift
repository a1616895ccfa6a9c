/// What a domain asks receivers to do with mail that nobody vouches for (RFC 7489 section 6.3).
package struct DMARCRecord: Hashable, Sendable {
    package enum Policy: String, Hashable, Sendable, CaseIterable {
        case none, quarantine, reject
    }

    package let policy: Policy
    /// For subdomains without a record of their own; nil: the same.
    package let subdomainPolicy: Policy?
    /// Of failing mail, how much the policy is for; 100 when it is not said.
    package let percentage: Int
    /// Where daily reports go: URIs without the size limit behind them.
    package let reportAddresses: [String]
    /// `adkim=s`: `d=` must be the very domain of From.
    package let isStrictDKIM: Bool
    /// `aspf=s`: the reverse path's domain must be the very domain of From.
    package let isStrictSPF: Bool
    /// Tags that receivers pass over: unknown, or with a value that is none.
    package let ignored: [String]

    /// Whether a TXT record is one at all, in whatever state.
    package static func isRecord(_ text: String) -> Bool {
        text.utf8.prefix { $0 != UInt8(ascii: ";") }.filter { !TagList.isBlank($0) }.elementsEqual("v=DMARC1".utf8)
    }

    /// - Throws: when receivers pass over the record.
    package init(_ text: String) throws(MalformedRecord) {
        guard Self.isRecord(text) else { throw MalformedRecord("it does not begin with `v=DMARC1`") }
        let tags = try TagList(text)
        var ignored: [String] = []
        func policy(_ name: String) -> Policy? {
            guard let value = tags[name] else { return nil }
            guard let policy = Policy(rawValue: value.lowercased()) else {
                ignored.append(name)
                return nil
            }
            return policy
        }
        func isStrict(_ name: String) -> Bool {
            let value = tags[name]?.lowercased() ?? "r"
            if value != "r", value != "s" { ignored.append(name) }
            return value == "s"
        }
        let ownPolicy = policy("p")
        subdomainPolicy = policy("sp")
        let reports = (tags["rua"] ?? "").split(separator: ",").compactMap(Self.address)
        // Somebody who asks for reports has a record, if a broken one (section 6.6.3).
        guard let found = ownPolicy ?? (reports.isEmpty ? nil : Policy.none) else {
            throw MalformedRecord("`p` is missing, or none of none, quarantine and reject")
        }
        self.policy = found
        if tags["p"] == nil { ignored.append("p") }
        reportAddresses = reports
        if tags["rua"] != nil, reports.isEmpty { ignored.append("rua") }
        let percentage = tags["pct"].flatMap { Int($0) }.flatMap { (0...100).contains($0) ? $0 : nil }
        if tags["pct"] != nil, percentage == nil { ignored.append("pct") }
        self.percentage = percentage ?? 100
        isStrictDKIM = isStrict("adkim")
        isStrictSPF = isStrict("aspf")
        let known: Set<String> = [
            "v", "p", "sp", "rua", "ruf", "pct", "adkim", "aspf", "fo", "rf", "ri", "np", "psd", "t",
        ]
        self.ignored = ignored + tags.tags.map(\.name).filter { !known.contains($0) }
    }

    private static func address(_ text: Substring) -> String? {
        let uri = text.filter { $0 != " " && $0 != "\t" }.prefix { $0 != "!" }
        guard uri.lowercased().hasPrefix("mailto:"), uri.utf8.count > 7 else { return nil }
        return String(uri)
    }

    /// The domains that reports go to, in lower case, each once.
    package var reportDomains: [String] {
        var domains: [String] = []
        for address in reportAddresses {
            guard let at = address.lastIndex(of: "@") else { continue }
            let domain = address[address.index(after: at)...].lowercased()
            if !domain.isEmpty, !domains.contains(domain) { domains.append(domain) }
        }
        return domains
    }
}

/// The part of a domain that somebody has registered.
package enum OrganizationalDomain {
    /// The last two labels, or three where the last one is a country's and the one before it a usual division (`co.uk`).
    ///
    /// Receivers look into the list of public suffixes, which changes by the week and is not part of this program; for a rare
    /// division the answer is too short.
    package static func of(_ domain: String) -> String {
        let labels = domain.lowercased().split(separator: ".").map(String.init)
        guard labels.count > 2 else { return labels.joined(separator: ".") }
        let isDivided = labels[labels.count - 1].utf8.count == 2 && divisions.contains(labels[labels.count - 2])
        return labels.suffix(isDivided ? 3 : 2).joined(separator: ".")
    }

    /// Whether DMARC takes the two for one owner's (RFC 7489 section 3.1).
    package static func isAligned(_ left: String, _ right: String, isStrict: Bool) -> Bool {
        let (left, right) = (left.lowercased(), right.lowercased())
        return isStrict ? left == right : of(left) == of(right)
    }

    private static let divisions: Set<String> = [
        "ac", "co", "com", "edu", "gob", "gouv", "gov", "gv", "ltd", "me", "mil", "ne", "net", "nhs", "nom", "or",
        "org",
        "plc", "police", "sch", "school",
    ]
}
