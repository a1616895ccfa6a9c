import Engine
import MailModel

/// spamd, asked with CHECK: verdict, points and threshold, and nothing of the message back.
package struct SpamdScanner: VerdictScanner {
    private let configuration: ScannerConfiguration
    private let rules: SpamAssassinHeaders

    /// - Parameter grayMinimum: points from which a mail that is no spam is GRAY.
    package init(configuration: ScannerConfiguration, grayMinimum: Double? = nil) {
        self.configuration = configuration
        rules = SpamAssassinHeaders(grayMinimum: grayMinimum)
    }

    package let source = "spamd"
    package let checks = [VerdictCheck.spam]

    /// Bytes of an answer: a few lines.
    private static let answerLimit = 16 << 10

    package func scan(_ message: ReceivedMessage, within limit: Duration) async -> ScanOutcome {
        await Scan.run(message, configuration, within: limit) { deadline throws(ScannerFailure) in
            let connection = try ScannerConnection(to: configuration.address, deadline: deadline)
            let bytes = ScannedMessage.bytes(message, isTraced: true)
            try connection.send(Array("CHECK SPAMC/1.5\r\nContent-length: \(bytes.count)\r\n\r\n".utf8))
            try connection.send(bytes)
            connection.finishSending()
            return try verdicts(try connection.read(until: nil, limit: Self.answerLimit))
        }
    }

    /// `SPAMD/1.1 0 EX_OK`, and among the lines below it `Spam: True ; 1000.0 / 5.0`.
    func verdicts(_ answer: [UInt8]) throws(ScannerFailure) -> ScanVerdicts {
        guard !answer.isEmpty else { throw ScannerFailure("it closed the connection without an answer") }
        let lines = String(decoding: answer, as: UTF8.self).split(whereSeparator: \.isNewline)
        let head = lines.first?.split(separator: " ") ?? []
        guard head.count >= 2, head[0].hasPrefix("SPAMD/"), let code = Int(head[1]) else {
            throw ScannerFailure("its answer makes no sense", isTemporary: false)
        }
        guard code == 0 else {
            throw ScannerFailure("it says: \(ScannedMessage.plain(head.dropFirst().joined(separator: " ")))")
        }
        guard let line = lines.dropFirst().first(where: { $0.lowercased().hasPrefix("spam:") }) else {
            throw ScannerFailure("its answer has no verdict", isTemporary: false)
        }
        let words = line.dropFirst("spam:".count).split { $0 == " " || $0 == ";" || $0 == "/" }
        guard words.count == 3, let score = Double(words[1]), let threshold = Double(words[2]), score.isFinite,
            threshold.isFinite, ["true", "false", "yes", "no"].contains(words[0].lowercased())
        else { throw ScannerFailure("its verdict makes no sense", isTemporary: false) }
        let isSpam = ["true", "yes"].contains(words[0].lowercased())
        var verdicts = ScanVerdicts()
        verdicts.add(
            VerdictFinding(
                .spam, source: source, verdict: isSpam ? .fail : rules.verdict(ofHam: score), value: String(words[0]),
                score: score, threshold: threshold))
        return verdicts
    }
}
