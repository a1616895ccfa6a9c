import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// Mail of whose readers nothing is known but how often it was looked at.
@Suite struct AnonymousMailTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    private static let html = """
        <body><a href="https://shop.example/a?x=1&amp;y=2">A</a><a href="https://shop.example/{{ contact.code }}">C</a>\
        <a href="{{ unsubscribeUrl }}">u</a></body>
        """

    private func engine(
        opens: TrackingMode = .anonymous, clicks: TrackingMode = .anonymous, template: JSONObject = [:]
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine { ($0.opens, $0.clicks) = (opens, clicks) }
        var content: JSONObject = ["type": "TRANSACTIONAL", "subject": "News", "html": .string(Self.html)]
        content.merge(template)
        try await engine.apply(
            document(
                steps: [
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "ad"], "next": "wait"],
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "email.opened", "timeout": 86_400]],
                ], templates: ["ad": .object(content)]))
        return (engine, database)
    }

    private func send(_ engine: EngineFixture, _ emails: [String] = ["ann@example.org"]) async throws -> [SentMail] {
        for (number, email) in emails.enumerated() {
            try await engine.track("signed_up", email, data: ["code": .string("c\(number)")])
        }
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent.map { SentMail($0) }
    }

    private func open(
        _ engine: EngineFixture, _ token: String, userAgent: String = browser, address: String = "192.0.2.7"
    ) async throws {
        Opens(context: engine.context).note(
            .init(token: token, userAgent: userAgent, address: address, wantsPrivacy: false))
        // The note has taken its place in the writer's queue; this comes after it.
        _ = try await engine.contact()
    }

    private func counts(_ engine: EngineFixture, days: Int = 1) async throws -> [SharedHitCount] {
        try await Opens(context: engine.context).overview(of: engine.project.id, days: days).counts
    }

    // MARK: What the mail carries

    @Test func everybodyGetsTheSamePixelAndLinks() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mails = try await send(engine, ["ann@example.org", "bob@example.org"])
        #expect(mails.count == 2)
        #expect(Set(mails.map { $0.tokens("o") }).count == 1 && mails[0].tokens("o").count == 1)
        #expect(Set(mails.map { $0.tokens("c") }).count == 1 && mails[0].tokens("c").count == 1)
        // What a variable has made may name its reader.
        #expect(mails.allSatisfy { $0.text.contains("https://shop.example/c") })
        let pixel = try #require(engine.context.tokens.verifyShared(mails[0].tokens("o")[0]))
        let link = try #require(engine.context.tokens.verifyShared(mails[0].tokens("c")[0]))
        #expect(pixel.place == link.place && pixel.link == nil)
        #expect(link.link == "https://shop.example/a?x=1&y=2")
        #expect(pixel.place.project == engine.project.id && pixel.place.step == "mail")
        // Nothing but place and destination is in the bytes: project, version, length and step, destination, signature.
        let bytes = try #require(Base64URL.decode(mails[0].tokens("c")[0]))
        let destination = "https://shop.example/a?x=1&y=2".utf8.count
        let length: Int = 34 + 4 + destination + 16
        #expect(bytes.count == length)
    }

    @Test func contentOfARequestsOwnIsOnePlaceWithoutLinks() async throws {
        let (engine, database) = try await engine()
        _ = database
        for email in ["ann@example.org", "bob@example.org"] {
            _ = try await DirectMail(context: engine.context).send(
                DirectMail.Request(
                    projectID: engine.project.id, recipients: [.init(email: email)], subject: "For \(email)",
                    body: "<a href=\"https://shop.example/\(email.prefix(3))\">x</a>",
                    from: .init(email: "shop@example.com")))
        }
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let mails = transport.sent.map { SentMail($0) }
        #expect(mails.count == 2 && Set(mails.map { $0.tokens("o") }).count == 1)
        #expect(mails.allSatisfy { $0.tokens("c").isEmpty && $0.text.contains("https://shop.example/") })
        let place = try #require(engine.context.tokens.verifyShared(mails[0].tokens("o")[0])).place
        #expect(place == SharedPlace(project: engine.project.id, version: nil, step: ""))
    }

    /// Whoever allows least decides: installation, project, template, request.
    @Test(arguments: [
        (TrackingMode.on, TrackingMode?.none, JSON.null, TrackingMode.on),
        (.anonymous, nil, true, .anonymous), (.on, .anonymous, true, .anonymous), (.on, nil, "anonymous", .anonymous),
        (.on, .off, "anonymous", .off), (.off, .on, true, .off), (.anonymous, .on, false, .off),
    ])
    func theLeastThatAnybodyAllowsIsInTheMail(
        _ installation: TrackingMode, _ project: TrackingMode?, _ template: JSON, _ expected: TrackingMode
    ) async throws {
        let (engine, database) = try await engine(
            opens: installation, template: template.isNull ? [:] : ["trackOpens": template])
        _ = database
        _ = try await Projects(context: engine.context).setTracking(engine.project.slug, opens: project, clicks: nil)
        let token = try await send(engine)[0].tokens("o").first
        let mode: TrackingMode =
            if let token { engine.context.tokens.verifyShared(token) == nil ? .on : .anonymous } else { .off }
        #expect(mode == expected)
    }

    // MARK: What is recorded

    @Test func looksAreCountedAndNothingElseIsKept() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mails = try await send(engine, ["ann@example.org", "bob@example.org"])
        engine.clock.advance(seconds: 100)
        let token = mails[0].tokens("o")[0]
        try await open(engine, token)
        try await open(engine, token, address: "198.51.100.9")
        try await open(engine, token, userAgent: "")
        let link = try #require(engine.context.tokens.verifyShared(mails[1].tokens("c")[0]))
        Opens(context: engine.context).noteClick(
            place: link.place, link: try #require(link.link),
            by: .init(userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
        _ = try await engine.contact()
        let rows = try await counts(engine)
        #expect(rows.map(\.link) == [nil, "https://shop.example/a?x=1&y=2"])
        #expect(rows.map(\.people) == [2, 1] && rows.map(\.machines) == [1, 0])
        #expect(rows.allSatisfy { $0.step == "mail" && $0.version == link.place.version && $0.template != nil })
        for name in ["email.opened", "email.clicked"] {
            let data = try await engine.context.store.read {
                try $0.newestEventData(of: name, in: engine.project.id, among: 1000)
            }
            #expect(data.isEmpty, "\(name)")
        }
        // Nobody's wait hears of it.
        #expect(try await engine.executions().allSatisfy { $0.status == .waiting })
        #expect(try await engine.counter("opens_anonymous") == 3)
        engine.clock.advance(seconds: 86_400)
        try await open(engine, token)
        #expect(try await counts(engine).map(\.people) == [1])
        #expect(try await counts(engine, days: 2).map(\.people) == [3, 1])
    }

    @Test func switchedOffNothingIsCountedAnyMore() async throws {
        let (engine, database) = try await engine()
        _ = database
        let token = try await send(engine)[0].tokens("o")[0]
        let projects = Projects(context: engine.context)
        _ = try await projects.setTracking(engine.project.slug, opens: .some(.off), clicks: nil)
        try await open(engine, token)
        #expect(try await counts(engine).isEmpty)
        _ = try await projects.setTracking(engine.project.slug, opens: .some(nil), clicks: nil)
        try await open(engine, token)
        #expect(try await counts(engine).map(\.people) == [1])
    }

    /// Mail that left before still names itself; what is recorded of it does not.
    @Test func mailFromBeforeIsCountedWithoutItsNameAndLinks() async throws {
        let (engine, database) = try await engine(opens: .on, clicks: .on)
        _ = database
        let mail = try await send(engine)[0]
        engine.clock.advance(seconds: 100)
        _ = try await Projects(context: engine.context).setTracking(
            engine.project.slug, opens: .some(.anonymous), clicks: .some(.anonymous))
        try await open(engine, mail.tokens("o")[0])
        let link = try #require(engine.context.tokens.verifyLink(mail.tokens("c")[1]))
        Opens(context: engine.context).noteClick(
            entry: link.entry, link: link.destination,
            by: .init(userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
        _ = try await engine.contact()
        let rows = try await counts(engine)
        #expect(rows.map(\.link) == [nil, Opens.unnamedLink] && rows.map(\.people) == [1, 1])
        #expect(try await engine.executions().map(\.status) == [.waiting])
        let status = try await engine.context.store.read { try $0.mailStatus(link.entry, in: engine.project.id) }
        #expect(status?.opens == 0)
    }

    @Test func whatIsWrittenDownOnTheWayNamesNobody() throws {
        let place = SharedPlace(
            project: Identifier(high: 1, low: 2), version: Identifier(high: 3, low: 4), step: "mail")
        for link in [nil, "https://shop.example/"] {
            let fetch = NotedFetch(
                .shared(place), at: Timestamp(seconds: 5), userAgent: "", network: "", machineReason: nil, link: link)
            #expect(!fetch.line.contains("userAgent") && !fetch.line.contains("network"))
            let again = try #require(NotedFetch(line: fetch.line))
            #expect(again.subject == .shared(place) && again.link == link && again.line == fetch.line)
        }
        let foreign = NotedFetch(
            line: #"{"project":"00000000-0000-0001-0000-000000000002","at":1,"step":"a","userAgent":"x","network":"y"}"#
        )
        #expect(foreign?.userAgent == "" && foreign?.network == "")
    }

    // MARK: Tokens

    @Test func aTokenOfAnotherPlaceKindOrKeyIsNone() throws {
        let signer = TokenSigner(key: Array(repeating: 7, count: 32), cryptography: TestCryptography())
        let place = SharedPlace(project: Identifier(high: 1, low: 2), version: nil, step: "mail")
        let open = signer.token(for: place)
        let click = signer.token(for: place, link: "https://example.org/")
        #expect(signer.verifyShared(open)?.place == place && signer.verifyShared(open)?.link == nil)
        #expect(signer.verifyShared(click)?.link == "https://example.org/")
        #expect(signer.verify(open, kind: .open) == nil && signer.verifyLink(click) == nil)
        for token in [open, click] {
            let bytes = try #require(Base64URL.decode(token))
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= 1
                #expect(signer.verifyShared(Base64URL.encode(changed)) == nil, "\(index)")
            }
            for length in 0..<token.count { #expect(signer.verifyShared(token.prefix(length)) == nil) }
        }
        let others = [
            signer.token(.open, for: place.project), signer.token(forLinkTo: "https://example.org/", in: place.project),
            TokenSigner(key: Array(repeating: 8, count: 32), cryptography: TestCryptography()).token(for: place),
            String(repeating: "A", count: 5000),
        ]
        for text in others { #expect(signer.verifyShared(text) == nil) }
        // An empty destination is none.
        #expect(signer.verifyShared(signer.token(for: place, link: "")) == nil)
        let long = SharedPlace(
            project: place.project, version: Identifier(high: 3, low: 4), step: String(repeating: "s", count: 255))
        let longest = signer.token(for: long)
        #expect(longest.utf8.count <= TokenSigner.pixelTextLimit && signer.verifyShared(longest)?.place == long)
    }

    // MARK: Who waits in vain

    @Test func aWorkflowThatWaitsForReadersIsToldThatNothingComes() async throws {
        let (engine, database) = try await engine()
        _ = database
        let id = try await engine.context.store.read { try $0.loadCatalog().workflows.first?.id }
        let editor = WorkflowEditor(context: engine.context, projectID: engine.project.id)
        let warnings = try await editor.workflow(try #require(id)).warnings
        #expect(warnings.map(\.path) == ["steps.wait"])
        #expect(
            warnings.first?.message
                == "email.opened never comes, because readers are only counted (anonymous): the wait ends by its timeout"
        )
        let (tracked, other) = try await self.engine(opens: .on, clicks: .on)
        _ = other
        let second = try await tracked.context.store.read { try $0.loadCatalog().workflows.first?.id }
        let quiet = WorkflowEditor(context: tracked.context, projectID: tracked.project.id)
        #expect(try await quiet.workflow(try #require(second)).warnings.isEmpty)
        let (template, third) = try await self.engine(opens: .on, template: ["trackOpens": false])
        _ = third
        let document = try WorkflowDocument(
            document(
                event: "email.clicked", slug: "other",
                steps: [
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "ad"], "next": "wait"],
                    "wait": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventNames": ["email.opened", "paid"]],
                    ],
                ], templates: [:]))
        let problems = try await Workflows(context: template.context).readerWarnings(of: document)
        #expect(problems.map(\.path) == ["trigger", "steps.wait"])
        #expect(problems.last?.message == "email.opened never comes, because nothing is recorded of readers")
    }

    @Test func aProjectsTrackingIsInTheAuditLog() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let projects = Projects(context: engine.context)
        let set = try await projects.setTracking(engine.project.slug, opens: .some(.anonymous), clicks: nil)
        #expect(set == ProjectTracking(opens: .anonymous, clicks: nil))
        // The same again is no change.
        _ = try await projects.setTracking(engine.project.slug, opens: .some(.anonymous), clicks: nil)
        let page = try await AuditLog(context: engine.context).page(
            AuditSelection(projectID: engine.project.id, action: "project.tracking_changed", target: nil, limit: 10))
        #expect(page.records.count == 1)
        await #expect(throws: UseCaseError.self) {
            _ = try await projects.setTracking("nobody", opens: .some(.off), clicks: nil)
        }
    }

    @Test func pixelsAndLinksMayHaveAHostOfTheirOwn() async throws {
        let (engine, database) = try await makeEngine { $0.trackingURL = "https://t.example.net" }
        _ = database
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: ["ad": ["type": "MARKETING", "subject": "News", "html": .string(Self.html)]]))
        let mail = try await send(engine)[0]
        #expect(mail.text.contains("https://t.example.net/o/") && mail.text.contains("https://t.example.net/c/"))
        #expect(!mail.text.contains("https://t.example.net/u/") && !mail.tokens("u").isEmpty)
        #expect(mail.tokens("c").count == 2)
    }
}
