/// The verdict that SpamAssassin wrote into the header, by itself, through spamass-milter or through amavis.
///
/// spamass-milter rewrites the sender's own fields in place, so where a field stands proves nothing; that there is exactly
/// one does, behind a border that removes the incoming ones.
package struct SpamAssassinHeaders: Hashable, Sendable {
    /// The name of this source in the configuration.
    package static let name = "spamassassin-headers"

    /// Points from which a mail that is no spam is GRAY; nil knows no such band.
    package var grayMinimum: Double?

    package init(grayMinimum: Double? = nil) { self.grayMinimum = grayMinimum }

    /// The spam verdict; DISABLED without a field, because amavis writes none below its tag level.
    /// - Parameter isBesideRspamd: rspamd writes an X-Spam-Status of its own.
    package func verdicts(of message: ReceivedMessage, isBesideRspamd: Bool = false) -> ScanVerdicts {
        let all = message.headers(named: "X-Spam-Status")
        let own = isBesideRspamd ? all.filter { $0.contains("required=") } : all
        let flags = message.headers(named: "X-Spam-Flag").map { $0.uppercased() }
        guard own.count <= 1, flags.count <= 1 else {
            var verdicts = ScanVerdicts(isConflicting: true)
            verdicts.add(VerdictFinding(.spam, source: Self.name, verdict: .gray, value: "more than one field"))
            return verdicts
        }
        return verdicts(status: own.first, isFlagged: flags.first.map { $0 == "YES" })
    }

    private func verdicts(status text: String?, isFlagged: Bool?) -> ScanVerdicts {
        var verdicts = ScanVerdicts()
        guard let text else {
            // X-Spam-Flag: NO alone is nobody's habit but amavis', beside a status.
            if isFlagged == true {
                verdicts.add(VerdictFinding(.spam, source: Self.name, verdict: .fail, value: "X-Spam-Flag: YES"))
            }
            return verdicts
        }
        guard let status = SpamStatus(text) else {
            verdicts.add(VerdictFinding(.spam, source: Self.name, verdict: .gray, value: text))
            return verdicts
        }
        verdicts.isConflicting = isFlagged.map { $0 != status.isSpam } ?? false
        let isSpam = status.isSpam || isFlagged == true
        verdicts.add(
            VerdictFinding(
                .spam, source: Self.name, verdict: isSpam ? .fail : verdict(ofHam: status.score), value: status.word,
                score: status.score, threshold: status.required))
        return verdicts
    }

    /// What a mail that is no spam gets.
    package func verdict(ofHam score: Double?) -> ScanVerdict {
        guard let grayMinimum, let score, score >= grayMinimum else { return .pass }
        return .gray
    }
}
