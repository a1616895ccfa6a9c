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

    // MARK: Envelopes said ahead

    /// Four mails at once over one connection; the server answers as `respond` says.
    private func four(_ script: @escaping ScriptedServer.Script) async throws -> ([OutcomeKind], ScriptedServer.Record)
    {
        let server = try ScriptedServer(script: script)
        let kinds = try await withTransport(port: server.port) { transport in
            await withTaskGroup(of: (Int, OutcomeKind).self) { group in
                for number in 0..<4 {
                    group.addTask { (number, await transport.deliver(plainMail("\(number)\r\n")).kind) }
                }
                return await group.reduce(into: [OutcomeKind](repeating: .unknown, count: 4)) { $0[$1.0] = $1.1 }
            }
        }
        return (kinds, server.record)
    }

    @Test func everyMailHasItsOwnOutcomeWhateverIsSaidAhead() async throws {
        let (kinds, record) = try await four { $0.serve(["EHLO": Self.offer]) }
        #expect(kinds == [OutcomeKind](repeating: .delivered(250), count: 4))
        #expect(Set(record.messages) == Set((0..<4).map { plainMail("\($0)\r\n").bytes }))
        #expect(record.messages.count == 4 && record.connections == 1)
    }

    @Test func aMessageThatIsRefusedDoesNotHarmTheOneSaidAhead() async throws {
        let (kinds, record) = try await four { dialog in
            dialog.serve(
                dialog.number == 1 ? ["EHLO": Self.offer, ".": .say("554 5.7.1 Spam")] : ["EHLO": Self.offer])
        }
        // The first is refused, and with it everything on its connection.
        #expect(kinds.count { $0 == .rejected(554) } == 1 && kinds.count { $0 == .delivered(250) } == 3)
        #expect(record.messages.count == 4 && Set(record.messages).count == 4)
    }

    @Test func aConnectionThatIsLostAfterAMessageLosesNoneThatWasSaidAhead() async throws {
        let (kinds, record) = try await four { dialog in
            guard dialog.number == 1 else { return dialog.serve(["EHLO": Self.offer]) }
            dialog.say("220 hi")
            _ = dialog.readLine()
            dialog.say("250-hi\r\n250 PIPELINING")
            for _ in 0..<2 {
                while let line = dialog.readLine(), line != "DATA" {}
                dialog.say("250 ok\r\n250 ok\r\n354 go")
                if let message = dialog.readMessage() { dialog.note { $0.messages.append(message) } }
                dialog.say("250 ok")
            }
        }
        #expect(kinds == [OutcomeKind](repeating: .delivered(250), count: 4))
        #expect(record.messages.count == 4 && Set(record.messages).count == 4)
    }

    /// One mail waits in vain for its time limit, and no other after it.
    @Test func aRelayThatDoesNotHearWhatGoesAlongIsToldNothingAheadAnyMore() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            _ = dialog.readLine()
            dialog.say("250-hi\r\n250 PIPELINING")
            while true {
                for _ in 0..<3 where dialog.readLine() == nil { return }
                dialog.say("250 ok\r\n250 ok\r\n354 go")
                guard let message = dialog.readMessage() else { return }
                dialog.note { $0.messages.append(message) }
                dialog.drop()
                dialog.say("250 ok")
            }
        }
        let kinds = try await withTransport(port: server.port, replyTimeout: .seconds(2)) { transport in
            await withTaskGroup(of: OutcomeKind.self) { group in
                for number in 0..<8 { group.addTask { await transport.deliver(plainMail("\(number)\r\n")).kind } }
                return await group.reduce(into: [OutcomeKind]()) { $0.append($1) }
            }
        }
        #expect(kinds == [OutcomeKind](repeating: .delivered(250), count: 8))
        #expect(server.record.messages.count == 8 && Set(server.record.messages).count == 8)
        #expect(server.record.connections == 2)
    }

    @Test func whatMayNotDepartIsNotSentThoughItWasSaidAhead() async throws {
        let server = try ScriptedServer(["EHLO": Self.offer])
        let kinds = try await withTransport(port: server.port) { transport in
            await withTaskGroup(of: (Int, OutcomeKind).self) { group in
                for number in 0..<6 {
                    group.addTask {
                        var mail = plainMail("\(number)\r\n")
                        mail.mayDepart = { number % 2 == 0 }
                        return (number, await transport.deliver(mail).kind)
                    }
                }
                return await group.reduce(into: [OutcomeKind](repeating: .unknown, count: 6)) { $0[$1.0] = $1.1 }
            }
        }
        for number in 0..<6 { #expect((kinds[number] == .delivered(250)) == (number % 2 == 0)) }
        #expect(Set(server.record.messages) == Set([0, 2, 4].map { plainMail("\($0)\r\n").bytes }))
        #expect(server.record.messages.count == 3)
    }
}
