/// A condition on one verdict: `spam=FAIL`.
package struct VerdictCondition: Hashable, Sendable, CustomStringConvertible {
    package var check: VerdictCheck
    package var verdict: ScanVerdict

    package init(_ check: VerdictCheck, _ verdict: ScanVerdict) {
        self.check = check
        self.verdict = verdict
    }

    /// Nil for anything but `check=VERDICT`, in any case.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let check = VerdictCheck(rawValue: parts[0].lowercased()),
            let verdict = ScanVerdict(rawValue: parts[1].uppercased())
        else { return nil }
        self.init(check, verdict)
    }

    package func holds(for verdicts: ScanVerdicts) -> Bool { verdicts[check] == verdict }

    package var description: String { "\(check.rawValue)=\(verdict.rawValue)" }
}
