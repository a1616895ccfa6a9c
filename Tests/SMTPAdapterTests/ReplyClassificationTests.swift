import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct ReplyClassificationTests {
    typealias Answer = ScriptedServer.Answer

    struct Row: Sendable, CustomTestStringConvertible {
        var story: String
        var answers: [String: Answer]
        var kind: OutcomeKind
        var testDescription: String { story }
    }

    static let rows: [Row] = [
        Row(story: "everything accepted", answers: [:], kind: .delivered(250)),
        Row(story: "greeting 554", answers: ["": .say("554 5.7.1 No service")], kind: .unreachable),
        Row(story: "greeting 421", answers: ["": .sayAndHangUp("421 4.3.2 Busy")], kind: .deferred(421)),
        Row(story: "hang up instead of greeting", answers: ["": .hangUp], kind: .unreachable),
        Row(
            story: "EHLO and HELO refused for good",
            answers: ["EHLO": .say("550 5.7.1 Go away"), "HELO": .say("550 5.7.1 Go away")], kind: .unreachable),
        Row(
            story: "EHLO and HELO refused for now",
            answers: ["EHLO": .say("450 4.7.1 Later"), "HELO": .say("450 4.7.1 Later")], kind: .deferred(450)),
        Row(story: "only HELO known", answers: ["EHLO": .say("502 5.5.2 What?")], kind: .delivered(250)),
        Row(
            story: "EHLO refused, hang up at HELO", answers: ["EHLO": .say("502 5.5.2 What?"), "HELO": .hangUp],
            kind: .unreachable),
        Row(story: "MAIL refused for now", answers: ["MAIL": .say("451 4.3.0 Later")], kind: .deferred(451)),
        Row(story: "MAIL refused for good", answers: ["MAIL": .say("553 5.1.8 Sender")], kind: .rejected(553)),
        Row(
            story: "MAIL answered 421 on a new connection", answers: ["MAIL": .sayAndHangUp("421 4.7.0 No")],
            kind: .deferred(421)),
        Row(story: "MAIL demands a login", answers: ["MAIL": .say("530 5.7.0 Authenticate")], kind: .unreachable),
        Row(story: "RCPT refused for now", answers: ["RCPT": .say("450 4.2.0 Greylisted")], kind: .deferred(450)),
        Row(story: "RCPT refused for good", answers: ["RCPT": .say("550 5.1.1 Unknown")], kind: .rejected(550)),
        Row(story: "RCPT answered with an unknown code", answers: ["RCPT": .say("599 Odd")], kind: .rejected(599)),
        Row(story: "RCPT answered 251", answers: ["RCPT": .say("251 Will forward")], kind: .delivered(250)),
        Row(story: "RCPT answered 3xx", answers: ["RCPT": .say("399 Odd")], kind: .unreachable),
        Row(story: "DATA refused for now", answers: ["DATA": .say("452 4.3.1 Full")], kind: .deferred(452)),
        Row(
            story: "DATA refused for good", answers: ["DATA": .say("554 5.5.1 No valid recipients")],
            kind: .rejected(554)),
        Row(story: "DATA answered 250", answers: ["DATA": .say("250 Odd")], kind: .unreachable),
        Row(story: "dot refused for now", answers: [".": .say("451 4.7.1 Greylisted")], kind: .deferred(451)),
        Row(story: "dot refused for good", answers: [".": .say("554 5.7.1 Spam")], kind: .rejected(554)),
        Row(
            story: "dot answered 251, acceptance all the same", answers: [".": .say("251 Forwarded")],
            kind: .delivered(251)),
        Row(story: "dot answered 3xx", answers: [".": .say("354 Odd")], kind: .unknown),
        Row(story: "refused and hung up", answers: ["RCPT": .sayAndHangUp("550 5.7.1 Bye")], kind: .rejected(550)),
        Row(story: "hang up at EHLO", answers: ["EHLO": .hangUp], kind: .unreachable),
        Row(story: "hang up at MAIL", answers: ["MAIL": .hangUp], kind: .unreachable),
        Row(story: "hang up at RCPT", answers: ["RCPT": .hangUp], kind: .unreachable),
        Row(story: "hang up at DATA", answers: ["DATA": .hangUp], kind: .unreachable),
        Row(story: "hang up after 354", answers: ["DATA": .sayAndHangUp("354 Go")], kind: .unknown),
        Row(story: "hang up after the dot", answers: [".": .hangUp], kind: .unknown),
        // What is no reply, and replies that end in the middle.
        Row(
            story: "a web server", answers: ["": .sayAndHangUp("HTTP/1.1 400 Bad Request\r\n\r\n<html>")],
            kind: .unreachable),
        Row(story: "noise as greeting", answers: ["": .sayAndHangUp("\u{0}\u{1}\u{FF}\u{1B}[2J")], kind: .unreachable),
        Row(story: "half a greeting", answers: ["": .sayAndHangUp("220-scripted.exa")], kind: .unreachable),
        Row(story: "half an answer to EHLO", answers: ["EHLO": .sayAndHangUp("250-scripted.exa")], kind: .unreachable),
        Row(story: "noise at MAIL", answers: ["MAIL": .sayAndHangUp("Welcome!")], kind: .unreachable),
        Row(story: "half an answer to MAIL", answers: ["MAIL": .sayAndHangUp("250-2.1.0 O")], kind: .unreachable),
        Row(story: "noise at RCPT", answers: ["RCPT": .sayAndHangUp("\u{7F}ELF\u{2}\u{1}")], kind: .unreachable),
        Row(
            story: "half a refusal is none", answers: ["RCPT": .sayAndHangUp("550-5.1.1 The acc")], kind: .unreachable),
        Row(story: "noise at DATA", answers: ["DATA": .sayAndHangUp("go ahead")], kind: .unreachable),
        Row(story: "half of a 354", answers: ["DATA": .sayAndHangUp("354-End da")], kind: .unreachable),
        Row(story: "noise after the dot", answers: [".": .sayAndHangUp("thank you")], kind: .unknown),
        Row(story: "half an acceptance", answers: [".": .sayAndHangUp("250-2.0.0 Ok: que")], kind: .unknown),
        Row(story: "half a refusal after the dot", answers: [".": .sayAndHangUp("554-5.7.1 Sp")], kind: .unknown),
        Row(
            story: "more than was asked for", answers: [".": .say("250 2.0.0 Ok\r\n550 5.0.0 No\r\n221 Bye")],
            kind: .delivered(250)),
    ]

    @Test(arguments: rows)
    func theReplyDecides(row: Row) async throws {
        let server = try ScriptedServer(row.answers)
        let outcome = try await deliverOnce(port: server.port)
        #expect(outcome.kind == row.kind, "\(outcome)")
        #expect(server.record.connections == 1)
    }

    @Test(
        arguments: [
            ("", .unreachable), ("EHLO", .unreachable), ("MAIL", .unreachable), ("DATA", .unreachable), (".", .unknown),
        ]
            as [(String, OutcomeKind)])
    func silenceEndsAtTheTimeLimit(command: String, kind: OutcomeKind) async throws {
        let server = try ScriptedServer([command: .silence])
        let outcome = try await deliverOnce(port: server.port, replyTimeout: .seconds(1))
        #expect(outcome.kind == kind)
        #expect(outcome.reason.contains("no answer in time"), "\(outcome)")
    }

    @Test func nobodyListening() async throws {
        let outcome = try await deliverOnce(port: freePort())
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("no connection"), "\(outcome)")
    }

    @Test func aNameThatDoesNotResolve() async throws {
        let outcome = try await deliverOnce(port: 25) { $0.host = "relay.invalid" }
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("does not resolve"), "\(outcome)")
    }

    /// What is said to the whole message may be the relay's own trouble; what is said before it is about the sender or the recipient.
    @Test(
        arguments: [
            ("MAIL", .mailFrom, false), ("RCPT", .recipient, false), ("DATA", .data, false), (".", .data, true),
        ] as [(String, BounceClassifier.Stage, Bool)])
    func aReplyToTheMessageIsKnownAsOne(
        command: String, stage: BounceClassifier.Stage, isToContent: Bool
    ) async throws {
        let server = try ScriptedServer([command: .say("451 4.3.0 Error: queue file write error")])
        let outcome = try await deliverOnce(port: server.port)
        let reply = Reply(
            code: 451, enhancedCode: "4.3.0", text: "Error: queue file write error", isToContent: isToContent,
            stage: stage)
        #expect(outcome == .deferred(reply: reply))
    }

    @Test func theWholeReplyIsKept() async throws {
        let server = try ScriptedServer(["RCPT": .say("550-5.1.1 The account does\r\n550 5.1.1 not exist")])
        let outcome = try await deliverOnce(port: server.port)
        let reply = Reply(code: 550, enhancedCode: "5.1.1", text: "The account does not exist", stage: .recipient)
        #expect(outcome == .rejected(reply: reply))
    }

    @Test func theQueueIDIsKept() async throws {
        let server = try ScriptedServer([".": .say("250-2.0.0 fine\r\n250 2.0.0 Ok: queued as 4Z3xYk1Q")])
        let outcome = try await deliverOnce(port: server.port)
        #expect(
            outcome
                == .delivered(
                    reply: Reply(code: 250, enhancedCode: "2.0.0", text: "fine Ok: queued as 4Z3xYk1Q"),
                    queueID: "4Z3xYk1Q"))
    }

    @Test func aReplyWithoutEndIsGivenUp() async throws {
        let server = try ScriptedServer { dialog in
            for _ in 0..<200 { dialog.say("220-" + String(repeating: "x", count: 500)) }
            while dialog.readLine() != nil {}
        }
        let outcome = try await deliverOnce(port: server.port)
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("reply without end"), "\(outcome)")
    }

    @Test func aRelayThatDoesNotAnswerQuitHoldsNobodyUp() async throws {
        let server = try ScriptedServer(["RCPT": .say("550 5.1.1 Unknown"), "QUIT": .silence])
        let start = ContinuousClock.now
        let outcome = try await deliverOnce(port: server.port, replyTimeout: .seconds(60))
        #expect(outcome.kind == .rejected(550))
        // Far below the minute of a reply that is waited for, and far above what a busy machine adds.
        #expect(start.duration(to: .now) < .seconds(40))
    }

    @Test func aRelayThatStopsReadingIsGivenUp() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            for answer in ["250 hello", "250 ok", "250 ok", "354 go"] where dialog.readLine() != nil {
                dialog.say(answer)
            }
            // More than the socket buffers hold stays unread.
            _ = dialog.readLine()
            _ = dialog.waitForServer { $0.commands.contains("end") }
        }
        let body = String(repeating: String(repeating: "x", count: 76) + "\r\n", count: 200_000)
        let outcome = try await withTransport(port: server.port, replyTimeout: .seconds(1)) {
            await $0.deliver(plainMail(body))
        }
        server.note { $0.commands.append("end") }
        #expect(outcome.kind == .unknown, "\(outcome)")
    }
}
