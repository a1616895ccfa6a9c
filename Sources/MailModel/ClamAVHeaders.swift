/// The verdict that clamav-milter wrote into the header: `X-Virus-Status: Clean` or `Infected (name)`.
package struct ClamAVHeaders: Hashable, Sendable {
    /// The name of this source in the configuration.
    package static let name = "clamav-headers"

    /// How names of findings are judged.
    package var rules: VirusNameRules

    package init(rules: VirusNameRules = VirusNameRules()) { self.rules = rules }

    package func verdicts(of message: ReceivedMessage) -> ScanVerdicts {
        let fields = message.headers(named: "X-Virus-Status")
        var verdicts = ScanVerdicts()
        guard let field = fields.first else { return verdicts }
        guard fields.count == 1 else {
            verdicts.isConflicting = true
            verdicts.add(VerdictFinding(.virus, source: Self.name, verdict: .gray, value: "more than one field"))
            return verdicts
        }
        let word = field.prefix { $0 != " " }.lowercased()
        let name = field.firstIndex(of: "(").map { field[field.index(after: $0)...].prefix { $0 != ")" } }
        switch word {
        case "clean": verdicts.add(VerdictFinding(.virus, source: Self.name, verdict: .pass, value: "Clean"))
        case "infected":
            let name = String(name ?? "Infected")
            verdicts.add(
                VerdictFinding(.virus, source: Self.name, verdict: rules.verdict(ofFound: name), value: name))
        default: verdicts.add(VerdictFinding(.virus, source: Self.name, verdict: .gray, value: field))
        }
        return verdicts
    }
}

/// What the name of a finding of ClamAV says about it.
package struct VirusNameRules: Hashable, Sendable {
    /// `Heuristics.…` is GRAY and not FAIL. An encrypted archive, in which nobody could look, always is.
    package var takesHeuristicsAsGray: Bool

    package init(takesHeuristicsAsGray: Bool = false) { self.takesHeuristicsAsGray = takesHeuristicsAsGray }

    package func verdict(ofFound name: String) -> ScanVerdict {
        if name.hasPrefix("Heuristics.Encrypted") { return .gray }
        return takesHeuristicsAsGray && name.hasPrefix("Heuristics.") ? .gray : .fail
    }
}
