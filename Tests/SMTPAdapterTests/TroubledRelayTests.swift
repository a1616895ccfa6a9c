import Glibc
import Logging
import MailModel
import Testing

@testable import SMTPAdapter

/// Relays that say something at the wrong time, or nothing that ends.
@Suite struct TroubledRelayTests {
    /// A mail that no buffer between two programs holds.
    private static let large = plainMail(String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 200_000))

    private static func greet(_ dialog: Dialog) {
        dialog.say("220 hi")
        _ = dialog.readLine()
        dialog.say("250 hi")
    }

    /// As far as the message.
    private static func goOn(_ dialog: Dialog) {
        greet(dialog)
        for answer in ["250 ok", "250 ok", "354 go"] {
            _ = dialog.readLine()
            dialog.say(answer)
        }
    }

    @Test func whatNeverBecomesAReplyIsNotWaitedForLongerThanAReply() async throws {
        let server = try ScriptedServer { dialog in
            Self.greet(dialog)
            _ = dialog.readLine()
            for _ in 0..<200 {
                dialog.say("250-more")
                poll(nil, 0, 100)
            }
        }
        let outcome = try await deliverOnce(port: server.port, replyTimeout: .seconds(1))
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("in time"))
    }

    @Test func lineWithoutEndIsNoReply() async throws {
        let server = try ScriptedServer { dialog in
            Self.greet(dialog)
            _ = dialog.readLine()
            dialog.say(String(repeating: "\r", count: 200_000))
            while dialog.readLine() != nil {}
        }
        #expect(try await deliverOnce(port: server.port).kind == .unreachable)
    }

    /// It would be taken for the reply to the message.
    @Test func replyBeforeTheMessageIsNoAcceptanceOfIt() async throws {
        let server = try ScriptedServer(["DATA": .say("354 go\r\n250 2.0.0 Ok: queued as X")])
        #expect(try await deliverOnce(port: server.port).kind == .unreachable)
        #expect(await server.wait { $0.endedConnections == 1 })
        #expect(server.record.commands.last == "DATA")
    }

    @Test(arguments: ["MAIL", "RCPT"])
    func invitationToAnotherCommandIsNoBeginningOfTheMessage(verb: String) async throws {
        let server = try ScriptedServer([verb: .say("354 go")])
        #expect(try await deliverOnce(port: server.port).kind == .unreachable)
        #expect(await server.wait { $0.endedConnections == 1 })
        #expect(server.record.messages.isEmpty)
    }

    @Test(arguments: [("552 5.3.4 Too big", OutcomeKind.rejected(552)), ("421 4.3.2 Going down", .deferred(421))])
    func refusalInTheMiddleOfAMessageDecides(said: String, kind: OutcomeKind) async throws {
        let server = try ScriptedServer { dialog in
            Self.goOn(dialog)
            _ = dialog.readLine()
            dialog.say(said)
        }
        let outcome = try await withTransport(port: server.port) { await $0.deliver(Self.large) }
        #expect(outcome.kind == kind, "\(outcome)")
    }

    @Test func acceptanceInTheMiddleOfAMessageDecidesNothing() async throws {
        let server = try ScriptedServer { dialog in
            Self.goOn(dialog)
            _ = dialog.readLine()
            dialog.say("250 2.0.0 Ok")
        }
        let outcome = try await withTransport(port: server.port) { await $0.deliver(Self.large) }
        #expect(outcome.kind == .unknown, "\(outcome)")
    }

    @Test func stopDoesNotWaitForALargeMessage() async throws {
        let server = try ScriptedServer { dialog in
            Self.goOn(dialog)
            // Before that it may not have heard that it may begin.
            _ = dialog.readLine()
            dialog.note { $0.commands.append("begun") }
            // A line each millisecond: all of it would take minutes, and never stands still.
            var isOver = false
            while !isOver, dialog.readLine() != nil {
                poll(nil, 0, 1)
                dialog.note { isOver = $0.commands.contains("over") }
            }
        }
        let transport = try SMTPTransport(
            configuration: SMTPConfiguration(port: server.port, workers: 1, replyTimeout: .seconds(60)),
            logger: Logger(label: "test"))
        async let outcome = transport.deliver(Self.large)
        #expect(await server.wait { $0.commands.contains("begun") })
        transport.stop()
        #expect(await outcome.kind == .unknown)
        await transport.shutdown()
        server.note { $0.commands.append("over") }
    }
}
