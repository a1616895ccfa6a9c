import MailModel
import Testing

@testable import SMTPAdapter

/// Commands that go together (RFC 2920).
@Suite struct PipeliningTests {
    private static let offer = ScriptedServer.Answer.say("250-scripted.example\r\n250-PIPELINING\r\n250 8BITMIME")

    @Test func theCommandsOfAMailGoTogetherWhereThatIsOffered() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            _ = dialog.readLine()
            dialog.say("250-hi\r\n250 pipelining")
            for _ in 0..<2 {
                // Nothing is answered before the last of them is there.
                var isComplete = false
                while !isComplete, let line = dialog.readLine() {
                    dialog.note { $0.commands.append(line) }
                    isComplete = line == "DATA"
                }
                guard isComplete else { return }
                dialog.say("250 ok\r\n250 ok\r\n354 go")
                if let message = dialog.readMessage() { dialog.note { $0.messages.append(message) } }
                dialog.say("250 ok")
            }
        }
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.delivered(250), .delivered(250)])
        #expect(server.record.connections == 1)
        #expect(server.record.messages == [plainMail().bytes, plainMail().bytes])
        let commands = ["MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.org>", "DATA"]
        #expect(server.record.commands == commands + commands)
    }

    @Test func withoutTheOfferARefusedCommandIsTheLast() async throws {
        let server = try ScriptedServer(["MAIL": .say("553 5.1.8 Sender")])
        _ = try await deliverOnce(port: server.port)
        #expect(server.record.commands.contains { $0.hasPrefix("MAIL") })
        #expect(!server.record.commands.contains { $0.hasPrefix("RCPT") || $0 == "DATA" })
    }

    @Test(arguments: ReplyClassificationTests.rows.filter { $0.answers["EHLO"] == nil })
    func theReplyDecidesAsWithoutIt(row: ReplyClassificationTests.Row) async throws {
        let server = try ScriptedServer(row.answers.merging(["EHLO": Self.offer]) { $1 })
        let outcome = try await deliverOnce(port: server.port)
        #expect(outcome.kind == row.kind, "\(outcome)")
        #expect(server.record.connections == 1)
    }

    @Test func theFirstRefusalIsTheReason() async throws {
        let server = try ScriptedServer([
            "EHLO": Self.offer, "MAIL": .say("451 4.3.0 Later"), "RCPT": .say("503 5.5.1 MAIL first"),
            "DATA": .say("503 5.5.1 RCPT first"),
        ])
        #expect(try await deliverOnce(port: server.port).kind == .deferred(451))
        #expect(await server.wait { $0.commands.last == "QUIT" })
    }

    /// Some servers go on after a refusal: without a dot there is no mail, and what follows DATA would be a part of it.
    @Test func nothingIsSentToAServerThatWantsAMailWithoutRecipients() async throws {
        let server = try ScriptedServer(["EHLO": Self.offer, "RCPT": .say("550 5.1.1 Unknown")])
        #expect(try await deliverOnce(port: server.port).kind == .rejected(550))
        #expect(await server.wait { $0.endedConnections == 1 })
        #expect(server.record.messages.isEmpty && server.record.commands.last == "DATA")
    }

    @Test func aMailThatMayNotDepartLeavesNothingBehind() async throws {
        let server = try ScriptedServer(["EHLO": Self.offer])
        var mail = plainMail()
        mail.mayDepart = { false }
        let held = mail
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(held).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds[0] != .delivered(250) && kinds[1] == .delivered(250))
        #expect(server.record.messages == [plainMail().bytes])
    }

    @Test func aConnectionThatWasClosedMeanwhileIsNoFailure() async throws {
        let server = try ScriptedServer { dialog in
            guard dialog.number == 1 else { return dialog.serve(["EHLO": Self.offer]) }
            dialog.say("220 hi")
            _ = dialog.readLine()
            dialog.say("250-hi\r\n250 PIPELINING")
            for _ in 0..<3 { _ = dialog.readLine() }
            dialog.say("250 ok\r\n250 ok\r\n354 go")
            _ = dialog.readMessage()
            dialog.say("250 ok\r\n421 4.4.2 Idle too long")
        }
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.delivered(250), .delivered(250)])
        #expect(server.record.connections == 2)
    }
}
