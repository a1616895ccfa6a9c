import MailModel
import Testing

@testable import SMTPAdapter

/// Which command a refusal answered is known with it, however the commands were said.
@Suite struct ReplyStageTests {
    private static let commands: [(String, BounceClassifier.Stage)] = [
        ("MAIL", .mailFrom), ("RCPT", .recipient), ("DATA", .data), (".", .data),
    ]

    @Test(arguments: commands, ["8BITMIME", "PIPELINING"])
    func aRefusalKnowsWhatItAnswers(command: (String, BounceClassifier.Stage), offer: String) async throws {
        let server = try ScriptedServer([
            "EHLO": .say("250-scripted.example\r\n250 \(offer)"), command.0: .say("550 5.1.1 User unknown"),
        ])
        let outcome = try await deliverOnce(port: server.port)
        #expect(outcome.kind == .rejected(550))
        #expect(outcome.reply?.stage == command.1)
    }

    @Test func aRefusalBeforeTheMailIsNotTheRecipients() async throws {
        let busy = try ScriptedServer(["": .sayAndHangUp("421 4.3.2 Busy")])
        #expect(try await deliverOnce(port: busy.port).reply?.stage == .connection)
        let late = try ScriptedServer(["EHLO": .say("450 4.7.1 Later"), "HELO": .say("450 4.7.1 Later")])
        #expect(try await deliverOnce(port: late.port).reply?.stage == .helo)
    }

    @Test func theNextMailOfAConnectionBeginsAnew() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            // EHLO, a whole mail, and the next as far as its recipient.
            for answer in ["250 hi", "250 ok", "250 ok", "354 go"] {
                _ = dialog.readLine()
                dialog.say(answer)
            }
            _ = dialog.readMessage()
            for answer in ["250 ok", "250 ok", "550 5.1.1 User unknown"] {
                dialog.say(answer)
                _ = dialog.readLine()
            }
        }
        let stages = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).reply?.stage, await transport.deliver(plainMail()).reply?.stage]
        }
        #expect(stages == [nil, .recipient])
    }
}
