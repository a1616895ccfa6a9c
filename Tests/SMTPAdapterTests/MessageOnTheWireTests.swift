import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct MessageOnTheWireTests {
    @Test(arguments: [
        (".\r\n", "..\r\n"), (".\r\n.\r\nRSET\r\n", "..\r\n..\r\nRSET\r\n"),
        ("a\r\n.b\r\n..c\r\n", "a\r\n..b\r\n...c\r\n"),
        ("no end", "no end\r\n"), ("", ""),
    ])
    func linesThatStartWithADotGetAnother(body: String, onTheWire: String) async throws {
        let server = try ScriptedServer([:])
        let kind = try await withTransport(port: server.port) { await $0.deliver(plainMail(body)).kind }
        #expect(kind == .delivered(250))
        let expected = plainMail(onTheWire).bytes
        #expect(
            server.record.messages.map { String(decoding: $0, as: UTF8.self) } == [
                String(decoding: expected, as: UTF8.self)
            ])
    }

    @Test func dotsAtEveryPlaceOfTheBufferAreStuffed() async throws {
        // Lines of odd length move the dot over libcurl's buffer borders.
        let lines = (0..<20_000).map { "." + String(repeating: "x", count: $0 % 71) }
        let server = try ScriptedServer([:])
        let kind = try await withTransport(port: server.port) {
            await $0.deliver(plainMail(lines.joined(separator: "\r\n") + "\r\n")).kind
        }
        #expect(kind == .delivered(250))
        let expected = plainMail(lines.map { "." + $0 }.joined(separator: "\r\n") + "\r\n").bytes
        #expect(server.record.messages == [expected])
    }

    @Test func theEnvelopeIsSaidAsGiven() async throws {
        let server = try ScriptedServer([:])
        let sent = plainMail(to: "\"bob smith\"@example.org", from: "")
        _ = try await withTransport(port: server.port) { await $0.deliver(sent) }
        #expect(
            server.record.commands.filter { $0.hasPrefix("MAIL") || $0.hasPrefix("RCPT") }
                == ["MAIL FROM:<>", "RCPT TO:<\"bob smith\"@example.org>"])
    }

    @Test func anAtSignInQuotesIsPartOfTheLocalPart() async throws {
        let server = try ScriptedServer([:])
        _ = try await withTransport(port: server.port) { await $0.deliver(plainMail(to: "\"a@b>\"@example.org")) }
        #expect(server.record.commands.contains("RCPT TO:<\"a@b>\"@example.org>"))
    }

    @Test func theSizeIsSaidToThoseWhoAsk() async throws {
        let server = try ScriptedServer(["EHLO": .say("250-scripted.example\r\n250 SIZE 1000000")])
        let mail = plainMail()
        _ = try await withTransport(port: server.port) { await $0.deliver(mail) }
        #expect(server.record.commands.contains("MAIL FROM:<alice@example.org> SIZE=\(mail.bytes.count)"))
    }

    @Test func anEHLONameCanBeAnAddress() async throws {
        let server = try ScriptedServer([:])
        _ = try await deliverOnce(port: server.port) { $0.ehloName = "[192.0.2.1]" }
        #expect(server.record.commands.first == "EHLO [192.0.2.1]")
    }

    @Test func aMailThatMayNotDepartLeavesNothingBehind() async throws {
        let server = try ScriptedServer([:])
        var mail = plainMail()
        mail.mayDepart = { false }
        let held = mail
        let other = plainMail()
        let kinds = try await withTransport(port: server.port) { transport in
            [await transport.deliver(held).kind, await transport.deliver(other).kind]
        }
        #expect(kinds[0] != .delivered(250) && kinds[1] == .delivered(250))
        #expect(server.record.messages.filter { !$0.isEmpty } == [other.bytes])
        #expect(server.record.commands.filter { $0 == "DATA" }.count == 2)
    }

    @Test func anEmptyMessageIsStillAMessage() async throws {
        let server = try ScriptedServer([:])
        let mail = OutgoingMail(reversePath: "", recipient: "bob@example.org", bytes: [])
        let kind = try await withTransport(port: server.port) { await $0.deliver(mail).kind }
        #expect(kind == .delivered(250))
        #expect(server.record.messages == [[]])
    }
}
