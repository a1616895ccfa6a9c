import JSONValue
import MailModel

/// The verdicts as an event shows them.
enum VerdictData {
    /// The five verdicts always; what the sources said beside them.
    static func object(_ verdicts: ScanVerdicts) -> JSONObject {
        var data: JSONObject = [
            "spamVerdict": .string(verdicts.spam.rawValue), "virusVerdict": .string(verdicts.virus.rawValue),
            "spfVerdict": .string(verdicts.spf.rawValue), "dkimVerdict": .string(verdicts.dkim.rawValue),
            "dmarcVerdict": .string(verdicts.dmarc.rawValue),
        ]
        data["dmarcPolicy"] = verdicts.dmarcPolicy.map { .string($0) }
        data["isDkimAligned"] = verdicts.isDKIMAligned.map { .bool($0) }
        data["spamAction"] = verdicts.spamAction.map { .string(String(decoding: $0.utf8.prefix(64), as: UTF8.self)) }
        data["spamScore"] = verdicts.spamScore.map { .double($0) }
        data["spamThreshold"] = verdicts.spamThreshold.map { .double($0) }
        if verdicts.isConflicting { data["isVerdictConflicting"] = true }
        if !verdicts.findings.isEmpty { data["verdictSources"] = .array(verdicts.findings.map(object)) }
        return data
    }

    private static func object(_ finding: VerdictFinding) -> JSON {
        var data: JSONObject = [
            "check": .string(finding.check.rawValue), "source": .string(finding.source),
            "verdict": .string(finding.verdict.rawValue),
        ]
        data["value"] = finding.value.map { .string($0) }
        data["score"] = finding.score.map { .double($0) }
        data["threshold"] = finding.threshold.map { .double($0) }
        return .object(data)
    }
}
