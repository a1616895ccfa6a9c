import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// What becomes of templates: mails, previews, warnings.
@Suite struct TemplateMailTests {
    // MARK: Mails

    @Test func markdownBecomesHTMLAndTextWithValuesEscaped() async throws {
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
        try await stage.make(
            "Welcome", html: "<p>Hi {{ contact.name }}, <a href=\"https://example.com/a\">read on</a></p>",
            fromName: "The Shop")
        let mail = try await stage.sent("welcome", data: ["name": "Ann"])
        #expect(mail.contains("multipart/alternative") && mail.contains("text/plain") && mail.contains("text/html"))
        #expect(mail.contains("Hi Ann, read on (https://example.com/a)") || mail.contains("https://example.com/a>"))
        #expect(mail.contains("From: The Shop <robot@example.com>"))
    }

    @Test func addressesAreRenderedToo() async throws {
        let stage = try await TemplateStage.set()
        try await stage.make(
            "Welcome", text: "x", from: "{{ contact.agent }}@example.com",
            fromName: "{{ contact.agent | capitalize ?? Us }}")
        let mail = try await stage.sent("welcome", data: ["agent": "carla"])
        #expect(mail.contains("From: Carla <carla@example.com>"))
        #expect(
            await TemplateStage.refusal(.invalid) {
                try await stage.make("Bad", text: "x", from: "{{ a | nope }}@example.com")
            }
                == ["from:1:8 from, line 1, column 8: there is no filter \"nope\""])
    }

    @Test(arguments: [
        (TemplateSummary.Kind.marketing, 0, true), (.headless, 0, false), (.transactional, 1, false),
    ])
    func kindsDecideAboutUnsubscribedContactsAndFields(
        kind: TemplateSummary.Kind, count: Int, isBulk: Bool
    ) async throws {
        let stage = try await TemplateStage.set()
        try await stage.make("Welcome", kind: kind, text: "x")
        try await stage.engine.apply(stage.flow("welcome"))
        try await stage.engine.track("signed_up", subscribed: false)
        #expect(try await stage.dispatched().count == count)
        try await stage.engine.track("signed_up", "ben@example.org", subscribed: true)
        let mail = try #require(try await stage.dispatched().first)
        #expect(mail.contains("Precedence: bulk") == isBulk)
    }

    @Test func fallbacksStandWhereAValueIsMissing() async throws {
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
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
        _ = await TemplateStage.refusal(.notFound) {
            _ = try await stage.templates.preview(
                template.id, PreviewRequest(contactID: Identifier(high: 1, low: 1)))
        }
        var changes = TemplateChanges()
        changes.subject = "new"
        _ = try await stage.templates.change(template.id, changes)
        #expect(try await stage.templates.preview(template.id, PreviewRequest(version: 1)).subject != "new")
        _ = await TemplateStage.refusal(.notFound) {
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
        let stage = try await TemplateStage.set()
        let template = try await stage.make("Loop", html: html)
        let clock = ContinuousClock()
        let start = clock.now
        let problems = await TemplateStage.refusal(.invalid) {
            _ = try await stage.templates.preview(template.id, PreviewRequest())
        }
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
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
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
        let stage = try await TemplateStage.set()
        let template = try await stage.make("T", subject: "{{ 1 | divided_by: 0 }}", text: "x")
        let problems = await TemplateStage.refusal(.invalid) {
            _ = try await stage.templates.sendTest(template.id, to: "a@example.org", PreviewRequest())
        }
        #expect(problems.first?.hasPrefix("subject:1:0 cannot be rendered: ") == true)
        let (engine, database) = try await makeEngine { $0.defaultFrom = nil }
        let bare = TemplateStage(engine: engine, database: database)
        let nameless = try await bare.make("T", text: "x")
        #expect(
            await TemplateStage.refusal(.invalid) {
                _ = try await bare.templates.sendTest(nameless.id, to: "a@example.org", PreviewRequest())
            }.first?.contains("there is no From address") == true)
    }
}
