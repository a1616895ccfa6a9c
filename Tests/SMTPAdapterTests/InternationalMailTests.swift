import MailModel
import Testing

@testable import SMTPAdapter

/// Addresses outside ASCII (RFC 6531): said where the relay offers it, and to no other.
@Suite struct InternationalMailTests {
    private static let offer = ScriptedServer.Answer.say("250-scripted.example\r\n250-8BITMIME\r\n250 smtputf8")
    private static let quickOffer = ScriptedServer.Answer.say(
        "250-scripted.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8")
    private static let quick = ScriptedServer.Answer.say("250-scripted.example\r\n250-PIPELINING\r\n250 8BITMIME")
    private static let recipient = "δοκιμή@example.org"

    private static func envelope(_ record: ScriptedServer.Record) -> [String] {
        record.commands.filter { $0.hasPrefix("MAIL") || $0.hasPrefix("RCPT") }
    }

    @Test(arguments: [offer, quickOffer])
    func theAddressGoesInItsLettersWhereThatIsOffered(answer: ScriptedServer.Answer) async throws {
        let server = try ScriptedServer(["EHLO": answer])
        let mail = OutgoingMail(
            reversePath: "alice@example.org", recipient: Self.recipient,
            bytes: Array("From: alice@example.org\r\nTo: <\(Self.recipient)>\r\n\r\nHi.\r\n".utf8), hasUTF8Header: true)
        let outcome = try await withTransport(port: server.port) { await $0.deliver(mail) }
        #expect(outcome.kind == .delivered(250), "\(outcome)")
        #expect(
            Self.envelope(server.record) == [
                "MAIL FROM:<alice@example.org> SMTPUTF8", "RCPT TO:<\(Self.recipient)>",
            ])
        #expect(server.record.messages == [mail.bytes])
    }

    @Test func theSizeIsSaidBeside() async throws {
        let server = try ScriptedServer(["EHLO": .say("250-scripted.example\r\n250-SIZE\r\n250 SMTPUTF8")])
        let mail = plainMail(to: Self.recipient)
        _ = try await withTransport(port: server.port) { await $0.deliver(mail) }
        #expect(Self.envelope(server.record).first == "MAIL FROM:<alice@example.org> SIZE=\(mail.bytes.count) SMTPUTF8")
    }

    @Test func aSenderOrAHeaderOutsideASCIIAsksForItToo() async throws {
        let server = try ScriptedServer(["EHLO": Self.offer])
        let header = OutgoingMail(
            reversePath: "", recipient: "bob@example.org", bytes: Array("From: é@example.org\r\n\r\n".utf8),
            hasUTF8Header: true)
        try await withTransport(port: server.port) { transport in
            _ = await transport.deliver(plainMail(from: "é@example.org"))
            _ = await transport.deliver(header)
        }
        #expect(
            Self.envelope(server.record).filter { $0.hasPrefix("MAIL") } == [
                "MAIL FROM:<é@example.org> SMTPUTF8", "MAIL FROM:<> SMTPUTF8",
            ])
    }

    /// What is sent so is refused by every server on its way that is older.
    @Test func mailInASCIIDoesNotAskForIt() async throws {
        let server = try ScriptedServer(["EHLO": Self.offer])
        let outcomes = try await withTransport(port: server.port) {
            [await $0.deliver(plainMail()), await $0.deliver(plainMail(to: "bob@xn--bcher-kva.example"))]
        }
        #expect(outcomes.map(\.kind) == [.delivered(250), .delivered(250)])
        #expect(!server.record.commands.contains { $0.contains("SMTPUTF8") })
    }

    @Test(arguments: [
        "250-scripted.example\r\n250 8BITMIME", "250-SMTPUTF8\r\n250 HELP", "250-scripted.example\r\n250 XSMTPUTF8",
    ])
    func aRelayWithoutTheOfferIsToldNothingOfTheMailAndKeepsTheConnection(hello: String) async throws {
        let server = try ScriptedServer(["EHLO": .say(hello)])
        let outcomes = try await withTransport(port: server.port) { transport in
            [
                await transport.deliver(plainMail(to: Self.recipient)), await transport.deliver(plainMail()),
                await transport.deliver(plainMail(from: "é@example.org")), await transport.deliver(plainMail()),
            ]
        }
        #expect(outcomes.map(\.kind) == [.unsupported, .delivered(250), .unsupported, .delivered(250)])
        #expect(outcomes[0].reason.hasPrefix("5.6.7 127.0.0.1:\(server.port) does not offer SMTPUTF8 (RFC 6531)"))
        #expect(outcomes[0].reason.contains("smtputf8_enable = yes"), "the mend is named")
        #expect(server.record.connections == 1)
        #expect(
            Self.envelope(server.record) == [
                "MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.org>", "MAIL FROM:<alice@example.org>",
                "RCPT TO:<bob@example.org>",
            ])
    }

    @Test func aServerThatOnlyKnowsHELOOffersNothing() async throws {
        let server = try ScriptedServer(["EHLO": .say("502 5.5.1 What?")])
        let outcome = try await withTransport(port: server.port) { await $0.deliver(plainMail(to: Self.recipient)) }
        #expect(outcome.kind == .unsupported)
        #expect(Self.envelope(server.record).isEmpty)
    }

    @Test func theServersOwnRefusalOfTheAddressIsFinal() async throws {
        let server = try ScriptedServer([
            "EHLO": Self.quickOffer, "RCPT": .say("553 5.6.7 Non-ASCII addresses not permitted for that recipient"),
        ])
        let outcome = try await withTransport(port: server.port) { await $0.deliver(plainMail(to: Self.recipient)) }
        #expect(outcome.kind == .rejected(553) && outcome.reply?.enhancedCode == "5.6.7")
    }

    /// What is offered before TLS does not count: the secured session says anew what it offers (RFC 3207 section 4.2).
    @Test func theLastGreetingCounts() {
        func offered(_ first: String, _ second: String) -> Bool {
            var exchange = SMTPExchange(tls: .required, needsLogin: false)
            exchange.connectionOpened()
            for line in ["220 hi", "250-hi", "250-\(first)", "250 STARTTLS", "220 go", "250-hi", "250 \(second)"] {
                _ = exchange.take(line: Array("\(line)\r\n".utf8)[...])
            }
            // Kept for the mails after the first.
            return exchange.next.extensions.hasSMTPUTF8
        }
        #expect(!offered("SMTPUTF8", "SIZE"))
        #expect(offered("SIZE", "SMTPUTF8"))
    }

    // MARK: Said ahead

    /// Mails at once over one connection, every other to an address outside ASCII.
    private func six(_ answer: ScriptedServer.Answer) async throws -> ([OutcomeKind], ScriptedServer.Record) {
        let server = try ScriptedServer(["EHLO": answer])
        let kinds = try await withTransport(port: server.port) { transport in
            await withTaskGroup(of: (Int, OutcomeKind).self) { group in
                for number in 0..<6 {
                    group.addTask {
                        let recipient = number % 2 == 0 ? "bob@example.org" : Self.recipient
                        return (number, await transport.deliver(plainMail("\(number)\r\n", to: recipient)).kind)
                    }
                }
                return await group.reduce(into: [OutcomeKind](repeating: .unknown, count: 6)) { $0[$1.0] = $1.1 }
            }
        }
        return (kinds, server.record)
    }

    @Test func eachMailSaidAheadHasTheWordThatItNeeds() async throws {
        let (kinds, record) = try await six(Self.quickOffer)
        #expect(kinds == [OutcomeKind](repeating: .delivered(250), count: 6))
        #expect(record.connections == 1 && Set(record.messages).count == 6)
        let lines = Self.envelope(record)
        for (mail, recipient) in zip(
            lines.enumerated().filter { $0.offset % 2 == 0 }, lines.filter { $0.hasPrefix("R") })
        {
            #expect(mail.element.hasSuffix(" SMTPUTF8") == recipient.contains(Self.recipient))
        }
    }

    @Test func nothingIsSaidAheadThatTheRelayDoesNotOffer() async throws {
        let (kinds, record) = try await six(Self.quick)
        #expect(
            kinds == (0..<6).map { $0 % 2 == 0 ? .delivered(250) : .unsupported })
        #expect(record.connections == 1 && record.messages.count == 3)
        #expect(Self.envelope(record).allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } && !$0.contains("SMTPUTF8") })
    }
}
