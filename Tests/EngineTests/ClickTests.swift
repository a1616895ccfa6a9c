import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Links of mail that lead over an address of ours, and what is made of those who follow them.
@Suite struct ClickTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    private static let html = """
        <body><a href="https://shop.example/a?x=1&amp;y=2">A</a><a href='http://shop.example/b'>B</a>\
        <a href=https://shop.example/c>C</a><a href="mailto:help@shop.example">m</a><a href="#top">t</a>\
        <a href="{{ unsubscribeUrl }}">u</a><a data-no-track href="https://shop.example/plain">p</a>\
        <a href="https://shop.example/?who={{ contact.email }}">me</a><a href="https://user@shop.example/">x</a></body>
        """

    private func engine(
        kind: String = "TRANSACTIONAL", trackClicks: Bool? = nil,
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine(configure)
        var template: JSONObject = ["type": .string(kind), "subject": "News", "html": .string(Self.html)]
        template["trackClicks"] = trackClicks.map { .bool($0) }
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: ["ad": .object(template)]))
        try await engine.apply(
            document(
                event: "email.clicked", reentry: true, slug: "clicked",
                steps: ["end": ["type": "EXIT", "config": ["reason": "{{ event.link }}"]]]))
        return (engine, database)
    }

    private func send(_ engine: EngineFixture) async throws -> SentMail {
        try await engine.track("signed_up")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return SentMail(try #require(transport.sent.first))
    }

    private func destinations(_ mail: SentMail, _ engine: EngineFixture) -> [String] {
        mail.tokens("c").compactMap { engine.context.tokens.verifyLink($0)?.destination }
    }

    private func click(
        _ engine: EngineFixture, _ mail: SentMail, link number: Int = 0, userAgent: String = browser,
        wantsPrivacy: Bool = false
    ) async throws {
        let link = try #require(engine.context.tokens.verifyLink(mail.tokens("c")[number]))
        Opens(context: engine.context).noteClick(
            entry: link.entry, link: link.destination,
            by: .init(userAgent: userAgent, address: "192.0.2.7", wantsPrivacy: wantsPrivacy))
        // The note has taken its place in the writer's queue; this comes after it.
        _ = try await engine.contact()
    }

    private func clicks(_ engine: EngineFixture) async throws -> [JSONObject] {
        try await engine.context.store.read {
            try $0.newestEventData(of: "email.clicked", in: engine.project.id, among: 1000)
        }.reversed()
    }

    // MARK: Rewriting

    @Test func webLinksLeadOverUsAndOthersStayAsTheyAre() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try await send(engine)
        #expect(
            destinations(mail, engine) == [
                "https://shop.example/a?x=1&y=2", "http://shop.example/b", "https://shop.example/c",
            ])
        for kept in [
            "mailto:help@shop.example", "#top", "https://shop.example/plain", "https://shop.example/?who=3Dann",
            "https://user@shop.example/",
        ] {
            #expect(mail.text.contains(kept), "\(kept)")
        }
        // The text for people without HTML keeps what the author wrote.
        #expect(mail.text.contains("A (https://shop.example/a?x=3D1&y=3D2)"))
    }

    @Test func noTokenCarriesTheRecipient() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try await send(engine)
        #expect(destinations(mail, engine).allSatisfy { !$0.contains("ann") })
    }

    @Test func theLeastThatAnybodyAllowsCounts() async throws {
        let (engine, database) = try await engine { $0.clicks = .off }
        _ = database
        #expect(try await send(engine).tokens("c").isEmpty)
        let (other, otherDatabase) = try await self.engine()
        _ = otherDatabase
        var project = other.project
        project.tracking = ProjectTracking(opens: .off, clicks: .off)
        let changed = project
        try await other.context.store.write { try $0.update(changed) }
        let mail = try await send(other)
        #expect(mail.tokens("c").isEmpty && mail.tokens("o").isEmpty)
    }

    @Test func aTemplateMayLeaveItsLinksAlone() async throws {
        let (engine, database) = try await engine(trackClicks: false)
        _ = database
        let mail = try await send(engine)
        #expect(mail.tokens("c").isEmpty && mail.tokens("o").count == 1)
    }

    // MARK: Clicks

    @Test func everyClickOfAPersonIsAnEventWithItsLink() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try await send(engine)
        engine.clock.advance(seconds: 20)
        let first = engine.clock.now()
        try await click(engine, mail)
        try await click(engine, mail)
        engine.clock.advance(seconds: 61)
        try await click(engine, mail, link: 1)
        let data = try await clicks(engine)
        #expect(data.map { $0["link"] } == ["https://shop.example/a?x=1&y=2", "http://shop.example/b"])
        #expect(data.map { $0["clicks"] } == [1, 2])
        #expect(data.map { $0["isFirstClick"] } == [true, false])
        #expect(data.allSatisfy { $0["clickedAt"]?.stringValue == "\(first)" })
        #expect(try await engine.executions("clicked").count == 2)
    }

    /// Whether the event is kept when it comes, found afterwards, or looked for among all events.
    @Test(arguments: [true, false])
    func filtersAskForTheFirstClickInEachMail(isKeptFromTheStart: Bool) async throws {
        let (engine, database) = try await engine()
        _ = database
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        let filter = Filter(
            .all,
            [.init([Condition(field: "email.clicked", operator: .triggeredWithin, value: 1, unit: .days)])])
        func makeSegment() async throws {
            _ = try await segments.create(.init(name: "Readers", slug: "readers", kind: .dynamic, filter: filter))
        }
        func readers() async throws -> Int {
            while try await Segmenter(context: engine.context).pass() {}
            return try await segments.segment("readers").memberCount
        }
        if isKeptFromTheStart { try await makeSegment() }
        let mail = try await send(engine)
        engine.clock.advance(seconds: 100)
        try await click(engine, mail)
        if isKeptFromTheStart { #expect(try await readers() == 1) }
        engine.clock.advance(seconds: 3 * 86_400)
        try await click(engine, mail, link: 1)
        #expect(try await clicks(engine).map { $0["isFirstClick"] } == [true, false])
        #expect(try await segments.preview(filter, path: "filter", limit: 10).count == 0)
        if !isKeptFromTheStart {
            try await makeSegment()
            #expect(try await readers() == 0)
            while try await History(context: engine.context).step() {}
        }
        #expect(try await readers() == 0)
        #expect(try await segments.preview(filter, path: "filter", limit: 10).count == 0)
    }

    @Test func machinesAndEarlyClicksAreNoEvents() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try await send(engine)
        engine.clock.advance(seconds: 9)
        try await click(engine, mail)
        engine.clock.advance(seconds: 100)
        try await click(engine, mail, userAgent: "")
        try await click(engine, mail, userAgent: "Barracuda Sentinel")
        #expect(try await clicks(engine).isEmpty)
    }

    @Test func whoeverFollowsEveryLinkAtOnceIsAMachine() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try await send(engine)
        engine.clock.advance(seconds: 100)
        for number in 0..<3 { try await click(engine, mail, link: number) }
        #expect(try await clicks(engine).count == 2)
    }

    @Test func anonymousClicksAreCountedAndNothingElse() async throws {
        let (engine, database) = try await engine { ($0.opens, $0.clicks) = (.anonymous, .anonymous) }
        _ = database
        let mail = try await send(engine)
        engine.clock.advance(seconds: 100)
        let link = try #require(engine.context.tokens.verifyShared(mail.tokens("c")[0]))
        Opens(context: engine.context).noteClick(
            place: link.place, link: try #require(link.link),
            by: .init(userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
        Opens(context: engine.context).note(
            .init(token: mail.tokens("o")[0], userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
        _ = try await engine.contact()
        #expect(try await engine.counter("clicks_anonymous") == 1)
        #expect(try await engine.counter("opens_anonymous") == 1)
        #expect(try await clicks(engine).isEmpty)
        #expect(engine.context.tokens.verifyLink(mail.tokens("c")[0]) == nil)
        let marker = try #require(mail.field("X-Postrider-Delivery"))
        let entry = try #require(engine.context.tokens.verify(marker, kind: .delivery))
        let status = try await engine.context.store.read { try $0.mailStatus(entry, in: engine.project.id) }
        #expect(status?.opens == 0)
    }

    // MARK: Tokens

    @Test func aLinkTokenOfAnotherDestinationKindOrLengthIsNone() throws {
        let signer = TokenSigner(key: Array(repeating: 7, count: 32), cryptography: TestCryptography())
        let entry = Identifier(high: 1, low: 2)
        let token = signer.token(forLinkTo: "https://example.org/a", in: entry)
        #expect(signer.verifyLink(token)?.destination == "https://example.org/a")
        #expect(signer.verifyLink(token)?.entry == entry)
        var bytes = try #require(Base64URL.decode(token))
        bytes[20] ^= 1
        let texts = [
            "", "A", String(token.dropLast()), String(token.dropFirst()), token + "A", Base64URL.encode(bytes),
            signer.token(.open, for: entry), signer.token(.click, for: entry),
            signer.token(forLinkTo: String(repeating: "x", count: 3000), in: entry),
            TokenSigner(key: Array(repeating: 8, count: 32), cryptography: TestCryptography())
                .token(forLinkTo: "https://example.org/a", in: entry),
        ]
        for text in texts { #expect(signer.verifyLink(text) == nil, "\(text.prefix(60))") }
        // Its text is the only one: unused bits are none.
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let accepted = letters.filter { signer.verifyLink(token.dropLast() + String($0)) != nil }
        #expect(accepted.count == 1)
    }
}
