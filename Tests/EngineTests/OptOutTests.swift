import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

private let bodies: JSONObject = [
    "subject": "News", "html": "<p>Hi</p>", "text": "Hi",
]

/// How mail tells its readers to unsubscribe, and what becomes of it when they do.
@Suite struct OptOutTests {
    private func engine(
        _ kind: String = "MARKETING", _ content: JSONObject = bodies, to: String? = nil, event: String = "signed_up",
        https: Bool = true
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine()
        if https { engine.context.trackingAddress.value = "https://mail.example.com" }
        var template = content
        template["type"] = .string(kind)
        var config: JSONObject = ["template": "ad"]
        config["to"] = to.map { .string($0) }
        try await engine.apply(
            document(
                event: event, reentry: true, steps: ["mail": ["type": "SEND_EMAIL", "config": .object(config)]],
                templates: ["ad": .object(template)]))
        return (engine, database)
    }

    private func send(_ engine: EngineFixture) async throws -> [SentMail] {
        try await engine.track("signed_up", data: ["locale": "de", "topics": ["news": true, "offers": true, "n": 1]])
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent.map(SentMail.init)
    }

    private func token(_ mail: SentMail) throws -> String {
        let field = try #require(mail.field("List-Unsubscribe"))
        #expect(field.hasPrefix("<https://mail.example.com/u/") && field.hasSuffix(">"), "\(field)")
        return String(field.dropFirst("<https://mail.example.com/u/".count).dropLast())
    }

    private func reasons(_ engine: EngineFixture, _ address: String) async throws -> [Suppression.Reason] {
        let project = engine.project.id
        return try await engine.context.store.read { try $0.suppressions(of: address, in: project).map(\.reason) }
    }

    // MARK: Header fields

    @Test func marketingMailOffersToUnsubscribeWhateverItsBodySays() async throws {
        let (engine, database) = try await engine()
        _ = database
        let mail = try #require(try await send(engine).first)
        #expect(mail.field("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click")
        #expect(engine.context.tokens.verify(try token(mail), kind: .unsubscribe) != nil)
        #expect(mail.field("Precedence") == "bulk")
        #expect(mail.field("Feedback-ID")?.hasSuffix(":default:marketing:postrider") == true)
    }

    @Test(arguments: ["TRANSACTIONAL", "HEADLESS"])
    func otherMailOffersNothing(kind: String) async throws {
        let (engine, database) = try await engine(kind)
        _ = database
        let mail = try #require(try await send(engine).first)
        #expect(mail.field("List-Unsubscribe") == nil)
        #expect(mail.field("List-Unsubscribe-Post") == nil)
    }

    @Test(arguments: [
        ("TRANSACTIONAL", "{{ unsubscribeUrl }}", true), ("TRANSACTIONAL", "{{ manageUrl }}", true),
        ("HEADLESS", "{{ unsubscribeUrl }}", false),
    ])
    func mailThatShowsItsLinkOffersItInTheHeaderToo(kind: String, variable: String, isOffered: Bool) async throws {
        let (engine, database) = try await engine(
            kind, ["subject": "News", "html": .string("<a href=\"\(variable)\">out</a>"), "text": "Hi"])
        _ = database
        let mail = try #require(try await send(engine).first)
        #expect((mail.field("List-Unsubscribe") != nil) == isOffered)
    }

    @Test func oneClickIsPromisedOverHTTPSAlone() async throws {
        let (engine, database) = try await engine(https: false)
        _ = database
        let mail = try #require(try await send(engine).first)
        #expect(mail.field("List-Unsubscribe")?.hasPrefix("<http://127.0.0.1:8480/u/") == true)
        #expect(mail.field("List-Unsubscribe-Post") == nil)
    }

    @Test func variablesAreTheMailsOwnLinksAndNothingCanStandForThem() async throws {
        let (engine, database) = try await engine(
            "MARKETING",
            ["subject": "News", "text": "{{ unsubscribeUrl }} {{ subscribeUrl }} {{ manageUrl }}", "html": "<p>x</p>"])
        _ = database
        try await engine.track("signed_up", data: ["unsubscribeUrl": "https://evil.example/"])
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let mail = SentMail(try #require(transport.sent.first))
        #expect(!mail.text.contains("evil.example"))
        let unsubscribe = try #require(mail.tokens("u").last)
        let manage = mail.tokens("m")
        #expect(engine.context.tokens.verify(unsubscribe, kind: .unsubscribe) != nil)
        #expect(manage.count == 2 && Set(manage).count == 1)
        #expect(engine.context.tokens.verify(manage[0], kind: .preferences) != nil)
        #expect(!mail.text.contains("ann@example.org/"))
    }

    @Test func withoutAnAddressOfOursThereIsNothingToOffer() async throws {
        let (engine, database) = try await engine("MARKETING", ["subject": "N", "text": "[{{ unsubscribeUrl }}]"])
        _ = database
        engine.context.trackingAddress.value = nil
        let mail = try #require(try await send(engine).first)
        #expect(mail.field("List-Unsubscribe") == nil)
        #expect(mail.text.contains("[]"))
    }

    // MARK: Unsubscribing

    @Test func unsubscribingEndsTheSubscriptionOnceAndTheNextMailIsSkipped() async throws {
        let (engine, database) = try await engine()
        _ = database
        try await engine.apply(
            document(
                event: "contact.unsubscribed", reentry: true, slug: "left",
                steps: [
                    "check": [
                        "type": "CONDITION",
                        "config": ["field": "event.reason", "operator": "equals", "value": "one_click"],
                        "next": ["yes": "end"],
                    ], "end": ["type": "EXIT", "config": ["reason": "clicked"]],
                ]))
        let mail = try #require(try await send(engine).first)
        let optOuts = OptOuts(context: engine.context)
        let token = try token(mail)
        let shown = try #require(try await optOuts.standing(token, kind: .unsubscribe))
        #expect(shown.isSubscribed && shown.address == "a…@example.org" && shown.locale == "de")
        #expect(try await engine.contact()?.isSubscribed == true)
        for _ in 0..<2 {
            let standing = try #require(try await optOuts.unsubscribe(token, reason: .oneClick))
            #expect(!standing.isSubscribed)
        }
        #expect(try await engine.contact()?.isSubscribed == false)
        let left = try await engine.executions("left")
        #expect(left.map(\.exitReason) == ["clicked"])
        let events = try await engine.context.store.read { reader in
            try reader.newestEventData(of: "contact.unsubscribed", in: engine.project.id, among: 100)
        }
        let entry = try #require(engine.context.tokens.verify(token, kind: .unsubscribe))
        #expect(events == [["emailId": .string("\(entry)"), "reason": "one_click"]])
        engine.clock.advance(seconds: 1)
        #expect(try await send(engine).isEmpty)
        let execution = try #require(try await engine.executions().last)
        let steps = try await engine.steps(of: execution)
        #expect(steps.last?.output["skipped"] == "unsubscribed")
    }

    @Test func aTokenOfAnotherKindOrAlteredIsNone() async throws {
        let (engine, database) = try await engine()
        _ = database
        let token = try token(try #require(try await send(engine).first))
        let entry = try #require(engine.context.tokens.verify(token, kind: .unsubscribe))
        let tokens = engine.context.tokens
        let optOuts = OptOuts(context: engine.context)
        let wrong = [
            "", "x", String(token.dropLast()), token + "A", String(token.reversed()),
            (token.first == "A" ? "B" : "A") + token.dropFirst(), tokens.token(.open, for: entry),
            tokens.token(.delivery, for: entry), tokens.token(.preferences, for: entry),
            tokens.token(forLinkTo: "https://example.org/", in: entry),
        ]
        for text in wrong {
            #expect(try await optOuts.unsubscribe(text, reason: .oneClick) == nil, "\(text)")
            #expect(try await optOuts.standing(text, kind: .unsubscribe) == nil, "\(text)")
        }
        #expect(try await optOuts.save(token, subscribed: false, chosenTopics: []) == nil)
        #expect(try await engine.contact()?.isSubscribed == true)
    }

    @Test func aMailThatIsGoneLeavesNothingToEnd() async throws {
        let (engine, database) = try await engine()
        _ = database
        let token = engine.context.tokens.token(.unsubscribe, for: Identifier(high: 7, low: 7))
        let standing = try #require(try await OptOuts(context: engine.context).unsubscribe(token, reason: .oneClick))
        #expect(standing.address == nil && !standing.isSubscribed)
    }

    @Test func preferencesSubscribeAgainAndChooseAmongTheTopicsThatAreThere() async throws {
        let (engine, database) = try await engine()
        _ = database
        let sent = try #require(try await send(engine).first)
        let entry = try #require(engine.context.tokens.verify(try token(sent), kind: .unsubscribe))
        let token = engine.context.tokens.token(.preferences, for: entry)
        let optOuts = OptOuts(context: engine.context)
        let shown = try #require(try await optOuts.standing(token, kind: .preferences))
        #expect(shown.topics == [.init(key: "news", isChosen: true), .init(key: "offers", isChosen: true)])
        _ = try await optOuts.save(token, subscribed: false, chosenTopics: ["offers", "invented"])
        var contact = try #require(try await engine.contact())
        #expect(!contact.isSubscribed)
        #expect(contact.data["topics"] == ["news": false, "offers": true, "n": 1])
        _ = try await optOuts.save(token, subscribed: true, chosenTopics: ["news"])
        contact = try #require(try await engine.contact())
        #expect(contact.isSubscribed)
        #expect(contact.data["topics"] == ["news": true, "offers": false, "n": 1])
        #expect(try await send(engine).count == 1)
    }

    /// What stands against an address without its owner's word may end without him: he is asked all the same, and what he saves
    /// says nothing that he did not choose.
    @Test(arguments: [Suppression.Reason.bounce, .manual])
    func aSuppressedReaderIsStillSubscribedAndMayLeave(reason: Suppression.Reason) async throws {
        let (engine, database) = try await engine()
        _ = database
        let token = try token(try #require(try await send(engine).first))
        let (project, now) = (engine.project.id, engine.clock.now())
        try await engine.context.store.write {
            try $0.save(
                Suppression(
                    projectID: project, address: "ann@example.org", reason: reason, createdAt: now,
                    expiresAt: now.adding(seconds: 3600)))
        }
        let optOuts = OptOuts(context: engine.context)
        #expect(try await optOuts.standing(token, kind: .unsubscribe)?.isSubscribed == true)
        let entry = try #require(engine.context.tokens.verify(token, kind: .unsubscribe))
        let manage = engine.context.tokens.token(.preferences, for: entry)
        #expect(try await optOuts.standing(manage, kind: .preferences)?.isSubscribed == true)
        #expect(try await optOuts.save(manage, subscribed: true, chosenTopics: ["news"])?.isSubscribed == true)
        #expect(try await engine.contact()?.isSubscribed == true)
        #expect(try await reasons(engine, "ann@example.org") == [reason])
        #expect(try await optOuts.unsubscribe(token, reason: .page)?.isSubscribed == false)
        #expect(try await engine.contact()?.isSubscribed == false)
    }

    /// The mail is older than the contact's present address, and its reader is the contact all the same.
    @Test(arguments: [nil, "Ann <{{ contact.email }}>"])
    func aReaderWhoseAddressHasChangedIsStillTheContact(to: String?) async throws {
        let (engine, database) = try await engine(to: to)
        _ = database
        let token = try token(try #require(try await send(engine).first))
        let contact = try #require(try await engine.contact())
        _ = try await Contacts(context: engine.context, projectID: engine.project.id)
            .change(contact.id, .init(email: "ann@example.net"))
        let optOuts = OptOuts(context: engine.context)
        let shown = try #require(try await optOuts.standing(token, kind: .unsubscribe))
        #expect(shown.isSubscribed && shown.address == "a…@example.org", "the new one is not the reader's to see")
        let standing = try #require(try await optOuts.unsubscribe(token, reason: .oneClick))
        #expect(!standing.isSubscribed)
        #expect(try await engine.contact("ann@example.net")?.isSubscribed == false)
        #expect(try await reasons(engine, "ann@example.org") == [.unsubscribe])
        let entry = try #require(engine.context.tokens.verify(token, kind: .unsubscribe))
        let manage = engine.context.tokens.token(.preferences, for: entry)
        let back = try #require(try await optOuts.save(manage, subscribed: true, chosenTopics: []))
        #expect(back.isSubscribed)
        #expect(try await engine.contact("ann@example.net")?.isSubscribed == true)
        #expect(try await reasons(engine, "ann@example.org").isEmpty)
    }

    /// Mail that goes to somebody else than its contact: the reader speaks for the address, not for the contact.
    @Test func aReaderWhoIsNotTheContactEndsMailToThatAddressAlone() async throws {
        let (engine, database) = try await engine(to: "Sales <Sales@example.net>")
        _ = database
        let token = try token(try #require(try await send(engine).first))
        let optOuts = OptOuts(context: engine.context)
        let standing = try #require(try await optOuts.unsubscribe(token, reason: .oneClick))
        #expect(standing.address == "s…@example.net" && !standing.isSubscribed)
        #expect(try await engine.contact()?.isSubscribed == true)
        #expect(try await send(engine).isEmpty)
        let entry = try #require(engine.context.tokens.verify(token, kind: .unsubscribe))
        let manage = engine.context.tokens.token(.preferences, for: entry)
        let back = try #require(try await optOuts.save(manage, subscribed: true, chosenTopics: []))
        #expect(back.isSubscribed)
        #expect(try await send(engine).count == 1)
    }
}

@Suite struct PublicPageTests {
    private func pages() throws -> PublicPages {
        try PublicPages(
            .init(
                layout: "<{{ language }}|{{ nonce }}>{{ content | raw }}",
                pages: [
                    .unsubscribe: "{{ t.ask }} {{ address }}", .unsubscribed: "{{ t.done }}",
                    .preferences: "{% for topic in topics %}{{ topic.name }}={{ topic.chosen }};{% endfor %}",
                    .notFound: "{{ t.lost }}", .unavailable: "",
                ],
                texts: [
                    "en": ["ask": "Stop {project}?", "done": "Done", "lost": "Lost"],
                    "de": ["ask": "{project} beenden?", "topics": ["news": "Neues"]], "pt-br": ["done": "Pronto"],
                ]))
    }

    private let standing = OptOuts.Standing(
        address: "a…@b", projectName: "<Shop>", isSubscribed: true,
        topics: [.init(key: "news", isChosen: true), .init(key: "<x>", isChosen: false)], manageToken: "M")

    @Test(arguments: [
        (nil, nil, "en"), (nil, "de", "de"), (nil, "xx, fr;q=0.9, de-AT;q=0.8", "de"), ("de_CH", "en", "de"),
        ("pt-BR", nil, "pt-br"), ("pt", "de;q=0", "en"), (nil, "en;q=0.2, de;q=0.7", "de"), ("", ",,;q=;", "en"),
        (nil, "*", "en"), (nil, "DE", "de"),
    ])
    func theFirstLanguageThatThereIsCounts(locale: String?, accepted: String?, language: String) throws {
        let page = try pages().page(
            .notFound, for: .init(locale: locale, acceptLanguage: accepted), nonce: "n")
        #expect(page.language == language)
        #expect(page.html == "<\(language)|n>Lost")
    }

    @Test func whatAPageSaysIsEscapedAndTopicsHaveNames() throws {
        let reader = PublicPages.Reader(acceptLanguage: "de")
        let ask = try pages().page(.unsubscribe, for: reader, about: standing, nonce: "n")
        #expect(ask.html == "<de|n>&lt;Shop&gt; beenden? a…@b")
        let preferences = try pages().page(.preferences, for: reader, about: standing, nonce: "n")
        #expect(preferences.html == "<de|n>Neues=true;&lt;x&gt;=false;")
        // A text that a language lacks is the English one.
        #expect(try pages().page(.unsubscribed, for: reader, about: standing, nonce: "n").html == "<de|n>Done")
    }

    @Test func sourcesWithoutAPageOrEnglishTextsAreRefused() {
        #expect(throws: PublicPages.Failure.self) {
            try PublicPages(.init(layout: "", pages: [:], texts: ["en": [:]]))
        }
        #expect(throws: PublicPages.Failure.self) { try PublicPages(.init(layout: "", pages: [:], texts: ["de": [:]])) }
        let broken = Dictionary(uniqueKeysWithValues: PublicPages.Name.allCases.map { ($0, "{% if %}") })
        #expect(throws: PublicPages.Failure.self) {
            try PublicPages(.init(layout: "", pages: broken, texts: ["en": [:]]))
        }
    }

    @Test func barePagesAreThereWithoutAnyFile() throws {
        let page = try PublicPages.bare().page(.preferences, for: .init(), about: standing, nonce: "n")
        #expect(page.html.contains("name=\"topic\" value=\"news\"") && page.html.contains("&lt;x&gt;"))
    }
}
