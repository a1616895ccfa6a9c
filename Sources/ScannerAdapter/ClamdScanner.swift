import Engine
import MailModel

/// clamd, asked with INSTREAM: the message in chunks, each with its length before it, and an empty one at the end.
package struct ClamdScanner: VerdictScanner {
    private let configuration: ScannerConfiguration
    private let rules: VirusNameRules

    package init(configuration: ScannerConfiguration, rules: VirusNameRules = VirusNameRules()) {
        self.configuration = configuration
        self.rules = rules
    }

    package let source = "clamd"
    package let checks = [VerdictCheck.virus]

    /// Bytes of a chunk, and of an answer.
    private static let chunkSize = 64 << 10
    private static let answerLimit = 4 << 10

    package func scan(_ message: ReceivedMessage, within limit: Duration) async -> ScanOutcome {
        await Scan.run(message, configuration, within: limit) { deadline throws(ScannerFailure) in
            let connection = try ScannerConnection(to: configuration.address, deadline: deadline)
            do throws(ScannerFailure) {
                try send(message, over: connection)
            } catch {
                // It says why it closes (its StreamMaxLength), unless the reset of the connection was faster.
                guard let said = try? connection.read(until: 0, limit: Self.answerLimit), !said.isEmpty else {
                    throw error
                }
                return try verdicts(said)
            }
            return try verdicts(try connection.read(until: 0, limit: Self.answerLimit))
        }
    }

    private func send(_ message: ReceivedMessage, over connection: ScannerConnection) throws(ScannerFailure) {
        try connection.send(Array("zINSTREAM\0".utf8))
        let bytes = ScannedMessage.bytes(message, isTraced: false)
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.chunkSize, bytes.count)
            try connection.send(Self.length(end - start))
            try connection.send(bytes[start..<end])
            start = end
        }
        try connection.send(Self.length(0))
    }

    private static func length(_ count: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(count).bigEndian) { Array($0) }
    }

    /// `stream: OK`, `stream: NAME FOUND`, `… ERROR`.
    func verdicts(_ answer: [UInt8]) throws(ScannerFailure) -> ScanVerdicts {
        let text = String(decoding: answer, as: UTF8.self)
        guard !text.isEmpty else { throw ScannerFailure("it closed the connection without an answer") }
        var verdicts = ScanVerdicts()
        if text == "stream: OK" {
            verdicts.add(VerdictFinding(.virus, source: source, verdict: .pass, value: "OK"))
        } else if text.hasPrefix("stream: "), text.hasSuffix(" FOUND") {
            let name = String(text.dropFirst("stream: ".count).dropLast(" FOUND".count))
            verdicts.add(VerdictFinding(.virus, source: source, verdict: rules.verdict(ofFound: name), value: name))
        } else if text.hasSuffix("ERROR") {
            throw ScannerFailure("it says: \(ScannedMessage.plain(text))", isTemporary: false)
        } else {
            throw ScannerFailure("its answer makes no sense", isTemporary: false)
        }
        return verdicts
    }
}
