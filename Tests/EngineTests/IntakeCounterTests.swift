import Engine
import EngineTestKit
import MailModel
import Testing

/// What `intake` in `/healthz` counts of single messages.
@Suite struct IntakeCounterTests {
    private static let multipart = HeaderField("Content-Type", " multipart/mixed; boundary=b0")

    /// The numbers that are not 0 once the mail is an event. It waits for a scanner, so that all has been counted when it
    /// is one.
    private func numbers(
        of mail: ReceivedMessage, scanner: ScanOutcome = ToldScanner.answer("clamd", .virus, .pass)
    ) async throws -> [String: Int] {
        let stage = try await InboundStage([InboundStage.route("help@example.com")]) { $0.scanDeadline = .seconds(60) }
        #expect(await stage.receive(mail) == .continue)
        let told = ToldScanner("clamd", [.virus], scanner)
        let scans = Scans(context: stage.engine.context, intake: stage.intake, scanners: [told], width: 1)
        // A scanner that is only late is waited for until the deadline.
        if try await scans.pass() == 0 {
            stage.engine.clock.advance(seconds: 61)
            #expect(try await scans.pass() == 1)
        }
        #expect(try await stage.waiting() == 0)
        return (stage.engine.context.gauges.read()["intake"] ?? [:]).filter { $0.value != 0 }
    }

    @Test func ordinaryMailIsScannedAndNothingElse() async throws {
        #expect(try await numbers(of: InboundStage.mail()) == ["scanned": 1])
    }

    @Test func aMessageWithTooManyPartsIsCounted() async throws {
        let body = String(repeating: "--b0\r\n\r\nx\r\n", count: 1100) + "--b0--\r\n"
        let mail = InboundStage.mail(body: body, fields: [Self.multipart])
        #expect(try await numbers(of: mail) == ["scanned": 1, "partsCut": 1])
    }

    @Test func aMessageNestedTooDeeplyIsCounted() async throws {
        let body = (0..<40).map { level in
            "--b\(level)\r\nContent-Type: multipart/mixed; boundary=b\(level + 1)\r\n\r\n"
        }.joined()
        let mail = InboundStage.mail(body: body, fields: [Self.multipart])
        #expect(try await numbers(of: mail) == ["scanned": 1, "nestingCut": 1])
    }

    @Test func verdictsThatContradictEachOtherAreCounted() async throws {
        let mail = InboundStage.mail(action: "no action", fields: [HeaderField("X-Rspamd-Action", " reject")])
        #expect(try await numbers(of: mail) == ["scanned": 1, "conflicts": 1])
    }

    /// One that says that it cannot is no scanner without an answer.
    @Test(arguments: [true, false]) func aScannerWithoutAnAnswerIsCounted(isTemporary: Bool) async throws {
        let scanner = ScanOutcome.failed(reason: "no connection", isTemporary: isTemporary)
        let numbers = try await numbers(of: InboundStage.mail(), scanner: scanner)
        #expect(numbers == (isTemporary ? ["scanned": 1, "unanswered": 1] : ["scanned": 1]))
    }
}
