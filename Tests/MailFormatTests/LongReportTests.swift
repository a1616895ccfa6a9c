import MailFormat
import MailModel
import Testing

/// Reports with many blocks beside a long text: each takes seconds at most, and nothing of it is said twice.
struct LongReportTests {
    private func report(_ text: String, _ blocks: [String]) throws -> DeliveryReport {
        let lines: [String] =
            ["--b", "Content-Type: text/plain", "", text, "--b", "Content-Type: message/delivery-status", ""]
            + blocks.flatMap { [$0, ""] } + ["--b--", ""]
        let headers = [
            HeaderField("From", "MAILER-DAEMON@mx.example.org"), HeaderField("Subject", "failure notice"),
            HeaderField("Content-Type", "multipart/report; report-type=delivery-status; boundary=b"),
        ]
        let message = ReceivedMessage(headers: headers, body: Array(lines.joined(separator: "\r\n").utf8))
        guard case .deliveryReport(let report) = MailRecognizer.recognize(message).mailClass else { throw NoReport() }
        return report
    }

    private struct NoReport: Error {}

    private func block(_ address: String, _ action: String = "failed", _ status: String = "5.0.0") -> String {
        "Final-Recipient: rfc822; \(address)\r\nAction: \(action)\r\nStatus: \(status)"
    }

    /// One paragraph of 128 KiB.
    private func filler(_ words: String) -> String {
        let line = String(repeating: words, count: 96 / words.utf8.count)
        return Array(repeating: line, count: (128 << 10) / (line.utf8.count + 2)).joined(separator: "\r\n")
    }

    @Test(.timeLimit(.minutes(2)), arguments: ["so it goes on and on ", "550 550 ", "a@b "])
    func aThousandBlocksOfOneAddressAreReadOnce(words: String) throws {
        let blocks = Array(repeating: block("ann@example.net"), count: 1000)
        let report = try report("<ann@example.net>: it failed\r\n" + filler(words), blocks)
        #expect(report.recipients.map(\.address) == ["ann@example.net"])
        #expect(report.recipients.allSatisfy { $0.isFailure })
    }

    /// Names of mail systems end no paragraph, so all of the text would be about each of them.
    @Test(.timeLimit(.minutes(2))) func aThousandAddressesShareOneText() throws {
        let addresses = (0..<1000).map { "postmaster@d\($0).example" }
        let lines = stride(from: 0, to: 1000, by: 8).map { addresses[$0..<min($0 + 8, 1000)].joined(separator: " ") }
        let text = lines.joined(separator: "\r\n") + "\r\n" + filler("so it goes on and on ")
        let report = try report(text, addresses.map { block($0) })
        #expect(report.recipients.map(\.address) == addresses)
    }

    /// The same where a delivery agent's word counts for all of them.
    @Test(.timeLimit(.minutes(2))) func aThousandAddressesShareOneRejection() throws {
        let addresses = (0..<1000).map { "ann\($0)@example.net" }
        let text =
            "Your message to <ann0@example.net> was automatically rejected:\r\n" + filler("so it goes on and on ")
            + "\r\nmailbox is full"
        let rejected = "Your message was automatically rejected:\r\nMailbox is full.\r\n" + filler("so it goes ")
        for text in [text, rejected] {
            let report = try report(text, addresses.map { block($0) })
            #expect(report.recipients.count == 1000)
        }
    }

    @Test func theFirstFailureOfAnAddressCounts() throws {
        let blocks = [
            block("ann@example.net", "relayed", "2.0.0"), block("ANN@example.net", "failed", "5.1.1"),
            block("bob@example.net", "failed", "5.2.2"), block("ann@example.net", "failed", "4.2.2"),
            block("bob@example.net", "delivered", "2.0.0"),
        ]
        let report = try report("It failed.", blocks)
        #expect(report.recipients.map(\.status.description) == ["5.1.1", "5.2.2"])
        #expect(report.recipients.map(\.isFailure) == [true, true])
    }
}
