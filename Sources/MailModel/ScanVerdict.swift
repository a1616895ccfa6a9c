/// What a scanner or an authentication check found, in the words of Amazon SES. The raw value is what the API shows.
package enum ScanVerdict: String, Hashable, Sendable, CaseIterable {
    case pass = "PASS"
    case fail = "FAIL"
    /// Looked, could not decide, or no policy or signature was there.
    case gray = "GRAY"
    case processingFailed = "PROCESSING_FAILED"
    /// Not scanned, or by nobody who was declared trusted.
    case disabled = "DISABLED"
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

    package init(
        spam: ScanVerdict = .disabled, virus: ScanVerdict = .disabled, spf: ScanVerdict = .disabled,
        dkim: ScanVerdict = .disabled, dmarc: ScanVerdict = .disabled, spamAction: String? = nil,
        spamScore: Double? = nil, spamThreshold: Double? = nil, isConflicting: Bool = false
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
    }
}
