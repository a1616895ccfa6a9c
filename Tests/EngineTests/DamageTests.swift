import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// What a failing disk or a careless hand has spoilt concerns one execution or one workflow, and can be seen.
@Suite struct DamageTests {
    private let pause: JSONObject = [
        "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "wait"],
        "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"], "end": ["type": "EXIT"],
    ]

    private func spoilVersion(_ path: String, slug: String) throws {
        try DamagedDatabase(path).spoil(
            """
            UPDATE workflow_versions SET definition = '{' || definition
            WHERE id = (SELECT version_id FROM workflows WHERE slug = '\(slug)');
            UPDATE settings SET number = number + 1 WHERE name = 'catalog_version'
            """)
    }

    private func mendVersion(_ path: String, slug: String) throws {
        try DamagedDatabase(path).spoil(
            """
            UPDATE workflow_versions SET definition = substr(definition, 2)
            WHERE id = (SELECT version_id FROM workflows WHERE slug = '\(slug)');
            UPDATE settings SET number = number + 2 WHERE name = 'catalog_version'
            """)
    }

    private func counts(_ engine: EngineFixture, _ id: Identifier) async throws -> [Execution.Status: Int] {
        let project = engine.project.id
        return try await engine.context.store.read { try $0.executionCounts(in: project)[id] ?? [:] }
    }

    @Test func damagedWorkflowFailsItsExecutionsAndItsNeighboursGoOn() async throws {
        let (engine, database) = try await makeEngine()
        for slug in ["bad", "good"] { try await engine.apply(document(slug: slug, steps: pause)) }
        try await engine.track("signed_up")
        let before = try await engine.context.store.read { try $0.loadCatalog().workflows }
        let bad = try #require(before.first { $0.slug == "bad" }).id
        let good = try #require(before.first { $0.slug == "good" }).id
        try spoilVersion(database.path, slug: "bad")
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        #expect(catalog.workflows.map(\.slug) == ["good"] && catalog.damagedWorkflows.map(\.id) == [bad])
        // Timers, then events, then new contacts: each finds the one workflow and not the other.
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await counts(engine, bad) == [.failed: 1])
        try await engine.track("go")
        #expect(try await counts(engine, good) == [.exited: 1])
        try await engine.track("signed_up", "ben@example.org")
        #expect(try await counts(engine, bad) == [.failed: 1])
        #expect(try await counts(engine, good) == [.exited: 1, .waiting: 1])
    }

    @Test func damagedWorkflowFailsWhoeverWaitsForTheEvent() async throws {
        let (engine, database) = try await makeEngine()
        for slug in ["bad", "good"] { try await engine.apply(document(slug: slug, steps: pause)) }
        try await engine.track("signed_up")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        try spoilVersion(database.path, slug: "bad")
        try await engine.track("go")
        try mendVersion(database.path, slug: "bad")
        let bad = try #require(try await engine.executions("bad").first)
        #expect(bad.status == .failed && bad.exitReason == "its stored data cannot be read")
        #expect(bad.currentStep == "wait")
        #expect(try await engine.steps(of: bad).last?.status == .failed)
        #expect(try await engine.executions("good").map(\.status) == [.exited])
    }

    /// Parked with its reason, and the retry works once the cause is gone, and once.
    @Test func poisonedExecutionIsParkedAndRetriedOnceAfterTheMend() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(steps: pause))
        try await engine.track("signed_up")
        try DamagedDatabase(database.path).spoil("UPDATE executions SET context = '{'")
        engine.clock.advance(seconds: 60)
        for _ in 0..<3 { try await engine.runTimers() }
        let project = engine.project.id
        let id = try await engine.context.store.write { try $0.loadCatalog().workflows[0].id }
        #expect(try await counts(engine, id) == [.failed: 1])
        try DamagedDatabase(database.path).spoil("UPDATE executions SET context = NULL")
        let failed = try #require(try await engine.executions().first)
        #expect(failed.exitReason == "its stored data cannot be read" && failed.currentStep == "pause")
        let executions = Executions(context: engine.context)
        let retried = try await executions.retry(failed.id, of: id, project: project)
        #expect(retried.status == .waiting && retried.currentStep == "pause")
        let error = await #expect(throws: UseCaseError.self) {
            try await executions.retry(failed.id, of: id, project: project)
        }
        #expect(error?.code == .executionNotFailed)
    }

    @Test func retryOfWhatIsStillDamagedIsRefused() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(steps: pause))
        try await engine.track("signed_up")
        let execution = try #require(try await engine.executions().first)
        try DamagedDatabase(database.path).spoil("UPDATE executions SET context = '{', status = 'FAILED'")
        let error = await #expect(throws: UseCaseError.self) {
            try await Executions(context: engine.context).retry(
                execution.id, of: execution.workflowID, project: engine.project.id)
        }
        #expect(error?.code == .conflict)
    }

    @Test func templateThatCannotBeRenderedFailsOneExecutionAndItsNeighbourGoesOn() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                reentry: true,
                steps: [
                    "set": [
                        "type": "UPDATE_CONTACT",
                        "config": ["data": ["n": "{% for i in (1..event.turns) %}x{% endfor %}"]], "next": "end",
                    ], "end": ["type": "EXIT"],
                ]))
        try await engine.track("signed_up", data: ["turns": 100_000_000])
        try await engine.track("signed_up", "ben@example.org", data: ["turns": 3])
        let executions = try await engine.executions()
        let ann = try #require(executions.first { $0.contactEmail == "ann@example.org" })
        #expect(ann.status == .failed && ann.exitReason?.contains("cannot be rendered") == true)
        #expect(try await engine.steps(of: ann).last?.error == ann.exitReason)
        #expect(executions.first { $0.contactEmail == "ben@example.org" }?.status == .exited)
    }

    /// An event that one execution looks back on cannot be read: that one fails, its neighbour in the same batch does not.
    @Test func damagedHistoryFailsWhoLooksBackOnIt() async throws {
        let (engine, database) = try await makeEngine()
        for (slug, lookback) in [("back", true), ("good", false)] {
            try await engine.apply(
                document(
                    slug: slug,
                    steps: [
                        "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "wait"],
                        "wait": [
                            "type": "WAIT_FOR_EVENT", "config": ["eventName": "paid", "lookback": .bool(lookback)],
                        ],
                    ]))
        }
        try await engine.track("signed_up")
        try await engine.track("paid")
        try DamagedDatabase(database.path).spoil("UPDATE events SET data = '{' WHERE name = 'paid'")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        let back = try #require(try await engine.executions("back").first)
        #expect(back.status == .failed && back.exitReason == "its stored data cannot be read")
        #expect(try await engine.executions("good").map(\.status) == [.waiting])
    }

    // MARK: Mail

    private func mailing() async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hi"]]],
                templates: ["hi": ["type": "TRANSACTIONAL", "subject": "Hi", "text": "Hi"]]))
        return (engine, database)
    }

    private let spoiledContact = "UPDATE contacts SET data = '{' WHERE email = 'ann@example.org'"

    private func mails(_ database: TemporaryDatabase) throws -> [[String]] {
        try Rows(database.path).run("SELECT status, attempts FROM outbox ORDER BY json_extract(request, '$.to')")
    }

    /// It is looked at now and then, in case somebody mends it, and not for ever.
    @Test func mailThatCannotBeReadWaitsAloneAndEnds() async throws {
        let (engine, database) = try await mailing()
        try await engine.track("signed_up")
        try await engine.track("signed_up", "ben@example.org")
        try DamagedDatabase(database.path).spoil(spoiledContact)
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.map(\.recipient) == ["ben@example.org"])
        let before = try mails(database)
        #expect(before == [["pending", "0"], ["delivered", "1"]], "\(before)")
        engine.clock.advance(seconds: 5 * 86_400)
        try await engine.runDispatch(transport)
        let after = try mails(database)
        #expect(after.first?.first == "failed", "\(after)")
        #expect(transport.sent.count == 1)
    }

    /// The relay has it, whatever cannot be written about it: it must not go out again.
    @Test func outcomeIsKeptWhereNothingCanFollowFromIt() async throws {
        let (engine, database) = try await mailing()
        try await engine.track("signed_up")
        let transport = SpoilingTransport { try DamagedDatabase(database.path).spoil(spoiledContact) }
        try await engine.runDispatch(transport)
        #expect(try mails(database) == [["delivered", "1"]])
    }

    // MARK: Self-feeding events

    /// Two workflows that change the contact in turns: the chain ends at the limit, and the reason stands on an execution.
    @Test func workflowsThatFeedEachOtherStopVisibly() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        for (slug, on, flag) in [
            ("off", "contact.subscribed", "unsubscribe"), ("on", "contact.unsubscribed", "subscribe"),
        ] {
            try await engine.apply(
                document(
                    event: on, reentry: true, slug: slug,
                    steps: ["set": ["type": "UPDATE_CONTACT", "config": ["subscriptionAction": .string(flag)]]]))
        }
        try await engine.track("seen")
        try await engine.track("seen", subscribed: false)
        let executions = try await engine.executions("on") + engine.executions("off")
        #expect(executions.count == 12)
        let stopped = executions.filter { $0.status == .failed }
        #expect(stopped.count == 1 && stopped.first?.exitReason?.hasPrefix("event_loop: ") == true)
        #expect(try await engine.counter("event_loops_stopped") == 1)
    }

    // MARK: Templates

    private func spoilTemplate(_ path: String, _ change: String) throws {
        try DamagedDatabase(path).spoil(
            """
            UPDATE \(change);
            UPDATE settings SET number = number + 1 WHERE name = 'catalog_version'
            """)
    }

    @Test(arguments: [
        "template_versions SET kind = 'NONE' WHERE template_id = (SELECT id FROM templates WHERE slug = 'bad')",
        "templates SET version_id = x'00' WHERE slug = 'bad'",
    ])
    func damagedTemplateFailsWhoeverSendsItAndComesBackWithTheFile(change: String) async throws {
        let (engine, database) = try await makeEngine()
        let content: JSON = ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi"]
        for slug in ["bad", "good"] {
            try await engine.apply(
                document(
                    reentry: true, slug: slug,
                    steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": .string(slug)]]],
                    templates: [slug: content]))
        }
        let id = try await engine.context.store.read { try $0.loadCatalog().templates.first { $0.slug == "bad" }?.id }
        try spoilTemplate(database.path, change)
        try await engine.track("signed_up")
        #expect(try await engine.executions("good").map(\.status) == [.completed])
        let failed = try #require(try await engine.executions("bad").first)
        #expect(failed.status == .failed && failed.exitReason?.contains("template") == true)
        // A daemon that starts finds its project and its secret.
        _ = try await EngineContext.prepare(
            store: engine.context.store, clock: engine.clock, cryptography: TestCryptography())
        try await engine.apply(
            document(
                reentry: true, slug: "bad", steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "bad"]]],
                templates: ["bad": content]))
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up")
        #expect(try await engine.executions("bad").map(\.status) == [.failed, .completed])
        let mended = try await engine.context.store.read { try $0.loadCatalog() }
        #expect(mended.damagedTemplates.isEmpty && mended.templates.first { $0.slug == "bad" }?.id == id)
    }

    // MARK: Workflows that cannot be read

    @Test func damagedWorkflowSaysSoAndCanBeTakenAway() async throws {
        let (engine, database) = try await makeEngine()
        let whole = document(slug: "bad", steps: pause)
        try await engine.apply(whole)
        try await engine.track("signed_up")
        let editor = WorkflowEditor(context: engine.context, projectID: engine.project.id)
        let bad = try #require(try await engine.executions("bad").first).workflowID
        try spoilVersion(database.path, slug: "bad")
        for refused in [
            await #expect(throws: UseCaseError.self) { _ = try await editor.workflow(bad) },
            await #expect(throws: UseCaseError.self) { try await engine.apply(whole) },
        ] {
            #expect(refused?.code == .conflict && refused?.description.contains("cannot be read") == true)
        }
        // Its name is still taken.
        #expect(try await editor.create(NewWorkflow(name: "bad", eventName: "other")).workflow.slug == "bad-2")
        try await editor.delete(bad)
        #expect(try await counts(engine, bad) == [.failed: 1])
        #expect(try await engine.apply(whole) == .created(version: 1))
        let gone = await #expect(throws: UseCaseError.self) { _ = try await editor.workflow(bad) }
        #expect(gone?.code == .notFound)
    }

    /// A status that is none moves no count; the lock asks the executions and not the count.
    @Test func lockOpensWhenNoExecutionIsUnderWayWhateverTheCountSays() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(steps: pause))
        try await engine.track("signed_up")
        try DamagedDatabase(database.path).spoil("UPDATE executions SET status = 'NONE'")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.failed])
        #expect(try await engine.apply(document(steps: ["end": ["type": "EXIT"]])) == .changed(version: 2))
    }

    // MARK: Versions

    /// Parked executions finish on the version they began with, and new ones take the new one.
    @Test func parkedExecutionsFinishOnTheirVersion() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let first = document(
            steps: [
                "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"], "next": "gone"],
                "gone": ["type": "UPDATE_CONTACT", "config": ["data": ["via": "one"]], "next": "end"],
                "end": ["type": "EXIT", "config": ["reason": "old way"]],
            ])
        let second = document(
            steps: [
                "pause": ["type": "DELAY", "config": ["amount": 2, "unit": "hours"], "next": "end"],
                "end": ["type": "EXIT", "config": ["reason": "new way"]],
            ])
        try await engine.apply(first)
        for number in 0..<50 { try await engine.track("signed_up", "c\(number)@example.org") }
        _ = try await Workflows(context: engine.context).apply(try WorkflowDocument(second), asNewVersion: true)
        for number in 50..<60 { try await engine.track("signed_up", "c\(number)@example.org") }
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        let halfway = try await engine.executions()
        #expect(halfway.filter { $0.exitReason == "old way" }.count == 50)
        #expect(halfway.filter { $0.status == .waiting }.count == 10)
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        #expect(try await engine.executions().filter { $0.exitReason == "new way" }.count == 10)
        let detail = try await Executions(context: engine.context).inspect(
            try #require(halfway.first).id, of: halfway[0].workflowID, project: engine.project.id)
        // The options shown are those of the version that was executed.
        #expect(detail.steps.map(\.step) == ["start", "pause", "gone", "end"])
        #expect(detail.steps[1].input["amount"] == 1)
    }
}

/// Something goes wrong while the relay has the mail.
private struct SpoilingTransport: MailTransport {
    let concurrency = 1
    let spoil: @Sendable () throws -> Void

    init(_ spoil: @escaping @Sendable () throws -> Void) { self.spoil = spoil }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        guard await mail.isLetThrough() else { return .unreachable(reason: "it was kept back") }
        do { try spoil() } catch { return .unreachable(reason: "\(error)") }
        return ScriptedTransport.accepted
    }

    func stop() {}
}
