import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// Templates as clients handle them, over the real store.
@Suite struct TemplatesTests {
    private struct Stage {
        let engine: EngineFixture
        let database: TemporaryDatabase
        var templates: Templates { Templates(context: engine.context, projectID: engine.project.id) }

        @discardableResult
        func make(
            _ name: String, kind: TemplateSummary.Kind = .transactional, subject: String = "S", html: String? = nil,
            text: String? = nil, markdown: String? = nil, from: String? = nil, fromName: String? = nil
        ) async throws -> Catalog.TemplateRecord {
            try await templates.create(
                NewTemplate(
                    name: name, kind: kind,
                    content: TemplateContent(
                        subject: kind == .partial ? "" : subject, html: html, text: text, markdown: markdown,
                        from: from,
                        fromName: fromName))
            ).template
        }

        func partial(_ name: String, html: String? = nil, text: String? = nil) async throws -> Catalog.TemplateRecord {
            try await make(name, kind: .partial, html: html, text: text)
        }

        /// What a mail of the template says, sent by a workflow to a new contact.
        func sent(_ template: String, data: JSONObject = [:]) async throws -> String {
            try await engine.apply(flow(template))
            try await engine.track("signed_up", data: data)
            return try await dispatched().last ?? ""
        }

        func dispatched() async throws -> [String] {
            let transport = ScriptedTransport()
            try await engine.runDispatch(transport)
            return transport.sent.map { String(decoding: $0.bytes, as: UTF8.self) }
        }

        func flow(_ template: String, slug: String = "flow") -> JSON {
            document(
                reentry: true, slug: slug,
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": .string(template)]]], templates: [:])
        }
    }

    private func stage() async throws -> Stage {
        let (engine, database) = try await makeEngine()
        return Stage(engine: engine, database: database)
    }

    private func refusal(
        _ code: UseCaseError.Code, _ body: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async -> [String] {
        let error = await #expect(throws: UseCaseError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        return error?.problems.map { problem in
            let place = problem.place.map { ":\($0.line):\($0.column ?? 0)" } ?? ""
            return "\(problem.path)\(place) \(problem.message)"
        } ?? []
    }

    // MARK: Versions

    @Test func everyChangeOfContentIsAVersionAndOlderOnesStay() async throws {
        let stage = try await stage()
        let made = try await stage.make("Welcome", text: "one")
        #expect(made.slug == "welcome" && made.current.number == 1)
        var changes = TemplateChanges()
        changes.text = "two"
        stage.engine.clock.advance(seconds: 5)
        let second = try await stage.templates.change(made.id, changes).template
        #expect(second.current.number == 2 && second.updatedAt > made.updatedAt && second.createdAt == made.createdAt)
        // The same again is no version, and neither is a name.
        #expect(try await stage.templates.change(made.id, changes).template.current.number == 2)
        var renamed = TemplateChanges()
        (renamed.name, renamed.description) = ("Hello", "Says hello")
        let other = try await stage.templates.change(made.id, renamed).template
        #expect(other.current.number == 2 && other.name == "Hello" && other.slug == "welcome")
        let restored = try await stage.templates.restore(1, of: made.id).template
        #expect(restored.current.number == 3 && restored.current.content.text == "one")
        let versions = try await stage.templates.versions(of: made.id, limit: 10, offset: 0)
        #expect(versions.total == 3 && versions.rows.map(\.number) == [3, 2, 1])
        #expect(versions.rows.map(\.content.text) == ["one", "two", "one"])
        #expect(try await stage.templates.version(2, of: made.id).version.content.text == "two")
        _ = await refusal(.notFound) { _ = try await stage.templates.restore(9, of: made.id) }
        _ = await refusal(.notFound) { _ = try await stage.templates.version(9, of: made.id) }
    }

    @Test func aMailIsRenderedFromTheVersionItWasAskedForWith() async throws {
        let stage = try await stage()
        let footer = try await stage.partial("Footer", text: "old footer")
        let template = try await stage.make("Welcome", text: "old {% render 'footer' %}")
        try await stage.engine.apply(stage.flow("welcome"))
        try await stage.engine.track("signed_up")
        var changes = TemplateChanges()
        changes.text = "new {% render 'footer' %}"
        _ = try await stage.templates.change(template.id, changes)
        changes.text = "new footer"
        _ = try await stage.templates.change(footer.id, changes)
        try await stage.engine.track("signed_up", "ben@example.org")
        let mails = try await stage.dispatched()
        #expect(mails.count == 2)
        for mail in mails {
            #expect(mail.contains(mail.contains("To: ann@") ? "old old footer" : "new new footer"), "\(mail)")
        }
    }

    @Test func aDeletedTemplateStillMakesTheMailsThatWereAskedFor() async throws {
        let stage = try await stage()
        let template = try await stage.make("Welcome", text: "Hello")
        try await stage.engine.apply(stage.flow("welcome"))
        try await stage.engine.track("signed_up")
        try await stage.engine.apply(
            document(reentry: true, steps: ["end": ["type": "EXIT"]], templates: [:]))
        try await stage.templates.delete([template.id])
        #expect(try await stage.dispatched().first?.contains("Hello") == true)
        _ = await refusal(.notFound) { _ = try await stage.templates.template(template.id) }
        // Its slug is free, and its successor begins a history of its own.
        let next = try await stage.make("Welcome", text: "Again")
        #expect(next.slug == "welcome" && next.current.number == 1)
    }

    // MARK: What is refused

    private static let refused: [(TemplateContent, [String])] = [
        (
            .init(subject: "{{ a", html: "x\n{% nope %}", text: "{{ b | nope }}"),
            [
                "subject:1:1 subject, line 1, column 1: the output is not closed with }}",
                "html:2:1 html, line 2, column 1: there is no tag \"nope\"",
                "text:1:8 text, line 1, column 8: there is no filter \"nope\"",
            ]
        ),
        (
            .init(subject: "s", html: nil, text: nil, markdown: "# Hi\n\n*{{ a | nope }}*"),
            ["markdown:3:9 markdown, line 3, column 9: there is no filter \"nope\""]
        ),
        (.init(subject: " ", html: "x", text: nil), ["subject is required"]),
        (.init(subject: "s", html: nil, text: nil), ["html html, markdown or text is required"]),
        (
            .init(subject: "s", html: "x", text: nil, markdown: "x"),
            ["markdown cannot stand beside html, which is made of it"]
        ),
        (
            .init(subject: "s", html: "x", text: nil, from: "nobody", replyTo: "no address"),
            [
                "from must be a mail address, with a name or without",
                "replyTo must be a mail address, with a name or without",
            ]
        ),
        (
            .init(subject: String(repeating: "s", count: 999), html: "x", text: nil),
            ["subject must not be longer than 998 characters"]
        ),
        (.init(subject: "s", html: "a\n {% render 'gone' %}", text: nil), ["html:2:2 there is no partial \"gone\""]),
        (
            .init(subject: "s", html: "{% include name %}", text: nil),
            [
                "html:1:1 include needs the name of a partial in quotes: a mail is kept with the partials it is made of"
            ]
        ),
        (
            .init(subject: "s", html: nil, text: String(repeating: "x", count: 200_001)),
            ["text:1:1 text, line 1, column 1: the template is longer than 200000 bytes"]
        ),
    ]

    @Test(arguments: refused)
    func whatCannotBecomeAMailIsRefusedWithItsPlace(content: TemplateContent, problems: [String]) async throws {
        let stage = try await stage()
        let found = await refusal(.invalid) {
            _ = try await stage.templates.create(NewTemplate(name: "T", content: content))
        }
        #expect(found == problems)
        #expect(try await stage.templates.list(.init(), limit: 10, offset: 0).total == 0)
        // The same rules for a change, a preview and a file.
        let template = try await stage.make("T", text: "x")
        var changes = TemplateChanges()
        (changes.subject, changes.html, changes.text) = (content.subject, .some(content.html), .some(content.text))
        (changes.markdown, changes.from, changes.replyTo) = (
            .some(content.markdown), .some(content.from), .some(content.replyTo)
        )
        #expect(await refusal(.invalid) { _ = try await stage.templates.change(template.id, changes) } == problems)
        #expect(try await stage.templates.template(template.id).current.number == 1)
        #expect(
            await refusal(.invalid) {
                _ = try await stage.templates.preview(content, kind: .marketing, PreviewRequest())
            } == problems)
    }

    @Test func filesAreHeldToTheSameRules() async throws {
        let stage = try await stage()
        func apply(_ template: JSON) async throws {
            try await stage.engine.apply(
                document(steps: ["end": ["type": "EXIT"]], templates: ["t": template]))
        }
        #expect(
            await refusal(.invalid) { try await apply(["subject": "s", "html": "{% render 'gone' %}"]) }
                == ["templates.t.html:1:1 there is no partial \"gone\""])
        #expect(
            await refusal(.invalid) { try await apply(["subject": "s", "text": "\n{{ a | nope }}"]) }
                == ["templates.t:2:8 text, line 2, column 8: there is no filter \"nope\""])
        #expect(
            await refusal(.invalid) { try await apply(["subject": "s", "text": "x", "from": "nobody"]) }
                == ["templates.t.from must be a mail address, with a name or without"])
        try await apply(["subject": "s", "markdown": "*x*", "fromName": "Us"])
        let stored = try await stage.templates.list(.init(), limit: 1, offset: 0).rows.first
        #expect(stored?.current.content.markdown == "*x*" && stored?.current.content.fromName == "Us")
        #expect(
            await refusal(.invalid) { try await apply(["type": "PARTIAL", "html": "x"]) }
                == ["templates.t.type a partial stays one, and nothing else becomes one"])
    }

    @Test func filesBringPartialsAlong() async throws {
        let stage = try await stage()
        let json = document(
            steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "t"]]],
            templates: [
                "t": ["type": "TRANSACTIONAL", "subject": "s", "text": "a {% render 'p' %}"],
                "p": ["type": "PARTIAL", "text": "part {% render 'q' %}"],
                "q": ["type": "PARTIAL", "text": "of {{ x }}"],
            ])
        try await stage.engine.apply(json)
        try await stage.engine.track("signed_up")
        #expect(try await stage.dispatched().first?.contains("a part of") == true)
        let exported = try await Workflows(context: stage.engine.context).export("flow", project: "default")
        #expect(exported.templates.map(\.slug) == ["t", "p", "q"])
        #expect(try await stage.engine.apply(exported.json) == .unchanged)
        let report = try await Simulation(context: stage.engine.context).run(
            SimulationRequest(contact: .init(email: "x@example.org")), document: try WorkflowDocument(json))
        #expect(report.mails.first?.text?.hasPrefix("a part of") == true)
    }

    @Test func unknownAndForeignIDsAreNotFound() async throws {
        let stage = try await stage()
        let template = try await stage.make("T", text: "x")
        let foreign = Templates(context: stage.engine.context, projectID: Identifier(high: 1, low: 1))
        for (templates, id) in [(foreign, template.id), (stage.templates, Identifier(high: 1, low: 2))] {
            _ = await refusal(.notFound) { _ = try await templates.template(id) }
            _ = await refusal(.notFound) { _ = try await templates.change(id, TemplateChanges()) }
            _ = await refusal(.notFound) { try await templates.delete([id]) }
            _ = await refusal(.notFound) { _ = try await templates.duplicate(id) }
            _ = await refusal(.notFound) { _ = try await templates.usage(of: id) }
            _ = await refusal(.notFound) { _ = try await templates.versions(of: id, limit: 1, offset: 0) }
            _ = await refusal(.notFound) { _ = try await templates.restore(1, of: id) }
            _ = await refusal(.notFound) { _ = try await templates.preview(id, PreviewRequest()) }
            _ = await refusal(.notFound) {
                _ = try await templates.sendTest(id, to: "a@example.org", PreviewRequest())
            }
        }
        #expect(try await foreign.list(.init(), limit: 10, offset: 0).total == 0)
    }

    // MARK: Use

    @Test func aTemplateInUseStaysAndTheStepsAreNamed() async throws {
        let stage = try await stage()
        let (used, free) = (try await stage.make("Used", text: "x"), try await stage.make("Free", text: "x"))
        try await stage.engine.apply(stage.flow("used"))
        try await stage.engine.apply(stage.flow("\(used.id)", slug: "other"))
        let wanted = [
            "workflows.flow.steps.mail the step mail of the workflow flow sends the template used",
            "workflows.other.steps.mail the step mail of the workflow other sends the template used",
        ]
        #expect(await refusal(.conflict) { try await stage.templates.delete([used.id]) }.sorted() == wanted)
        // All or none.
        #expect(await refusal(.conflict) { try await stage.templates.delete([free.id, used.id]) }.sorted() == wanted)
        #expect(try await stage.templates.list(.init(), limit: 10, offset: 0).total == 2)
        try await stage.engine.track("signed_up")
        let usage = try await stage.templates.usage(of: used.id)
        #expect(usage.steps.map(\.workflow.slug).sorted() == ["flow", "other"] && usage.mails == 2)
        #expect(try await stage.templates.delete([free.id, free.id]) == 1)
    }

    @Test func aCopyHasAHistoryOfItsOwn() async throws {
        let stage = try await stage()
        let template = try await stage.make("Welcome", html: "<p>x</p>")
        let copy = try await stage.templates.duplicate(template.id).template
        #expect(copy.name == "Welcome (Copy)" && copy.slug == "welcome-copy" && copy.id != template.id)
        #expect(copy.current.content == template.current.content && copy.current.number == 1)
        #expect(try await stage.templates.duplicate(template.id).template.slug == "welcome-copy-2")
    }

    @Test func aTakenSlugIsRefusedAndAMadeOneGivesWay() async throws {
        let stage = try await stage()
        try await stage.make("Welcome", text: "x")
        #expect(try await stage.make("Welcome", text: "x").slug == "welcome-2")
        let content = TemplateContent(subject: "s", html: nil, text: "x")
        #expect(
            await refusal(.conflict) {
                _ = try await stage.templates.create(NewTemplate(name: "N", slug: "welcome", content: content))
            } == ["slug is taken"])
        #expect(
            await refusal(.invalid) {
                _ = try await stage.templates.create(NewTemplate(name: "N", slug: "No Slug", content: content))
            } == ["slug must be lower-case letters, digits, - and _, at most 64"])
    }

    @Test func listsAreSearchedFilteredAndSorted() async throws {
        let stage = try await stage()
        for (name, kind) in [("Beta", TemplateSummary.Kind.marketing), ("alpha", .transactional), ("Gamma", .headless)]
        {
            try await stage.make(name, kind: kind, subject: "About \(name)", text: "x")
            stage.engine.clock.advance(seconds: 1)
        }
        func names(_ change: (inout Templates.Selection) -> Void) async throws -> [String] {
            var selection = Templates.Selection()
            change(&selection)
            return try await stage.templates.list(selection, limit: 10, offset: 0).rows.map(\.name)
        }
        #expect(try await names { _ in } == ["Gamma", "alpha", "Beta"])
        #expect(try await names { ($0.order, $0.isAscending) = (.name, true) } == ["alpha", "Beta", "Gamma"])
        #expect(try await names { $0.kind = .headless } == ["Gamma"])
        #expect(try await names { $0.search = "ABOUT B" } == ["Beta"])
        #expect(try await names { $0.search = "nothing" } == [])
        let page = try await stage.templates.list(.init(), limit: 1, offset: 1)
        #expect(page.rows.map(\.name) == ["alpha"] && page.total == 3)
    }

    // MARK: Partials

    @Test func partialsAreThisProjectsAloneAndEachPartTakesItsOwn() async throws {
        let stage = try await stage()
        _ = try await stage.partial("Footer", html: "<p>{{ contact.name }}</p>", text: "-- {{ contact.name }}")
        try await stage.make(
            "Welcome", subject: "S {% render 'footer' %}", html: "<h1>x</h1>{% include 'footer' %}",
            text: "x {% include 'footer' %}")
        let preview = try await stage.templates.preview(
            try await stage.templates.list(.init(), limit: 1, offset: 0).rows[0].id,
            PreviewRequest(data: ["name": "<Ann>"]))
        // `render` sees nothing of its caller's variables.
        #expect(preview.subject == "S -- ")
        #expect(preview.html == "<h1>x</h1><p>&lt;Ann&gt;</p>" && preview.text == "x -- <Ann>")
        let foreign = Templates(context: stage.engine.context, projectID: Identifier(high: 1, low: 1))
        let content = TemplateContent(subject: "s", html: "{% render 'footer' %}", text: nil)
        #expect(
            await refusal(.invalid) { _ = try await foreign.preview(content, kind: .marketing, PreviewRequest()) }
                == ["html:1:1 there is no partial \"footer\""])
    }

    @Test func aPartialThatCannotBeRenderedThereIsRefused() async throws {
        let stage = try await stage()
        _ = try await stage.partial("A", html: "a")
        let content = TemplateContent(subject: "{% render 'a' %}", html: "{% render 'a' %}", text: "\n{% render 'a' %}")
        #expect(
            await refusal(.invalid) { _ = try await stage.templates.create(NewTemplate(name: "T", content: content)) }
                == ["subject:1:1 the partial \"a\" has no text", "text:2:1 the partial \"a\" has no text"])
        // No mail is made of a partial alone.
        #expect(
            await refusal(.invalid) { try await stage.engine.apply(stage.flow("a")) }
                == ["steps.mail.config.template there is no template a"])
        let id = try await stage.templates.list(.init(), limit: 1, offset: 0).rows[0].id
        #expect(
            await refusal(.invalid) { _ = try await stage.templates.sendTest(id, to: "a@example.org", .init()) }
                == ["type no mail is made from a partial alone"])
        var changes = TemplateChanges()
        changes.kind = .marketing
        changes.subject = "s"
        #expect(
            await refusal(.invalid) { _ = try await stage.templates.change(id, changes) }
                == ["type a partial stays one, and nothing else becomes one"])
    }

    @Test func partialsThatIncludeEachOtherAreRefusedAndSoIsADeepNest() async throws {
        let stage = try await stage()
        let a = try await stage.partial("A", html: "a")
        _ = try await stage.partial("B", html: "{% render 'a' %}")
        _ = try await stage.partial("C", html: "{% render 'b' %}")
        var changes = TemplateChanges()
        changes.html = "x {% include 'c' %}"
        #expect(
            await refusal(.invalid) { _ = try await stage.templates.change(a.id, changes) }
                == ["html:1:3 the partials include each other: a → c → b → a"])
        changes.html = "{% include 'a' %}"
        #expect(
            await refusal(.invalid) { _ = try await stage.templates.change(a.id, changes) }
                == ["html:1:1 the partials include each other: a → a"])
        _ = try await stage.partial("P0", html: "p")
        for number in 1...9 { _ = try await stage.partial("P\(number)", html: "{% render 'p\(number - 1)' %}") }
        try await stage.make("Deep", html: "{% render 'p9' %}")
        #expect(
            await refusal(.invalid) { _ = try await stage.partial("P10", html: "{% render 'p9' %}") }
                == ["html:1:1 partials are nested deeper than 10"])
    }

    @Test func aPartialInUseCannotBeBrokenOrTakenAway() async throws {
        let stage = try await stage()
        let inner = try await stage.partial("Inner", html: "x", text: "x")
        let outer = try await stage.partial("Outer", html: "{% render 'inner' %}")
        let mail = try await stage.make("Mail", html: "{% render 'outer' %}", text: "{% render 'inner' %}")
        var changes = TemplateChanges()
        changes.text = .some(nil)
        #expect(
            await refusal(.conflict) { _ = try await stage.templates.change(inner.id, changes) }
                == ["templates.mail.text the partial \"inner\" has no text"])
        let users = await refusal(.conflict) { try await stage.templates.delete([inner.id]) }
        #expect(
            users == [
                "templates.mail Mail includes the partial inner", "templates.outer Outer includes the partial inner",
            ])
        let usage = try await stage.templates.usage(of: inner.id)
        #expect(usage.templates.map(\.slug) == ["mail", "outer"] && usage.steps.isEmpty)
        // Together with all that include it, it may go.
        #expect(try await stage.templates.delete([inner.id, outer.id, mail.id]) == 3)
    }

    // MARK: Mails

    @Test func markdownBecomesHTMLAndTextWithValuesEscaped() async throws {
        let stage = try await stage()
        try await stage.make(
            "Welcome", markdown: "# Hello *{{ name }}*\n\n[Shop]({{ url }}) `{{ name | upcase }}`", fromName: "Shop")
        let preview = try await stage.templates.preview(
            try await stage.templates.list(.init(), limit: 1, offset: 0).rows[0].id,
            PreviewRequest(data: ["name": "<i>Ann</i>*", "url": "https://example.com/?a=1&b=\"2\""]))
        #expect(
            preview.html == """
                <h1>Hello <em>&lt;i&gt;Ann&lt;/i&gt;*</em></h1>
                <p><a href="https://example.com/?a=1&amp;b=&quot;2&quot;">Shop</a> <code>&lt;I&gt;ANN&lt;/I&gt;*</code></p>

                """)
        #expect(preview.text.contains("Hello <i>Ann</i>*") && preview.text.contains("https://example.com/?a=1&b=\"2\""))
    }

    @Test func everyHTMLMailHasAPlainTextPartWithItsLinks() async throws {
        let stage = try await stage()
        try await stage.make(
            "Welcome", html: "<p>Hi {{ contact.name }}, <a href=\"https://example.com/a\">read on</a></p>",
            fromName: "The Shop")
        let mail = try await stage.sent("welcome", data: ["name": "Ann"])
        #expect(mail.contains("multipart/alternative") && mail.contains("text/plain") && mail.contains("text/html"))
        #expect(mail.contains("Hi Ann, read on (https://example.com/a)") || mail.contains("https://example.com/a>"))
        #expect(mail.contains("From: The Shop <robot@example.com>"))
    }

    @Test func addressesAreRenderedToo() async throws {
        let stage = try await stage()
        try await stage.make(
            "Welcome", text: "x", from: "{{ contact.agent }}@example.com",
            fromName: "{{ contact.agent | capitalize ?? Us }}")
        let mail = try await stage.sent("welcome", data: ["agent": "carla"])
        #expect(mail.contains("From: Carla <carla@example.com>"))
        #expect(
            await refusal(.invalid) { try await stage.make("Bad", text: "x", from: "{{ a | nope }}@example.com") }
                == ["from:1:8 from, line 1, column 8: there is no filter \"nope\""])
    }

    @Test(arguments: [
        (TemplateSummary.Kind.marketing, 0, true), (.headless, 0, false), (.transactional, 1, false),
    ])
    func kindsDecideAboutUnsubscribedContactsAndFields(
        kind: TemplateSummary.Kind, count: Int, isBulk: Bool
    ) async throws {
        let stage = try await stage()
        try await stage.make("Welcome", kind: kind, text: "x")
        try await stage.engine.apply(stage.flow("welcome"))
        try await stage.engine.track("signed_up", subscribed: false)
        #expect(try await stage.dispatched().count == count)
        try await stage.engine.track("signed_up", "ben@example.org", subscribed: true)
        let mail = try #require(try await stage.dispatched().first)
        #expect(mail.contains("Precedence: bulk") == isBulk)
    }

    @Test func fallbacksStandWhereAValueIsMissing() async throws {
        let stage = try await stage()
        let content = TemplateContent(
            subject: "{{ a ?? you }} {{a??'b c'}} {{ a ?? b ?? c }} {{ first name ?? \"q|r\" | upcase }} {{ n ?? x }}",
            html: nil, text: "{{ blank ?? x }}{{ zero ?? x }}{{ no ?? x }}{{ }}")
        let preview = try await stage.templates.preview(
            content, kind: .transactional, PreviewRequest(data: ["n": nil, "blank": "", "zero": 0, "no": false]))
        #expect(preview.subject == "you b c b Q|R x")
        #expect(preview.text == "0false")
    }

    // MARK: Preview

    @Test func previewIsForAContactOrForGivenData() async throws {
        let stage = try await stage()
        let template = try await stage.make(
            "T", subject: "{{ contact.email }} {{ event.plan }} {{ context.k }}", text: "{{ data.name }} {{ name }}")
        try await stage.engine.track("x", "ann@example.org", data: ["name": "Ann"])
        let contact = try #require(try await stage.engine.contact())
        let stored = try await stage.templates.preview(
            template.id,
            PreviewRequest(contactID: contact.id, event: ["plan": "pro"], context: ["k": 1]))
        #expect(stored.subject == "ann@example.org pro 1" && stored.text == "Ann Ann" && stored.html == nil)
        let laidOver = try await stage.templates.preview(
            template.id, PreviewRequest(email: "ann@example.org", data: ["name": "Eve"]))
        #expect(laidOver.text == "Eve Eve")
        let madeUp = try await stage.templates.preview(template.id, PreviewRequest())
        #expect(madeUp.subject == "recipient@example.com  ")
        _ = await refusal(.notFound) {
            _ = try await stage.templates.preview(
                template.id, PreviewRequest(contactID: Identifier(high: 1, low: 1)))
        }
        var changes = TemplateChanges()
        changes.subject = "new"
        _ = try await stage.templates.change(template.id, changes)
        #expect(try await stage.templates.preview(template.id, PreviewRequest(version: 1)).subject != "new")
        _ = await refusal(.notFound) {
            _ = try await stage.templates.preview(template.id, PreviewRequest(version: 7))
        }
        // Nothing of it is written.
        #expect(try await stage.dispatched().isEmpty)
        #expect(try await stage.engine.contact()?.data["name"] == "Ann")
    }

    private static let endless: [(String, String)] = [
        ("{% for i in (1..100001) %}{% endfor %}", "the loops make more than 100000 turns"),
        ("{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}", "turns"),
        ("{% assign a = 'xxxxxxxxxx' %}\(String(repeating: "{% assign a = a | append: a %}", count: 20)){{ a }}", ""),
        (
            "{% for i in (1..99999) %}{{ 'x' | append: \(String(repeating: "'0123456789' | append: ", count: 20))'' }}{% endfor %}",
            ""
        ),
    ]

    @Test(arguments: endless)
    func anEndlessTemplateEndsWithAnErrorAndHoldsNobodyUp(html: String, message: String) async throws {
        let stage = try await stage()
        let template = try await stage.make("Loop", html: html)
        let clock = ContinuousClock()
        let start = clock.now
        let problems = await refusal(.invalid) { _ = try await stage.templates.preview(template.id, PreviewRequest()) }
        #expect(
            problems.count == 1 && problems[0].hasPrefix("html:1:0 cannot be rendered: ")
                && problems[0].contains(message))
        // A second where the program is optimised; here it is not.
        #expect(clock.now - start < .seconds(20))
        // A workflow sends it: the event is recorded at once, and the mail alone fails.
        try await stage.engine.apply(
            document(event: "email.failed", slug: "failed", steps: ["end": ["type": "EXIT"]], templates: [:]))
        #expect(try await stage.sent("loop") == "")
        #expect(try await stage.engine.executions().map(\.status) == [.completed])
        #expect(try await stage.engine.executions("failed").count == 1)
    }

    /// A step's options are rendered within the transaction.
    @Test func anEndlessOptionFailsItsExecutionSoon() async throws {
        let stage = try await stage()
        try await stage.make("Mail", text: "x")
        try await stage.engine.apply(
            document(
                steps: [
                    "mail": [
                        "type": "SEND_EMAIL",
                        "config": [
                            "template": "mail",
                            "to": "{% for i in (1..90000) %}{% assign x = i %}{% endfor %}a@b.example",
                        ],
                    ]
                ], templates: [:]))
        try await stage.engine.track("signed_up")
        let execution = try #require(try await stage.engine.executions().first)
        #expect(execution.status == .failed && execution.exitReason?.contains("turns") == true)
    }

    // MARK: Warnings

    @Test func unknownVariablesAreWarnedOfWithTheNearestName() async throws {
        let stage = try await stage()
        try await stage.engine.track("bought", data: ["firstName": "Ann", "plan": "pro", "order.id": 7])
        let content = TemplateContent(
            subject: "{{ contact.fristName }} {{ firstName }} {{ plam }}",
            html:
                "{% assign own = 1 %}{{ own }}\n {{ event.pla }}{{ contact.data.plan }}{{ contact.emial }}{{ data.plan }}",
            text: "{{ steps.x.y }}{{ context.z }}{{ entirelyElsewhere }}{{ contact[\"order.id\"] }}{{ trigger.plan }}")
        let warnings = try await stage.templates.preview(content, kind: .marketing, PreviewRequest()).warnings
        #expect(
            warnings.map { "\($0.part) \($0.place?.line ?? 0) \($0.variable) → \($0.suggestion ?? "")" } == [
                "subject 1 contact.fristName → contact.firstName", "subject 1 plam → plan",
                "html 2 event.pla → event.plan", "html 2 contact.emial → contact.email",
                "text 1 entirelyElsewhere → ",
            ])
        #expect(
            warnings.first?.message
                == "no contact and no event of this project has contact.fristName; did you mean contact.firstName?")
        #expect(warnings.first?.place?.column == 4)
        // Bare names in a partial are what its callers give it.
        let partial = try await stage.templates.create(
            NewTemplate(
                name: "P", kind: .partial,
                content: TemplateContent(subject: "", html: "{{ title }}{{ contact.nope }}", text: nil)))
        #expect(partial.warnings.map(\.variable) == ["contact.nope"])
    }

    // MARK: Tests

    @Test func aTestMailIsMarkedAndNothingComesOfItsFate() async throws {
        let stage = try await stage()
        let template = try await stage.make(
            "T", kind: .marketing, subject: "Hi {{ contact.email }}", html: "<body>{{ event.plan }}</body>")
        try await stage.engine.apply(
            document(event: "email.sent", slug: "watch", steps: ["end": ["type": "EXIT"]], templates: [:]))
        let test = try await stage.templates.sendTest(
            template.id, to: "author@example.net", PreviewRequest(email: "ann@example.org", event: ["plan": "pro"]))
        #expect(test.subject == "[Test] Hi ann@example.org" && test.recipient == "author@example.net")
        let transport = ScriptedTransport()
        try await stage.engine.runDispatch(transport)
        let mail = try #require(transport.sent.first)
        let text = String(decoding: mail.bytes, as: UTF8.self)
        #expect(mail.recipient == "author@example.net")
        #expect(text.contains("Subject: [Test] Hi ann@example.org") && text.contains("pro") && !text.contains(".gif"))
        #expect(try await stage.engine.executions("watch").isEmpty)
        let events = try await stage.engine.context.store.read {
            try $0.newestEventData(of: nil, in: template.projectID, among: 10)
        }
        #expect(events.isEmpty)
    }

    @Test func aTestThatCannotBecomeAMailIsRefusedAtOnce() async throws {
        let stage = try await stage()
        let template = try await stage.make("T", subject: "{{ 1 | divided_by: 0 }}", text: "x")
        let problems = await refusal(.invalid) {
            _ = try await stage.templates.sendTest(template.id, to: "a@example.org", PreviewRequest())
        }
        #expect(problems.first?.hasPrefix("subject:1:0 cannot be rendered: ") == true)
        let (engine, database) = try await makeEngine { $0.defaultFrom = nil }
        let bare = Stage(engine: engine, database: database)
        let nameless = try await bare.make("T", text: "x")
        #expect(
            await refusal(.invalid) {
                _ = try await bare.templates.sendTest(nameless.id, to: "a@example.org", PreviewRequest())
            }.first?.contains("there is no From address") == true)
    }
}
