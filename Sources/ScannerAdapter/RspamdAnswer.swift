import JSONValue
import MailModel

/// What rspamd's `/checkv2` says of a message. Only its action counts; points and symbols stand beside it.
enum RspamdAnswer {
    static let source = "rspamd-http"

    /// - Parameter virusSymbols: symbols of the antivirus module, declared active; empty: no virus verdict.
    static func verdicts(_ body: [UInt8], virusSymbols: Set<String>) throws(ScannerFailure) -> ScanVerdicts {
        guard let json = try? JSONParser.parse(body, depthLimit: 64), json.objectValue != nil else {
            throw ScannerFailure("its answer makes no sense", isTemporary: false)
        }
        if let error = json["error"]?.stringValue {
            throw ScannerFailure("it says: \(ScannedMessage.plain(error))", isTemporary: false)
        }
        if json["is_skipped"]?.boolValue == true { return ScanVerdicts() }
        guard let action = json["action"]?.stringValue else {
            throw ScannerFailure("its answer has no action", isTemporary: false)
        }
        var verdicts = ScanVerdicts(spamAction: String(action.prefix(64)))
        verdicts.add(
            VerdictFinding(
                .spam, source: source, verdict: RspamdHeaders.verdict(ofAction: action), value: action,
                score: json["score"]?.doubleValue, threshold: json["required_score"]?.doubleValue))
        if !virusSymbols.isEmpty { verdicts.add(virus(json["symbols"]?.objectValue ?? [:], virusSymbols)) }
        return verdicts
    }

    private static func virus(_ symbols: JSONObject, _ declared: Set<String>) -> VerdictFinding {
        let found = Set(symbols.keys)
        func named(_ endings: String...) -> String? {
            declared.lazy.flatMap { name in endings.map { name + $0 } }.first { found.contains($0) }
        }
        if let name = named("") {
            let virus = symbols[name]?["options"]?.arrayValue?.first?.stringValue
            return VerdictFinding(.virus, source: source, verdict: .fail, value: virus ?? name)
        }
        if let name = named("_FAIL") {
            return VerdictFinding(.virus, source: source, verdict: .processingFailed, value: name)
        }
        if let name = named("_ENCRYPTED", "_MACRO") {
            return VerdictFinding(.virus, source: source, verdict: .gray, value: name)
        }
        return VerdictFinding(.virus, source: source, verdict: .pass)
    }
}
