import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// A mail that was decided is looked at again right before it is sent.
@Suite struct WithdrawalTests {
    private func engine(kind: String) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: [
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "ad"], "next": "pause"],
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "days"]],
                ], templates: ["ad": ["type": .string(kind), "subject": "News", "text": "Hi"]]))
        try await engine.track("signed_up")
        return (engine, database)
    }

    private func sent(_ engine: EngineFixture) async throws -> Int {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent.count
    }

    @Test(arguments: [("MARKETING", 0), ("TRANSACTIONAL", 1)])
    func unsubscribingBeforeTheAttemptStopsMarketingMail(_ kind: String, _ count: Int) async throws {
        let (engine, database) = try await engine(kind: kind)
        _ = database
        try await engine.track("left", subscribed: false)
        #expect(try await sent(engine) == count)
        // It is not tried again when he comes back.
        try await engine.track("returned", subscribed: true)
        #expect(try await sent(engine) == 0)
    }

    @Test func cancellingBeforeTheAttemptStopsTheMailAndAfterItChangesNothing() async throws {
        let (engine, database) = try await engine(kind: "TRANSACTIONAL")
        _ = database
        let execution = try #require(try await engine.executions().first)
        _ = try await Executions(context: engine.context).cancel(
            execution.id, of: execution.workflowID, project: engine.project.id)
        #expect(try await sent(engine) == 0)
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up", "ben@example.org")
        #expect(try await sent(engine) == 1)
        let other = try #require(try await engine.executions().last)
        _ = try await Executions(context: engine.context).cancel(
            other.id, of: other.workflowID, project: engine.project.id)
        #expect(try await sent(engine) == 0)
    }

    /// An answer that a person waits for overtakes a campaign, and the campaign goes on.
    @Test func answerOvertakesACampaign() async throws {
        let (engine, database) = try await engine(kind: "MARKETING")
        _ = database
        for number in 0..<40 { try await engine.track("signed_up", "c\(number)@example.org") }
        engine.clock.advance(seconds: 3600)
        try await engine.apply(
            document(
                event: "asked", slug: "answer",
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await engine.track("asked", "waiting@example.org")
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 4) }
        #expect(claimed.first?.request.recipient == "waiting@example.org")
        #expect(claimed.count == 4 && claimed.dropFirst().allSatisfy { $0.isBulk })
    }

    @Test(arguments: [(.bounce, 0), (.complaint, 0), (.manual, 0), (.unsubscribe, 1)] as [(Suppression.Reason, Int)])
    func aTestMailKeepsToSuppressionsToo(_ reason: Suppression.Reason, _ count: Int) async throws {
        let (engine, database) = try await engine(kind: "MARKETING")
        _ = database
        #expect(try await sent(engine) == 1)
        let (project, now) = (engine.project.id, engine.clock.now())
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let template = try #require(catalog.template("ad", in: project))
        try await engine.context.store.write {
            try $0.save(
                Suppression(projectID: project, address: "author@example.net", reason: reason, createdAt: now))
        }
        _ = try await Templates(context: engine.context, projectID: project).sendTest(
            template.id, to: "Author@example.net", PreviewRequest())
        #expect(try await sent(engine) == count)
    }
}
