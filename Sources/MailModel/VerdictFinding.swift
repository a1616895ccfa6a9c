/// What a verdict is about. The raw value is what the API shows.
package enum VerdictCheck: String, Hashable, Sendable, CaseIterable {
    case spam, virus, spf, dkim, dmarc
}

/// What one source said about one question, in its words and in ours.
package struct VerdictFinding: Hashable, Sendable {
    package var check: VerdictCheck
    /// By its name in the configuration, for example `rspamd-headers`.
    package var source: String
    package var verdict: ScanVerdict
    /// The source's own word (`add header`, `softfail`, the name of a virus), or why it said nothing; at most
    /// `valueLimit` bytes.
    package var value: String?
    /// Points, and the number of points that make the difference; nil where the source counts none.
    package var score: Double?
    package var threshold: Double?

    /// Bytes of a source's words that are kept.
    package static let valueLimit = 200

    package init(
        _ check: VerdictCheck, source: String, verdict: ScanVerdict, value: String? = nil, score: Double? = nil,
        threshold: Double? = nil
    ) {
        self.check = check
        self.source = source
        self.verdict = verdict
        self.value = value.map(Self.bounded)
        self.score = score
        self.threshold = threshold
    }

    private static func bounded(_ text: String) -> String {
        text.utf8.count <= valueLimit ? text : String(decoding: text.utf8.prefix(valueLimit), as: UTF8.self)
    }
}
