/// What a scanner or an authentication check found, in the words of Amazon SES. The raw value is what the API shows.
package enum ScanVerdict: String, Hashable, Sendable, CaseIterable {
    case pass = "PASS"
    case fail = "FAIL"
    /// Looked, could not decide, or no policy or signature was there.
    case gray = "GRAY"
    case processingFailed = "PROCESSING_FAILED"
    /// Not scanned, or by nobody who was declared trusted.
    case disabled = "DISABLED"

    /// Where two trusted sources disagree, the one of higher rank counts.
    private var rank: Int {
        switch self {
        case .disabled: 0
        case .pass: 1
        case .gray: 2
        case .processingFailed: 3
        case .fail: 4
        }
    }

    /// FAIL before PROCESSING_FAILED before GRAY before PASS; DISABLED is no opinion.
    package func merged(with other: ScanVerdict) -> ScanVerdict { other.rank > rank ? other : self }
}

/// The five verdicts of one message, with what the spam scanner said in its own words.
package struct ScanVerdicts: Hashable, Sendable {
    package var spam: ScanVerdict
    package var virus: ScanVerdict
    package var spf: ScanVerdict
    package var dkim: ScanVerdict
    package var dmarc: ScanVerdict
    /// The scanner's own action, for example `add header`; nil when it said none.
    package var spamAction: String?
    /// Points, and the number of points from which the scanner rejects.
    package var spamScore: Double?
    package var spamThreshold: Double?
    /// Two contradicting fields of one source were there: somebody forged one.
    package var isConflicting: Bool
    /// What the domain of From asks for (`none`, `quarantine`, `reject`), where DMARC failed and a source says it.
    package var dmarcPolicy: String?
    /// Whether a good signature is by the domain of From; nil without a good signature.
    package var isDKIMAligned: Bool?
    /// What each source said, in the order of the configuration. A source without an opinion is not here.
    package var findings: [VerdictFinding]

    package init(
        spam: ScanVerdict = .disabled, virus: ScanVerdict = .disabled, spf: ScanVerdict = .disabled,
        dkim: ScanVerdict = .disabled, dmarc: ScanVerdict = .disabled, spamAction: String? = nil,
        spamScore: Double? = nil, spamThreshold: Double? = nil, isConflicting: Bool = false,
        dmarcPolicy: String? = nil, isDKIMAligned: Bool? = nil, findings: [VerdictFinding] = []
    ) {
        self.spam = spam
        self.virus = virus
        self.spf = spf
        self.dkim = dkim
        self.dmarc = dmarc
        self.spamAction = spamAction
        self.spamScore = spamScore
        self.spamThreshold = spamThreshold
        self.isConflicting = isConflicting
        self.dmarcPolicy = dmarcPolicy
        self.isDKIMAligned = isDKIMAligned
        self.findings = findings
    }

    package subscript(check: VerdictCheck) -> ScanVerdict {
        get {
            switch check {
            case .spam: spam
            case .virus: virus
            case .spf: spf
            case .dkim: dkim
            case .dmarc: dmarc
            }
        }
        set {
            switch check {
            case .spam: spam = newValue
            case .virus: virus = newValue
            case .spf: spf = newValue
            case .dkim: dkim = newValue
            case .dmarc: dmarc = newValue
            }
        }
    }

    /// Takes another source's word: the worse verdict counts, and both are kept.
    package mutating func add(_ finding: VerdictFinding) {
        guard finding.verdict != .disabled else { return }
        self[finding.check] = self[finding.check].merged(with: finding.verdict)
        findings.append(finding)
        guard finding.check == .spam else { return }
        if spamScore == nil { (spamScore, spamThreshold) = (finding.score, finding.threshold) }
    }

    /// Takes the verdicts of another source.
    package mutating func merge(_ other: ScanVerdicts) {
        for check in VerdictCheck.allCases { self[check] = self[check].merged(with: other[check]) }
        findings += other.findings
        if spamAction == nil { spamAction = other.spamAction }
        if spamScore == nil { (spamScore, spamThreshold) = (other.spamScore, other.spamThreshold) }
        isConflicting = isConflicting || other.isConflicting
        dmarcPolicy = dmarcPolicy ?? other.dmarcPolicy
        isDKIMAligned = isDKIMAligned ?? other.isDKIMAligned
    }
}
