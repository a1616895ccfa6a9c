import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// Templates as clients handle them, over the real store.
@Suite struct TemplatesTests {
    // MARK: Versions

    @Test func everyChangeOfContentIsAVersionAndOlderOnesStay() async throws {
        let stage = try await TemplateStage.set()
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
        _ = await TemplateStage.refusal(.notFound) { _ = try await stage.templates.restore(9, of: made.id) }
        _ = await TemplateStage.refusal(.notFound) { _ = try await stage.templates.version(9, of: made.id) }
    }

    @Test func aMailIsRenderedFromTheVersionItWasAskedForWith() async throws {
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
        let template = try await stage.make("Welcome", text: "Hello")
        try await stage.engine.apply(stage.flow("welcome"))
        try await stage.engine.track("signed_up")
        try await stage.engine.apply(
            document(reentry: true, steps: ["end": ["type": "EXIT"]], templates: [:]))
        try await stage.templates.delete([template.id])
        #expect(try await stage.dispatched().first?.contains("Hello") == true)
        _ = await TemplateStage.refusal(.notFound) { _ = try await stage.templates.template(template.id) }
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
        let stage = try await TemplateStage.set()
        let found = await TemplateStage.refusal(.invalid) {
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
        #expect(
            await TemplateStage.refusal(.invalid) { _ = try await stage.templates.change(template.id, changes) }
                == problems)
        #expect(try await stage.templates.template(template.id).current.number == 1)
        #expect(
            await TemplateStage.refusal(.invalid) {
                _ = try await stage.templates.preview(content, kind: .marketing, PreviewRequest())
            } == problems)
    }

    @Test func filesAreHeldToTheSameRules() async throws {
        let stage = try await TemplateStage.set()
        func apply(_ template: JSON) async throws {
            try await stage.engine.apply(
                document(steps: ["end": ["type": "EXIT"]], templates: ["t": template]))
        }
        #expect(
            await TemplateStage.refusal(.invalid) { try await apply(["subject": "s", "html": "{% render 'gone' %}"]) }
                == ["templates.t.html:1:1 there is no partial \"gone\""])
        #expect(
            await TemplateStage.refusal(.invalid) { try await apply(["subject": "s", "text": "\n{{ a | nope }}"]) }
                == ["templates.t:2:8 text, line 2, column 8: there is no filter \"nope\""])
        #expect(
            await TemplateStage.refusal(.invalid) { try await apply(["subject": "s", "text": "x", "from": "nobody"]) }
                == ["templates.t.from must be a mail address, with a name or without"])
        try await apply(["subject": "s", "markdown": "*x*", "fromName": "Us"])
        let stored = try await stage.templates.list(.init(), limit: 1, offset: 0).rows.first
        #expect(stored?.current.content.markdown == "*x*" && stored?.current.content.fromName == "Us")
        #expect(
            await TemplateStage.refusal(.invalid) { try await apply(["type": "PARTIAL", "html": "x"]) }
                == ["templates.t.type a partial stays one, and nothing else becomes one"])
    }

    @Test func filesBringPartialsAlong() async throws {
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
        let template = try await stage.make("T", text: "x")
        let foreign = Templates(context: stage.engine.context, projectID: Identifier(high: 1, low: 1))
        for (templates, id) in [(foreign, template.id), (stage.templates, Identifier(high: 1, low: 2))] {
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.template(id) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.change(id, TemplateChanges()) }
            _ = await TemplateStage.refusal(.notFound) { try await templates.delete([id]) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.duplicate(id) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.usage(of: id) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.versions(of: id, limit: 1, offset: 0) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.restore(1, of: id) }
            _ = await TemplateStage.refusal(.notFound) { _ = try await templates.preview(id, PreviewRequest()) }
            _ = await TemplateStage.refusal(.notFound) {
                _ = try await templates.sendTest(id, to: "a@example.org", PreviewRequest())
            }
        }
        #expect(try await foreign.list(.init(), limit: 10, offset: 0).total == 0)
    }

    // MARK: Use

    @Test func aTemplateInUseStaysAndTheStepsAreNamed() async throws {
        let stage = try await TemplateStage.set()
        let (used, free) = (try await stage.make("Used", text: "x"), try await stage.make("Free", text: "x"))
        try await stage.engine.apply(stage.flow("used"))
        try await stage.engine.apply(stage.flow("\(used.id)", slug: "other"))
        let wanted = [
            "workflows.flow.steps.mail the step mail of the workflow flow sends the template used",
            "workflows.other.steps.mail the step mail of the workflow other sends the template used",
        ]
        #expect(
            await TemplateStage.refusal(.conflict) { try await stage.templates.delete([used.id]) }.sorted() == wanted)
        // All or none.
        #expect(
            await TemplateStage.refusal(.conflict) { try await stage.templates.delete([free.id, used.id]) }.sorted()
                == wanted)
        #expect(try await stage.templates.list(.init(), limit: 10, offset: 0).total == 2)
        try await stage.engine.track("signed_up")
        let usage = try await stage.templates.usage(of: used.id)
        #expect(usage.steps.map(\.workflow.slug).sorted() == ["flow", "other"] && usage.mails == 2)
        #expect(try await stage.templates.delete([free.id, free.id]) == 1)
    }

    @Test func aCopyHasAHistoryOfItsOwn() async throws {
        let stage = try await TemplateStage.set()
        let template = try await stage.make("Welcome", html: "<p>x</p>")
        let copy = try await stage.templates.duplicate(template.id).template
        #expect(copy.name == "Welcome (Copy)" && copy.slug == "welcome-copy" && copy.id != template.id)
        #expect(copy.current.content == template.current.content && copy.current.number == 1)
        #expect(try await stage.templates.duplicate(template.id).template.slug == "welcome-copy-2")
    }

    @Test func aTakenSlugIsRefusedAndAMadeOneGivesWay() async throws {
        let stage = try await TemplateStage.set()
        try await stage.make("Welcome", text: "x")
        #expect(try await stage.make("Welcome", text: "x").slug == "welcome-2")
        let content = TemplateContent(subject: "s", html: nil, text: "x")
        #expect(
            await TemplateStage.refusal(.conflict) {
                _ = try await stage.templates.create(NewTemplate(name: "N", slug: "welcome", content: content))
            } == ["slug is taken"])
        #expect(
            await TemplateStage.refusal(.invalid) {
                _ = try await stage.templates.create(NewTemplate(name: "N", slug: "No Slug", content: content))
            } == ["slug must be lower-case letters, digits, - and _, at most 64"])
    }

    @Test func listsAreSearchedFilteredAndSorted() async throws {
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
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
            await TemplateStage.refusal(.invalid) {
                _ = try await foreign.preview(content, kind: .marketing, PreviewRequest())
            }
                == ["html:1:1 there is no partial \"footer\""])
    }

    @Test func aPartialThatCannotBeRenderedThereIsRefused() async throws {
        let stage = try await TemplateStage.set()
        _ = try await stage.partial("A", html: "a")
        let content = TemplateContent(subject: "{% render 'a' %}", html: "{% render 'a' %}", text: "\n{% render 'a' %}")
        #expect(
            await TemplateStage.refusal(.invalid) {
                _ = try await stage.templates.create(NewTemplate(name: "T", content: content))
            }
                == ["subject:1:1 the partial \"a\" has no text", "text:2:1 the partial \"a\" has no text"])
        // No mail is made of a partial alone.
        #expect(
            await TemplateStage.refusal(.invalid) { try await stage.engine.apply(stage.flow("a")) }
                == ["steps.mail.config.template there is no template a"])
        let id = try await stage.templates.list(.init(), limit: 1, offset: 0).rows[0].id
        #expect(
            await TemplateStage.refusal(.invalid) {
                _ = try await stage.templates.sendTest(id, to: "a@example.org", .init())
            }
                == ["type no mail is made from a partial alone"])
        var changes = TemplateChanges()
        changes.kind = .marketing
        changes.subject = "s"
        #expect(
            await TemplateStage.refusal(.invalid) { _ = try await stage.templates.change(id, changes) }
                == ["type a partial stays one, and nothing else becomes one"])
    }

    @Test func partialsThatIncludeEachOtherAreRefusedAndSoIsADeepNest() async throws {
        let stage = try await TemplateStage.set()
        let a = try await stage.partial("A", html: "a")
        _ = try await stage.partial("B", html: "{% render 'a' %}")
        _ = try await stage.partial("C", html: "{% render 'b' %}")
        var changes = TemplateChanges()
        changes.html = "x {% include 'c' %}"
        #expect(
            await TemplateStage.refusal(.invalid) { _ = try await stage.templates.change(a.id, changes) }
                == ["html:1:3 the partials include each other: a → c → b → a"])
        changes.html = "{% include 'a' %}"
        #expect(
            await TemplateStage.refusal(.invalid) { _ = try await stage.templates.change(a.id, changes) }
                == ["html:1:1 the partials include each other: a → a"])
        _ = try await stage.partial("P0", html: "p")
        for number in 1...9 { _ = try await stage.partial("P\(number)", html: "{% render 'p\(number - 1)' %}") }
        try await stage.make("Deep", html: "{% render 'p9' %}")
        #expect(
            await TemplateStage.refusal(.invalid) { _ = try await stage.partial("P10", html: "{% render 'p9' %}") }
                == ["html:1:1 partials are nested deeper than 10"])
    }

    @Test func aPartialInUseCannotBeBrokenOrTakenAway() async throws {
        let stage = try await TemplateStage.set()
        let inner = try await stage.partial("Inner", html: "x", text: "x")
        let outer = try await stage.partial("Outer", html: "{% render 'inner' %}")
        let mail = try await stage.make("Mail", html: "{% render 'outer' %}", text: "{% render 'inner' %}")
        var changes = TemplateChanges()
        changes.text = .some(nil)
        #expect(
            await TemplateStage.refusal(.conflict) { _ = try await stage.templates.change(inner.id, changes) }
                == ["templates.mail.text the partial \"inner\" has no text"])
        let users = await TemplateStage.refusal(.conflict) { try await stage.templates.delete([inner.id]) }
        #expect(
            users == [
                "templates.mail Mail includes the partial inner", "templates.outer Outer includes the partial inner",
            ])
        let usage = try await stage.templates.usage(of: inner.id)
        #expect(usage.templates.map(\.slug) == ["mail", "outer"] && usage.steps.isEmpty)
        // Together with all that include it, it may go.
        #expect(try await stage.templates.delete([inner.id, outer.id, mail.id]) == 3)
    }

}
