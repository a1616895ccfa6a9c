import Foundation
import ServerTestKit
import Testing

/// Serialised because each test starts several servers; other suites still run beside it.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct PrivatePostfixTests {
    private static func mail(_ subject: String, fields: String = "", body: String = "hello") -> String {
        "From: a@sender.example\nTo: x@test.example\nSubject: \(subject)\n\(fields)\n\(body)\n"
    }

    @Test func mailThroughTheScannerReachesTheSinkWithItsVerdict() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        let rspamd = try await PrivateRspamd.start(in: directory)
        var configuration = PostfixConfiguration()
        configuration.milters = [PostfixConfiguration.milter(rspamd.milter, ["default_action": "accept"])]
        configuration.delivery = .relay(port: sink.port)
        let postfix = try await PrivatePostfix.start(in: directory, configuration)

        func send(_ text: String) async throws -> SMTPClient.Delivery {
            try await SMTPClient.send(
                port: postfix.port, from: "a@sender.example", to: ["x@test.example"], text: text, source: "127.0.0.2")
        }
        let clean = try await send(Self.mail("clean", fields: "X-Spam: Yes\n"))
        #expect(clean.queueID != nil)
        #expect(try await send(Self.mail("spam", fields: "X-Kit-Score: 7.5\n")).final.code == 250)
        #expect(try await send(Self.mail("gtube", body: PrivateRspamd.gtubeAddHeader)).final.code == 250)
        #expect(try await send(Self.mail("refused", body: PrivateRspamd.gtubeReject)).final.code == 554)
        #expect(try await send(Self.mail("later", fields: "X-Kit-Action: soft reject\n")).final.code == 451)

        let messages = try await sink.waitForMessages(3)
        func message(_ subject: String) throws -> SunkMessage {
            try #require(messages.first { $0.values(of: "Subject") == [subject] })
        }
        #expect(try message("clean").values(of: "X-Rspamd-Action") == ["no action"])
        #expect(try message("clean").values(of: "X-Spam") == [])
        #expect(try message("clean").values(of: "X-Spam-Status") == ["No, score=0.00"])
        #expect(try message("spam").values(of: "X-Rspamd-Action") == ["add header"])
        #expect(try message("spam").values(of: "X-Spam-Status") == ["Yes, score=7.50"])
        #expect(try message("spam").values(of: "X-Spamd-Result").first?.contains("[7.50 / 6.00]") == true)
        #expect(try message("gtube").values(of: "X-Spam") == ["Yes"])
        #expect(try message("gtube").values(of: "X-Rspamd-Action") == [])

        try await postfix.stop()
        try await rspamd.stop()
        try await sink.stop()
        #expect(!postfix.isRunning && !rspamd.isRunning)
        try await directory.remove()
        #expect(!FileManager.default.fileExists(atPath: directory.path))
    }

    @Test func authenticationIsJudgedByTheGivenRecords() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        var scanner = PrivateRspamd.Configuration()
        scanner.records = [
            .init("txt", "sender.example", ["v=spf1 ip4:127.0.0.2 -all"]),
            .init("txt", "_dmarc.sender.example", ["v=DMARC1; p=reject"]),
        ]
        let rspamd = try await PrivateRspamd.start(in: directory, scanner)
        var configuration = PostfixConfiguration()
        configuration.milters = [rspamd.milter]
        configuration.delivery = .relay(port: sink.port)
        let postfix = try await PrivatePostfix.start(in: directory, configuration)
        for source in ["127.0.0.2", "127.0.0.3"] {
            try await SMTPClient.send(
                port: postfix.port, from: "a@sender.example", to: ["x@test.example"], text: Self.mail(source),
                source: source)
        }
        let messages = try await sink.waitForMessages(2)
        func results(_ source: String) -> String {
            messages.first { $0.values(of: "Subject") == [source] }?.values(of: "Authentication-Results").first ?? ""
        }
        #expect(results("127.0.0.2").contains("spf=pass") && results("127.0.0.2").contains("dmarc=pass"))
        #expect(results("127.0.0.3").contains("spf=fail") && results("127.0.0.3").contains("dmarc=fail"))
        try await postfix.stop()
    }

    @Test func twoInstancesKeepTheirMailApart() async throws {
        let directory = try ServerDirectory.temporary()
        var configuration = PostfixConfiguration()
        configuration.delivery = .maildir
        configuration.hasSubmission = true
        let postfixes = try await withThrowingTaskGroup(of: PrivatePostfix.self) { [configuration] group in
            for name in ["one", "two"] {
                group.addTask { try await PrivatePostfix.start(in: directory, name: name, configuration) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for (number, postfix) in postfixes.enumerated() {
            try await SMTPClient.send(
                port: postfix.submissionPort ?? 0, from: "a@sender.example", to: ["x@test.example"],
                text: Self.mail("for \(number)"))
        }
        for (number, postfix) in postfixes.enumerated() {
            try await postfix.waitForLog(containing: "status=sent")
            let inbox = try await postfix.inbox()
            #expect(inbox.count == 1)
            #expect(inbox.first?.contains("Subject: for \(number)\n") == true)
            try await postfix.stop()
            #expect(!postfix.isRunning)
        }
    }

    @Test func strangersDoNotRelayAndDeadAddressesBounce() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        var configuration = PostfixConfiguration()
        configuration.delivery = .relay(port: sink.port)
        configuration.undeliverable = ["gone@test.example": "5.1.1 no such user", "later@test.example": "4.2.2 full"]
        configuration.refused = ["nobody@test.example": "5.1.1 unknown"]
        let postfix = try await PrivatePostfix.start(in: directory, configuration)
        let refused = try await SMTPClient.send(
            port: postfix.port, from: "a@sender.example", to: ["nobody@test.example"], text: Self.mail("refused"))
        #expect(refused.recipients.map(\.code) == [550])
        let relayed = try await SMTPClient.send(
            port: postfix.port, from: "a@sender.example", to: ["x@elsewhere.example"], text: Self.mail("relay"),
            source: "127.0.0.2")
        #expect(relayed.recipients.map(\.code) == [554])
        try await SMTPClient.send(
            port: postfix.port, from: "a@sender.example", to: ["gone@test.example", "later@test.example"],
            text: Self.mail("two"))
        let bounce = try #require(try await sink.waitForMessages(1).first)
        #expect(bounce.reversePath.isEmpty && bounce.recipients == ["a@sender.example"])
        #expect(bounce.text.contains("Status: 5.1.1"))
        // The bounce may still be there, without recipients: the sink has it before the queue manager has done with it.
        let left = try await eventualValue("the bounce has left the queue") {
            let queue = try await postfix.queue()
            return queue.count == 1 ? queue : nil
        }
        #expect(left.map(\.recipients).map { $0.map(\.address) } == [["later@test.example"]])
        #expect(left.first?.recipients.first?.delayReason?.contains("full") == true)
        try await postfix.reconfigure { $0.undeliverable = [:] }
        try await postfix.flush()
        #expect(try await sink.waitForMessages(2).last?.recipients == ["later@test.example"])
        try await postfix.sendmail(from: "local@test.example", to: ["x@test.example"], Self.mail("pickup"))
        #expect(try await sink.waitForMessages(3).last?.values(of: "Subject") == ["pickup"])
        try await eventually("the queue is empty") { try await postfix.queueIDs().isEmpty }
        try await postfix.stop()
    }
}
