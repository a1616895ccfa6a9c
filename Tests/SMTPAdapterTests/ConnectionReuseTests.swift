import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct ConnectionReuseTests {
    @Test func manyMessagesTakeOneConnectionForEachWorker() async throws {
        let workers = 4
        let server = try ScriptedServer { dialog in
            // Nobody gets an answer before all have come, so no worker can be left out.
            guard dialog.waitForServer(until: { $0.connections >= workers }) else { return }
            dialog.serve()
        }
        let outcomes = try await withTransport(port: server.port, workers: workers) { transport in
            #expect(transport.concurrency == workers)
            return await withTaskGroup(of: OutcomeKind.self) { group in
                for _ in 0..<100 { group.addTask { await transport.deliver(plainMail()).kind } }
                return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
        }
        #expect(outcomes == [.delivered(250): 100])
        #expect(server.record.connections == workers)
        #expect(server.record.commands.count { $0 == "EHLO client.example" } == workers)
    }

    /// A server that ends the first connection at the second MAIL, when it is sure to be a reused one.
    private func impatientServer(_ answer: ScriptedServer.Answer, later: [String: ScriptedServer.Answer] = [:]) throws
        -> ScriptedServer
    {
        try ScriptedServer { dialog in
            guard dialog.number == 1 else { return dialog.serve(later) }
            dialog.say("220 hi")
            var mails = 0
            while let line = dialog.readLine() {
                if line.hasPrefix("MAIL") { mails += 1 }
                if mails == 2 {
                    if case .sayAndHangUp(let text) = answer { dialog.say(text) }
                    return
                }
                if line.hasPrefix("DATA") {
                    dialog.say("354 go")
                    _ = dialog.readMessage()
                }
                dialog.say("250 ok")
            }
        }
    }

    @Test(arguments: [.hangUp, .sayAndHangUp("421 4.4.2 Idle too long")] as [ScriptedServer.Answer])
    func anIdleConnectionThatWasClosedIsNoFailure(answer: ScriptedServer.Answer) async throws {
        let server = try impatientServer(answer)
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.delivered(250), .delivered(250)])
        #expect(server.record.connections == 2)
    }

    @Test func theSecondTryIsTheLast() async throws {
        let server = try impatientServer(.hangUp, later: ["MAIL": .sayAndHangUp("421 4.3.2 Busy")])
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.delivered(250), .deferred(421)])
        #expect(server.record.connections == 2)
    }

    @Test func aLostConnectionAfterTheDotIsNeverTriedAgain() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            var messages = 0
            while let line = dialog.readLine() {
                if line.hasPrefix("DATA") {
                    dialog.say("354 go")
                    _ = dialog.readMessage()
                    messages += 1
                    if messages == 2 { return }
                }
                dialog.say("250 ok")
            }
        }
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.delivered(250), .unknown])
        #expect(server.record.connections == 1)
    }

    @Test func theConnectionIsGivenUpWithQuitWhenNothingComes() async throws {
        let server = try ScriptedServer([:])
        try await withTransport(port: server.port, change: { $0.idleTimeout = .seconds(1) }) { transport in
            #expect(await transport.deliver(plainMail()).kind == .delivered(250))
            #expect(await server.wait { $0.commands.contains("QUIT") && $0.endedConnections == 1 })
            #expect(await transport.deliver(plainMail()).kind == .delivered(250))
        }
        #expect(server.record.connections == 2)
    }

    @Test func aRefusalDoesNotHarmTheNextMessage() async throws {
        let server = try ScriptedServer { dialog in
            dialog.serve(dialog.number == 1 ? ["RCPT": .say("550 5.1.1 Unknown")] : [:])
        }
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(plainMail()).kind, await transport.deliver(plainMail()).kind]
        }
        #expect(kinds == [.rejected(550), .delivered(250)])
    }
}
