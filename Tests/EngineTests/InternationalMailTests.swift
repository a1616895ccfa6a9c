import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// Mail to and from addresses outside ASCII (RFC 6531, RFC 6532).
@Suite struct InternationalMailTests {
    private static let lacking = DeliveryOutcome.unsupported(reason: "5.6.7 main does not offer SMTPUTF8")
    private static let down = DeliveryOutcome.unreachable(reason: "no connection")
    private static let recipient = "δοκιμή@example.org"

    // MARK: The mail

    private func mail(to recipient: String, from: String = "news@example.com") async throws -> OutgoingMail {
        let stage = try await DispatchStage()
        try await stage.fill([recipient], from: from)
        await stage.send()
        return try #require(stage.relays[0].sent.first)
    }

    @Test(arguments: [
        ("δοκιμή@example.org", "δοκιμή@example.org"),
        // Composed, as addresses are written, and with the case that they have.
        ("Re\u{301}ne@example.org", "R\u{e9}ne@example.org"),
        ("re\u{301}ne@bu\u{308}cher.example", "r\u{e9}ne@xn--bcher-kva.example"),
        ("Ann <δοκιμή@bücher.example>", "δοκιμή@xn--bcher-kva.example"),
        ("Δοκιμή <δοκιμή@example.org>", "δοκιμή@example.org"),
    ])
    func itsAddressIsOneOnTheWayAndInTheHeader(recipient: String, wire: String) async throws {
        let mail = try await mail(to: recipient)
        #expect(Array(mail.recipient.utf8) == Array(wire.utf8) && mail.needsSMTPUTF8)
        let field = try #require(SentMail(mail).field("To"))
        #expect(field == wire || field.hasSuffix(" <\(wire)>"), "\(field)")
        let name = field.dropLast(wire.count + 2)
        #expect(field == wire || name.utf8.allSatisfy { $0 < 0x80 }, "names are encoded words as ever")
    }

    @Test func aSenderOutsideASCIIMakesSuchAMail() async throws {
        let mail = try await mail(to: "ann@example.org", from: "Πώληση <πώληση@example.com>")
        #expect(mail.needsSMTPUTF8 && mail.reversePath == "πώληση@example.com")
        #expect(SentMail(mail).field("From")?.hasSuffix(" <πώληση@example.com>") == true)
    }

    @Test(arguments: ["ann@example.org", "ann@bücher.example", "Δοκιμή <ann@bücher.example>"])
    func noOtherMailNeedsIt(recipient: String) async throws {
        let mail = try await mail(to: recipient)
        #expect(!mail.needsSMTPUTF8 && mail.bytes.allSatisfy { $0 < 0x80 })
    }

    /// The mail that a workflow writes to a new contact.
    private func welcome(_ address: String, _ engine: EngineFixture) async throws -> OutgoingMail {
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: ["hello": ["type": "TRANSACTIONAL", "subject": "To {{ contact.email }}", "text": "Hi"]]))
        try await engine.track("signed_up", address)
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return try #require(transport.sent.first)
    }

    @Test func aContactGetsTheMailOfItsWorkflow() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let mail = try await welcome("Δοκιμή@example.org", engine)
        #expect(mail.recipient == Self.recipient && mail.needsSMTPUTF8)
        #expect(SentMail(mail).field("Subject")?.utf8.allSatisfy { $0 < 0x80 } == true)
    }

    // MARK: Relays

    private static let two = [RelayRules(name: "main"), RelayRules(name: "spare", isBackup: true)]

    @Test func itGoesOverAnotherRelayWhereOneDoesNotOfferIt() async throws {
        let stage = try await DispatchStage(relays: Self.two)
        stage.relays[0].answer([Self.lacking])
        let id = try #require(try await stage.fill([Self.recipient]).first)
        await stage.send()
        #expect(stage.relays[1].sent.map(\.recipient) == [Self.recipient])
        let entry = try #require(try await stage.entry(id))
        #expect(entry.status == .delivered && entry.attempts == 1)
    }

    @Test func itIsGivenUpWhereNoRelayOffersIt() async throws {
        let stage = try await DispatchStage(relays: Self.two)
        try await stage.engine.apply(
            document(event: "email.failed", slug: "failed", steps: ["end": ["type": "EXIT"]]))
        for relay in stage.relays { relay.answer(Array(repeating: Self.lacking, count: 10)) }
        let ids = try await stage.fill(Array(repeating: Self.recipient, count: 8))
        await stage.send()
        for id in ids {
            let entry = try #require(try await stage.entry(id))
            #expect(entry.status == .failed && entry.attempts == 1)
        }
        let project = stage.engine.project.id
        let events = try await stage.engine.context.store.read {
            try $0.newestEventData(of: "email.failed", in: project, among: 20)
        }
        #expect(events.count == 8 && events.allSatisfy { $0["reply"] == "5.6.7 main does not offer SMTPUTF8" })
        // A relay that cannot do one thing is in order, and its lack is nothing about the address.
        #expect(stage.dispatch.state.use { $0.relayHealth }.map(\.state) == [.ok, .ok])
        #expect(try await stage.engine.executions("failed").count == 1)
        let found = try await Suppressions(context: stage.engine.context).page(
            in: stage.engine.project.id, address: Self.recipient, limit: 10)
        #expect(found.suppressions.isEmpty)
    }

    /// What a relay offers that cannot be reached nobody knows.
    @Test(arguments: [[down, lacking], [lacking, down]])
    func itWaitsForARelayThatMayOfferIt(outcomes: [DeliveryOutcome]) async throws {
        let stage = try await DispatchStage(relays: Self.two)
        for (relay, outcome) in zip(stage.relays, outcomes) { relay.answer([outcome]) }
        let id = try #require(try await stage.fill([Self.recipient]).first)
        await stage.send()
        #expect(try await stage.entry(id)?.status == .pending)
        #expect(stage.dispatch.state.use { $0.relayHealth }.map(\.failures).reduce(0, +) == 1)
        for relay in stage.relays { relay.answer([Self.lacking]) }
        stage.engine.clock.advance(seconds: 3600)
        await stage.send()
        #expect(try await stage.entry(id)?.status == .failed, "now both have said what they offer")
    }

    @Test func itWaitsForARelayThatIsPaused() async throws {
        let stage = try await DispatchStage(relays: Self.two)
        let control = OutboxControl(context: stage.engine.context)
        try await control.pause(.relay("spare"), in: nil)
        stage.relays[0].answer(Array(repeating: Self.lacking, count: 2))
        let id = try #require(try await stage.fill([Self.recipient]).first)
        await stage.send()
        #expect(try await stage.entry(id)?.status == .pending && stage.relays[1].sent.isEmpty)
        try await control.resume(.relay("spare"), in: nil)
        stage.engine.clock.advance(seconds: 3600)
        await stage.send()
        #expect(try await stage.entry(id)?.status == .delivered && stage.relays[1].sent.count == 1)
    }

    // MARK: What comes in

    @Test func aSenderOutsideASCIIIsAnswered() async throws {
        let stage = try await ReplyStage()
        for sender in ["Δοκιμη\u{301}@example.org", "δοκιμή@bücher.example"] {
            #expect(try await stage.refusal(of: stage.mail(from: sender)) == nil)
        }
        let sent = try await stage.sent()
        #expect(
            sent.map { $0.recipient.lowercased() }.sorted() == ["δοκιμή@example.org", "δοκιμή@xn--bcher-kva.example"])
        #expect(sent.allSatisfy { $0.needsSMTPUTF8 && $0.reversePath.isEmpty })
        #expect(try await stage.engine.contact("δοκιμή@xn--bcher-kva.example") != nil)
    }

    @Test func itsBounceIsFoundAndSuppressesItInEveryForm() async throws {
        let (engine, _database) = try await makeEngine { configuration in
            configuration.returnAddresses = ReturnAddresses(
                .init(returnPath: MailAddress.parse("bounce@mail.example.com")))
        }
        _ = _database
        let sent = try await welcome("δοκιμή@bücher.example", engine)
        #expect(sent.reversePath.utf8.allSatisfy { $0 < 0x80 } && sent.needsSMTPUTF8)
        let report = IncomingText.report(
            to: sent.reversePath,
            recipients: [
                "Final-Recipient: rfc822; list@example.net\nAction: failed\nStatus: 5.2.2",
                "Final-Recipient: utf-8; δοκιμη\u{301}@bücher.example\nAction: failed\nStatus: 5.1.1",
            ], header: nil)
        let intake = Intake(context: engine.context, configuration: Intake.Configuration())
        _ = await withCheckedContinuation { continuation in
            intake.receive(report) { continuation.resume(returning: $0) }
        }
        for form in ["δοκιμή@bücher.example", "δοκιμή@xn--bcher-kva.example"] {
            let found = try await Suppressions(context: engine.context).page(
                in: engine.project.id, address: form, limit: 10)
            #expect(found.suppressions.map(\.reason) == [.bounce], "\(form)")
        }
    }
}
