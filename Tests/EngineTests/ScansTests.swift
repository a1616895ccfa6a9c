import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@Suite struct ScansTests {
    private static let down = ScanOutcome.failed(reason: "no connection", isTemporary: true)

    private func stage(_ change: (inout InboundRoutes.Route) -> Void = { _ in }) async throws -> InboundStage {
        try await InboundStage([InboundStage.route("help@example.com", .continue, change)]) {
            $0.scanDeadline = .seconds(60)
        }
    }

    private func scans(_ stage: InboundStage, _ scanners: [ToldScanner], intake: Intake? = nil) -> Scans {
        Scans(context: stage.engine.context, intake: intake ?? stage.intake, scanners: scanners, width: 4)
    }

    @Test func mailIsAcceptedFirstAndIsAnEventWhenTheScannersHaveAnswered() async throws {
        let stage = try await stage()
        let clamd = ToldScanner.answering("clamd", .virus, .pass)
        let scans = scans(stage, [clamd, .answering("spamd", .spam, .gray)])
        let mail = InboundStage.mail(action: "no action", fields: [HeaderField("X-Folded", " a\n\tb")])
        #expect(await stage.receive(mail) == .continue)
        #expect(try await stage.events().isEmpty)
        #expect(try await stage.waiting() == 1)
        stage.engine.clock.advance(seconds: 2)
        #expect(try await scans.pass() == 1)
        let event = try #require(try await stage.events().first)
        #expect(event["spamVerdict"] == "GRAY" && event["virusVerdict"] == "PASS")
        #expect(event["timestamp"] == "2026-01-05T09:00:00.000Z" || event["timestamp"] == "2026-01-05T09:00:00Z")
        #expect(event["processingTimeMillis"] == 2000)
        let sources = event["verdictSources"]?.arrayValue?.compactMap { $0["source"]?.stringValue }
        #expect(sources == ["rspamd-headers", "clamd", "spamd"])
        #expect(try await stage.waiting() == 0)
        #expect(try await stage.engine.executions().count == 1)
        // It was shown as it came, byte by byte.
        let shown = try #require(clamd.messages.first)
        #expect(shown.headers == mail.headers && shown.body == mail.body)
        #expect(shown.recipients == mail.recipients && shown.helo == mail.helo && shown.reversePath == mail.reversePath)
        #expect(shown.clientAddress == mail.clientAddress && shown.queueID == mail.queueID)
    }

    @Test func aRetryWhileItWaitsIsTheSameMail() async throws {
        let stage = try await stage()
        let scans = scans(stage, [.answering("clamd", .virus, .pass)])
        _ = await stage.receive(InboundStage.mail())
        #expect(await stage.receive(InboundStage.mail(queueID: "4Q2")) == .continue)
        #expect(try await stage.waiting() == 1)
        #expect(try await scans.pass() == 1)
        #expect(await stage.receive(InboundStage.mail(queueID: "4Q3")) == .continue)
        #expect(try await scans.pass() == 0)
        #expect(try await stage.events().count == 1)
        #expect(try await stage.engine.counter("receptions_repeated") == 2)
    }

    @Test func aScannerThatIsDownIsAskedAgainUntilItAnswers() async throws {
        let stage = try await stage()
        let clamd = ToldScanner("clamd", [.virus], Self.down)
        let spamd = ToldScanner.answering("spamd", .spam, .pass)
        let scans = scans(stage, [clamd, spamd])
        _ = await stage.receive(InboundStage.mail())
        #expect(try await scans.pass() == 0)
        // Not before its pause is over.
        #expect(try await scans.pass() == 0)
        #expect(clamd.messages.count == 1)
        stage.engine.clock.advance(seconds: 1)
        #expect(try await scans.pass() == 0)
        #expect(clamd.messages.count == 2)
        clamd.say(ToldScanner.answer("clamd", .virus, .fail))
        stage.engine.clock.advance(seconds: 2)
        #expect(try await scans.pass() == 1)
        #expect(try await stage.events().first?["virusVerdict"] == "FAIL")
        // What has answered is not asked again.
        #expect(spamd.messages.count == 1)
    }

    @Test func afterTheDeadlineTheVerdictIsThatThereIsNone() async throws {
        let stage = try await stage()
        let clamd = ToldScanner("clamd", [.virus], Self.down)
        let scans = scans(stage, [clamd])
        _ = await stage.receive(InboundStage.mail(action: "no action"))
        for _ in 0..<5 { _ = try await scans.pass(); stage.engine.clock.advance(seconds: 10) }
        #expect(try await stage.events().isEmpty)
        stage.engine.clock.advance(seconds: 11)
        #expect(try await scans.pass() == 1)
        let event = try #require(try await stage.events().first)
        #expect(event["virusVerdict"] == "PROCESSING_FAILED" && event["spamVerdict"] == "PASS")
        let words = event["verdictSources"]?.arrayValue?.last?["value"]
        #expect(words == "no connection")
        #expect(try await stage.waiting() == 0)
    }

    /// With a scanner that is gone, mail that has waited long enough does not wait for attempts as well.
    @Test func mailBeyondItsDeadlineDoesNotAskAScannerThatJustFailed() async throws {
        let stage = try await stage()
        let clamd = ToldScanner("clamd", [.virus], Self.down)
        let scans = scans(stage, [clamd])
        for number in 0..<10 { _ = await stage.receive(InboundStage.mail("m\(number)@x")) }
        stage.engine.clock.advance(seconds: 61)
        #expect(try await scans.pass() == 10)
        #expect(clamd.messages.count == 1)
        #expect(try await stage.events().count == 10)
    }

    @Test func aFinalFailureWaitsForNobody() async throws {
        let stage = try await stage()
        let clamd = ToldScanner("clamd", [.virus], .failed(reason: "too large", isTemporary: false))
        _ = await stage.receive(InboundStage.mail())
        #expect(try await scans(stage, [clamd]).pass() == 1)
        #expect(try await stage.events().first?["virusVerdict"] == "PROCESSING_FAILED")
    }

    /// The process ends while the mail waits; the next one has nothing but the database.
    @Test func waitingMailOutlivesTheProcess() async throws {
        let stage = try await stage()
        let first = scans(stage, [ToldScanner("clamd", [.virus], Self.down)])
        _ = await stage.receive(InboundStage.mail())
        #expect(try await first.pass() == 0)
        let intake = Intake(context: stage.engine.context, configuration: Intake.Configuration())
        let second = scans(stage, [.answering("clamd", .virus, .pass)], intake: intake)
        #expect(try await second.pass() == 1)
        // Its route is gone from the configuration, and the accepted mail is an event all the same.
        #expect(try await stage.events().first?["virusVerdict"] == "PASS")
    }

    @Test func twoProcessesRecordOneEvent() async throws {
        let stage = try await stage()
        _ = await stage.receive(InboundStage.mail())
        let other = try SQLiteStore(path: stage.database.path, exclusively: false)
        let engine = try await EngineFixture(store: other, clock: stage.engine.clock, seed: 7)
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([InboundStage.route("help@example.com")])
        let intake = Intake(context: engine.context, configuration: configuration)
        let second = Scans(
            context: engine.context, intake: intake, scanners: [ToldScanner.answering("clamd", .virus, .pass)], width: 1
        )
        let first = scans(stage, [.answering("clamd", .virus, .pass)])
        async let one = first.pass()
        async let two = second.pass()
        _ = try await (one, two)
        #expect(try await stage.events().count == 1)
        #expect(try await stage.waiting() == 0)
    }

    @Test(
        arguments: [
            (InboundRoutes.SpamMode.none, true, nil), (.mark, true, nil), (.quarantine, false, .held),
            (.fail, false, .refused),
        ] as [(InboundRoutes.SpamMode, Bool, InboundOutcome.Kind?)])
    func aVerdictThatComesLateDecidesAboutTheEvent(
        _ mode: InboundRoutes.SpamMode, _ isEvent: Bool, _ kind: InboundOutcome.Kind?
    ) async throws {
        let stage = try await stage { $0.spamMode = mode }
        #expect(await stage.receive(InboundStage.mail()) == .continue)
        _ = try await scans(stage, [.answering("clamd", .virus, .fail)]).pass()
        let events = try await stage.events()
        #expect(events.count == (isEvent ? 1 : 0))
        #expect(events.first?["isSpam"] == (mode == .mark ? true : nil))
        let outcomes = try await stage.outcomes()
        #expect(outcomes.map(\.kind) == (kind.map { [$0] } ?? []))
        #expect(outcomes.first?.detail["virusVerdict"] == (kind == nil ? nil : "FAIL"))
    }

    @Test func whatIsKnownAtTheEndOfTheMessageDecidesAtOnce() async throws {
        let stage = try await stage { $0.spamMode = .fail }
        let verdict = await stage.receive(InboundStage.mail(action: "reject"))
        guard case .reject = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(try await stage.waiting() == 0)
    }

    @Test func aMessageThatNoLongerCanBeReadIsGivenUp() async throws {
        let stage = try await stage()
        let id = Identifier(high: 1, low: 2)
        let store = stage.engine.context.store
        var mail = PendingMail(
            id: id, receivedAt: stage.engine.clock.now(), deadline: stage.engine.clock.now(),
            message: InboundStage.mail(), arrivals: [])
        mail.message.headers = []
        let pending = mail
        try await store.write { try $0.insert(pending) }
        #expect(try await store.read { try $0.pendingMail(id) }?.message.headers == [])
        // Nobody's mail is nobody's event.
        _ = try await scans(stage, []).pass()
        #expect(try await stage.waiting() == 0)
        #expect(try await stage.events().isEmpty)
    }
}
