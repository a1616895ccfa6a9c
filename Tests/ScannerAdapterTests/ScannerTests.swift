import Engine
import MailModel
import Testing

@testable import ScannerAdapter

/// What scanners say, and what becomes of those that say nothing sensible.
@Suite struct ScannerTests {
    private static func message(_ body: String = "Hello\r\n") -> ReceivedMessage {
        ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", clientName: "mx.example.org",
            helo: "mx.example.org\r\nX-Injected: 1", reversePath: "ann@example.org", recipients: ["help@example.com"],
            headers: [HeaderField("Subject", " Two\n\tlines"), HeaderField("From", " ann@example.org")],
            body: Array(body.utf8))
    }

    private enum Kind: String, CaseIterable { case rspamd, spamd, clamd }

    private static func scanner(
        _ kind: Kind, _ path: String, timeout: Duration = .seconds(60), sizeLimit: Int = 25 << 20
    ) -> any VerdictScanner {
        let configuration = ScannerConfiguration(address: .unix(path), timeout: timeout, sizeLimit: sizeLimit)
        switch kind {
        case .rspamd:
            return RspamdScanner(configuration: configuration, password: "secret", virusSymbols: ["CLAM_VIRUS"])
        case .spamd: return SpamdScanner(configuration: configuration, grayMinimum: 3)
        case .clamd: return ClamdScanner(configuration: configuration)
        }
    }

    private static func isComplete(_ kind: Kind) -> @Sendable ([UInt8]) -> Bool {
        switch kind {
        case .clamd: { $0.suffix(4) == [0, 0, 0, 0] }
        case .spamd: { _ in false }
        case .rspamd: { String(decoding: $0, as: UTF8.self).hasSuffix("Hello\r\n") }
        }
    }

    private static func http(_ body: String, status: String = "200 OK") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    private static func answered(_ outcome: ScanOutcome) -> ScanVerdicts? {
        if case .answered(let verdicts) = outcome { verdicts } else { nil }
    }

    // MARK: Answers

    @Test(arguments: [
        ("no action", ScanVerdict.pass), ("greylist", .gray), ("add header", .fail), ("rewrite subject", .fail),
        ("reject", .fail), ("quarantine", .fail), ("discard", .fail), ("soft reject", .processingFailed),
        ("of our own", .gray),
    ])
    func rspamdsActionIsItsVerdict(_ action: String, _ verdict: ScanVerdict) async throws {
        let body = #"{"score": 1.5, "required_score": 15, "action": "\#(action)", "symbols": {}}"#
        let server = try ScriptedScanner(.answer(Array(Self.http(body).utf8)), isComplete: Self.isComplete(.rspamd))
        let outcome = await Self.scanner(.rspamd, server.path).scan(Self.message(), within: .seconds(60))
        let verdicts = try #require(Self.answered(outcome), "\(outcome)")
        #expect(verdicts.spam == verdict && verdicts.virus == .pass)
        #expect(verdicts.spamAction == action && verdicts.spamScore == 1.5 && verdicts.spamThreshold == 15)
        #expect(verdicts.findings.first?.source == "rspamd-http" && verdicts.findings.first?.value == action)
        let request = String(decoding: server.bytes, as: UTF8.self)
        #expect(request.hasPrefix("POST /checkv2 HTTP/1.1\r\n"))
        for line in [
            "IP: 198.51.100.7\r\n", "From: ann@example.org\r\n", "Rcpt: help@example.com\r\n", "Queue-Id: 4Q1\r\n",
            "Helo: mx.example.orgX-Injected: 1\r\n", "Password: secret\r\n", "Subject: Two\r\n\tlines\r\n",
        ] { #expect(request.contains(line), "\(line) in \(request)") }
    }

    @Test(arguments: [
        (#""CLAM_VIRUS": {"options": ["Eicar"]}"#, ScanVerdict.fail), (#""CLAM_VIRUS_FAIL": {}"#, .processingFailed),
        (#""CLAM_VIRUS_ENCRYPTED": {}"#, .gray), (#""CLAM_VIRUS_MACRO": {}"#, .gray), (#""OTHER": {}"#, .pass),
    ])
    func declaredVirusSymbolsAreRead(_ symbols: String, _ verdict: ScanVerdict) throws {
        let body = Array(#"{"action": "no action", "symbols": {\#(symbols)}}"#.utf8)
        #expect(try RspamdAnswer.verdicts(body, virusSymbols: ["CLAM_VIRUS"]).virus == verdict)
        #expect(try RspamdAnswer.verdicts(body, virusSymbols: []).virus == .disabled)
    }

    @Test func whatRspamdSkipsHasNoVerdict() throws {
        #expect(try RspamdAnswer.verdicts(Array(#"{"is_skipped": true}"#.utf8), virusSymbols: []) == ScanVerdicts())
    }

    @Test(arguments: [
        ("True ; 1000.0 / 5.0", ScanVerdict.fail), ("False ; 0.1 / 5.0", .pass), ("False ; 3.0 / 5.0", .gray),
        ("Yes ; 7 / 5", .fail),
    ])
    func spamdsWordIsItsVerdict(_ line: String, _ verdict: ScanVerdict) async throws {
        let answer = "SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: \(line)\r\n\r\n"
        let server = try ScriptedScanner(.answer(Array(answer.utf8)), isComplete: Self.isComplete(.spamd))
        let outcome = await Self.scanner(.spamd, server.path).scan(Self.message(), within: .seconds(60))
        #expect(Self.answered(outcome)?.spam == verdict, "\(outcome)")
        let request = String(decoding: server.bytes, as: UTF8.self)
        let parts = request.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts.first == "CHECK SPAMC/1.5\r\nContent-length: \(parts.last?.utf8.count ?? 0)")
        #expect(request.contains("\r\nReceived: from mx.example.orgX-Injected: 1 (mx.example.org [198.51.100.7])\r\n"))
    }

    @Test(arguments: [
        ("stream: OK", ScanVerdict.pass), ("stream: Eicar-Test FOUND", .fail),
        ("stream: Heuristics.Encrypted.Zip FOUND", .gray), ("stream: Heuristics.Phishing FOUND", .fail),
    ])
    func clamdsWordIsItsVerdict(_ answer: String, _ verdict: ScanVerdict) async throws {
        let server = try ScriptedScanner(.answer(Array(answer.utf8) + [0]), isComplete: Self.isComplete(.clamd))
        let outcome = await Self.scanner(.clamd, server.path).scan(Self.message(), within: .seconds(60))
        #expect(Self.answered(outcome)?.virus == verdict, "\(outcome)")
        #expect(server.bytes.starts(with: Array("zINSTREAM\0".utf8)))
    }

    @Test func heuristicsAreGrayWhereTheSiteSaysSo() throws {
        let configuration = ScannerConfiguration(address: .unix("/nowhere"))
        let scanner = ClamdScanner(
            configuration: configuration, rules: VirusNameRules(takesHeuristicsAsGray: true))
        #expect(try scanner.verdicts(Array("stream: Heuristics.Phishing FOUND".utf8)).virus == .gray)
        #expect(try scanner.verdicts(Array("stream: Eicar FOUND".utf8)).virus == .fail)
    }

    // MARK: No answers

    @Test(arguments: Kind.allCases)
    private func aScannerThatIsNotThereMayBeAskedAgain(_ kind: Kind) async {
        let outcome = await Self.scanner(kind, "/tmp/no-such-scanner").scan(Self.message(), within: .seconds(60))
        guard case .failed(_, isTemporary: true) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test(arguments: Kind.allCases)
    private func aScannerThatHangsIsLeftInTime(_ kind: Kind) async throws {
        let server = try ScriptedScanner(.silent, isComplete: { _ in true })
        let start = ContinuousClock.now
        let outcome = await Self.scanner(kind, server.path, timeout: .milliseconds(200))
            .scan(Self.message(), within: .seconds(60))
        #expect(outcome == .failed(reason: "no answer in time", isTemporary: true))
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test(arguments: Kind.allCases)
    private func aScannerThatClosesEarlyMayBeAskedAgain(_ kind: Kind) async throws {
        for script in [ScriptedScanner.Script.answer([]), .interrupt([])] {
            let server = try ScriptedScanner(script, isComplete: Self.isComplete(kind))
            let message = Self.message(String(repeating: "x", count: 2_000_000) + "Hello\r\n")
            let outcome = await Self.scanner(kind, server.path).scan(message, within: .seconds(60))
            guard case .failed(_, isTemporary: true) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
    }

    @Test(arguments: [
        (Kind.rspamd, "what?"), (.rspamd, ScannerTests.http("what?")), (.rspamd, ScannerTests.http("[1]")),
        (.rspamd, ScannerTests.http("{}")), (.rspamd, ScannerTests.http(#"{"error": "no"}"#)),
        (.rspamd, ScannerTests.http("{}", status: "403 Forbidden")), (.spamd, "what?\r\n"),
        (.spamd, "SPAMD/1.1 0 EX_OK\r\n\r\n"), (.spamd, "SPAMD/1.1 0 EX_OK\r\nSpam: True ; nan / 5\r\n"),
        (.clamd, "what?\0"), (.clamd, "INSTREAM size limit exceeded. ERROR\0"),
    ])
    private func nonsenseIsFinal(_ kind: Kind, _ answer: String) async throws {
        let server = try ScriptedScanner(.answer(Array(answer.utf8)), isComplete: Self.isComplete(kind))
        let outcome = await Self.scanner(kind, server.path).scan(Self.message(), within: .seconds(60))
        guard case .failed(_, isTemporary: false) = outcome else {
            Issue.record("\(answer): \(outcome)")
            return
        }
    }

    @Test(arguments: [
        (Kind.spamd, "SPAMD/1.1 79 EX_TIMEOUT\r\n\r\n"), (.rspamd, ScannerTests.http("busy", status: "503 Busy")),
    ])
    private func aScannerThatSaysItCannotNowMayBeAskedAgain(_ kind: Kind, _ answer: String) async throws {
        let server = try ScriptedScanner(.answer(Array(answer.utf8)), isComplete: Self.isComplete(kind))
        let outcome = await Self.scanner(kind, server.path).scan(Self.message(), within: .seconds(60))
        guard case .failed(_, isTemporary: true) = outcome else {
            Issue.record("\(answer): \(outcome)")
            return
        }
    }

    /// A gigabyte would take its time; nobody waits for it.
    @Test(arguments: Kind.allCases)
    private func anAnswerWithoutEndIsCutOff(_ kind: Kind) async throws {
        let piece = kind == .rspamd ? "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" : "SPAMD/1.1 0 EX_OK\r\n"
        let filler = String(repeating: "x", count: 65_536)
        let server = try ScriptedScanner(.endless(Array((piece + filler).utf8)), isComplete: { _ in true })
        let outcome = await Self.scanner(kind, server.path).scan(Self.message(), within: .seconds(60))
        guard case .failed(let reason, isTemporary: false) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(reason.hasPrefix("its answer is longer than"))
    }

    @Test(arguments: Kind.allCases)
    private func whatIsTooLargeIsNotShown(_ kind: Kind) async {
        let outcome = await Self.scanner(kind, "/nowhere", sizeLimit: 3).scan(Self.message(), within: .seconds(1))
        #expect(outcome == .failed(reason: "the message is larger than size_limit", isTemporary: false))
    }

    /// The rest of the message was not looked at, so it is not clean; a finding is one all the same.
    @Test(arguments: [("stream: OK", false), ("stream: Eicar FOUND", true)])
    func theBeginningOfAMessageIsNotFoundClean(_ answer: String, _ isAnswer: Bool) async throws {
        let server = try ScriptedScanner(.answer(Array(answer.utf8) + [0]), isComplete: Self.isComplete(.clamd))
        var message = Self.message()
        message.isBodyTruncated = true
        let outcome = await Self.scanner(.clamd, server.path).scan(message, within: .seconds(60))
        #expect((Self.answered(outcome) != nil) == isAnswer, "\(outcome)")
    }

    @Test func addressesAreReadAsTheyAreWritten() {
        #expect(ScannerAddress("/run/clamd") == .unix("/run/clamd"))
        #expect(ScannerAddress("127.0.0.1:783") == .tcp(host: "127.0.0.1", port: 783))
        #expect(ScannerAddress("[::1]:783") == .tcp(host: "::1", port: 783))
        for text in ["", "host", "host:", "host:0", "host:99999", ":1"] {
            #expect(ScannerAddress(text) == nil, "\(text)")
        }
    }
}
