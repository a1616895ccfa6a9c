import JSONValue
import ServerTestKit
import Testing

/// Messages through a real Postfix that are damaged, hostile or simply too much: each becomes one event or is refused by
/// Postfix, and the daemon stays up and small.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct BadInputMessageStories {
    @Test func hostileMessagesBecomeOneEventEach() async throws {
        try await BadInputStage.play { stage in
            for message in BadInputMessage.all {
                let client = try await stage.site.connectStranger()
                defer { client.hangUp() }
                let delivery = try await client.deliver(from: message.sender, to: [Site.inbox], message.bytes)
                #expect(delivery.final.code == 250, "\(message.name): \(delivery.final)")
                let runs = try await stage.runs(of: message.sender)
                #expect(runs.count == 1, "\(message.name) is one event")
                #expect(runs.first?["status"]?.stringValue == "EXITED", "\(message.name)")
            }
            try await eventually("every message is noted") { stage.recordedMails() >= BadInputMessage.all.count }
            #expect(stage.recordedMails() == BadInputMessage.all.count)
            try await stage.expectMailWorks("after all of them")
        }
    }

    @Test func hundredMegabytesAreOneShortenedEventInBoundedMemory() async throws {
        try await BadInputStage.play { stage in
            try await stage.expectMailWorks("before")
            let before = try #require(stage.daemon.process.residentMemory)
            try await stage.site.postfix.reconfigure { $0.parameters["message_size_limit"] = "220000000" }
            let client = try await stage.site.connectStranger()
            defer { client.hangUp() }
            let reply = try await Self.send(megabytes: 100, over: client)
            #expect(reply.code == 250, "\(reply)")
            let runs = try await stage.runs(of: "big@sender.example")
            #expect(runs.compactMap { $0["exitReason"]?.stringValue } == ["shortened"])
            let after = try #require(stage.daemon.process.residentMemory)
            #expect(after - before < 150 << 20, "grew from \(before >> 20) to \(after >> 20) MiB")
            try await stage.expectMailWorks("after it")
        }
    }

    @Test func envelopesOfEveryKind() async throws {
        try await BadInputStage.play { stage in
            try await Self.thousandRecipients(stage)
            for sender in [
                "\"odd \\\"quoted\\\" name\"@sender.example", "jürgen@sender.example", "a'b+c=d%e@sender.example",
            ] {
                let client = try await stage.site.connectStranger()
                defer { client.hangUp() }
                let isASCII = sender.utf8.allSatisfy { $0 < 0x80 }
                let before = stage.recordedMails()
                let delivery = try await client.deliver(
                    from: sender, to: [Site.inbox], SMTPClient.wireBytes(BadInputStage.mail(from: sender)),
                    parameters: isASCII ? "" : "SMTPUTF8")
                #expect(delivery.final.code == 250, "\(sender): \(delivery.final)")
                // The MTA gets its answer before the log gets its line.
                try await eventually("the mail of \(sender) is noted") { stage.recordedMails() > before }
                #expect(stage.recordedMails() == before + 1, "\(sender)")
                #expect(try await stage.runs(of: sender).count == 1, "\(sender)")
            }
            try await stage.expectMailWorks("after all of them")
        }
    }

    @Test func corpusMessagesBecomeOneEventEachOrAreRefusedByPostfix() async throws {
        guard let messages = try BadInputCorpus.messages() else {
            print("skipped: the corpus of bounces and mails: there is none beside the project (POSTRIDER_CORPORA)")
            return
        }
        #expect(!messages.isEmpty)
        try await BadInputStage.play { stage in
            for (number, message) in messages.enumerated() {
                let client = try await stage.site.connectStranger()
                defer { client.hangUp() }
                let delivery = try await client.deliver(
                    from: "corpus-\(number)@sender.example", to: [Site.inbox], message.bytes)
                guard let queueID = delivery.queueID else {
                    #expect((400...599).contains(delivery.final.code), "\(message.name): \(delivery.final)")
                    continue
                }
                try await eventually("\(message.name) is in the log") { stage.recordedMails(queueID: queueID) > 0 }
                #expect(stage.recordedMails(queueID: queueID) == 1, "\(message.name)")
            }
            #expect(try await stage.runs().count == stage.recordedMails())
            try await stage.expectMailWorks("after all of them")
        }
    }

    // MARK: Acts

    /// One piece after the other, so that the test itself stays small.
    private static func send(megabytes: Int, over client: SMTPClient) async throws -> SMTPReply {
        try await client.command("MAIL FROM:<big@sender.example>")
        try await client.command("RCPT TO:<\(Site.inbox)>")
        guard try await client.command("DATA").code == 354 else { throw FixtureError(.malformed, "DATA refused") }
        try await client.send(SMTPClient.wireBytes("From: big@sender.example\nSubject: big\n\n"))
        let line = Array(repeating: UInt8(ascii: "x"), count: 998) + [13, 10]
        let piece = Array(repeating: line, count: 1000).flatMap { $0 }
        for _ in 0..<megabytes { try await client.send(piece) }
        return try await client.command(".")
    }

    private static func thousandRecipients(_ stage: BadInputStage) async throws {
        let sender = "many@sender.example"
        let others = (1..<1000).map { "user\($0)@test.example" }
        let before = stage.recordedMails()
        let delivery = try await stage.site.receive(
            from: sender, to: others + [Site.inbox], BadInputStage.mail(from: sender))
        #expect(delivery.final.code == 250, "\(delivery.final)")
        try await eventually("the mail to a thousand is noted") { stage.recordedMails() > before }
        let refused = delivery.recipients.filter { !$0.isPositive }
        #expect(refused.isEmpty)
        #expect(try await stage.runs(of: sender).count == 1, "one of a thousand recipients has a route")
    }
}
