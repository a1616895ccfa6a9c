import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@Suite struct IntakeTests {
    private struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var intake: Intake
    }

    private func rig(disposition: InboundRoutes.Disposition = .continue) async throws -> Rig {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                event: "email.received", reentry: true,
                steps: [
                    "verdict": [
                        "type": "CONDITION",
                        "config": ["field": "event.spamVerdict", "operator": "equals", "value": "PASS"],
                        "next": ["yes": "reply"],
                    ],
                    "reply": ["type": "SEND_EMAIL", "config": ["template": "reply"]],
                ],
                templates: [
                    "reply": ["type": "TRANSACTIONAL", "subject": "Re: {{ event.subject }}", "html": "<p>Thanks</p>"]
                ]))
        return Rig(engine: engine, database: database, intake: intake(engine, disposition))
    }

    private func intake(_ engine: EngineFixture, _ disposition: InboundRoutes.Disposition = .continue) -> Intake {
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .recipient("help@example.com"), project: "default", disposition: disposition),
            .init(match: .domain("all.example.com"), project: "default", disposition: disposition),
        ])
        configuration.sources = PassiveSources([.rspamd(RspamdHeaders())])
        return Intake(context: engine.context, configuration: configuration)
    }

    private func message(
        _ id: String = "m1@x", recipients: [String] = ["help@example.com"], extra: [HeaderField] = [],
        action: String? = "no action"
    ) -> ReceivedMessage {
        var headers = [
            HeaderField("From", "Ann <ann@example.org>"), HeaderField("To", "help@example.com"),
            HeaderField("Subject", "=?utf-8?q?Caf=C3=A9?="), HeaderField("Message-ID", "<\(id)>"),
            HeaderField("Date", "Mon, 05 Jan 2026 09:00:00 +0000"),
        ]
        headers += extra
        if let action { headers.append(HeaderField("X-Rspamd-Action", action)) }
        return ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", clientName: "mx.example.org", helo: "mx.example.org",
            reversePath: "ann@example.org", recipients: recipients, headers: headers, body: Array("Hello\r\n".utf8))
    }

    private func receive(_ message: ReceivedMessage, _ rig: Rig) async -> Verdict {
        await withCheckedContinuation { continuation in
            rig.intake.receive(message) { continuation.resume(returning: $0) }
        }
    }

    private func replies(_ rig: Rig) async throws -> [OutgoingMail] {
        let transport = ScriptedTransport()
        try await rig.engine.runDispatch(transport)
        return transport.sent
    }

    /// Two daemons on one database, as two mail servers of a domain have them, get the same mail at the same time: one of them
    /// records it, for each recipient once, and one answer goes out.
    @Test func twoDaemonsOnOneDatabaseTakeAMailOnce() async throws {
        let first = try await rig()
        let engine = try await EngineFixture(
            store: try SQLiteStore(path: first.database.path, exclusively: false), clock: first.engine.clock, seed: 2)
        let second = Rig(
            engine: engine, database: first.database,
            intake: intake(engine))
        for number in 0..<20 {
            let message = message(
                "twice-\(number)@x", recipients: ["help@example.com", "desk@all.example.com"])
            // Each server has an id of its own for it.
            var copy = message
            copy.queueID = "4Q-other-\(number)"
            async let one = receive(message, first)
            async let other = receive(copy, second)
            #expect(await [one, other] == [.continue, .continue])
        }
        let rows = Rows(first.database.path)
        #expect(try rows.count("SELECT count(*) FROM events WHERE name = 'email.received'") == 40)
        #expect(try rows.count("SELECT count(*) FROM receptions") == 40)
        #expect(try await first.engine.executions().count == 40)
        #expect(try await first.engine.counter("receptions_repeated") == 40)
    }

    @Test func cleanMailIsAnsweredOnceInItsThread() async throws {
        let rig = try await rig()
        #expect(await receive(message(), rig) == .continue)
        let sent = try await replies(rig)
        try #require(sent.count == 1)
        let text = String(decoding: sent[0].bytes, as: UTF8.self)
        #expect(sent[0].reversePath == "" && sent[0].recipient == "ann@example.org")
        for line in [
            "From: help@example.com\r\n", "To: ann@example.org\r\n", "In-Reply-To: <m1@x>\r\n",
            "References: <m1@x>\r\n",
            "Auto-Submitted: auto-replied\r\n", "X-Auto-Response-Suppress: All\r\n", "Precedence: bulk\r\n",
        ] {
            #expect(text.contains(line), "\(line) in \(text)")
        }
        // No pixel in an automatic reply whose template does not ask for one.
        #expect(!text.contains("/o/"))
    }

    @Test func secondCopyOfAMailIsOneEvent() async throws {
        let rig = try await rig()
        var retry = message()
        retry.queueID = "4Q2"
        #expect(await receive(message(), rig) == .continue)
        #expect(await receive(retry, rig) == .continue)
        #expect(await receive(message("m2@x"), rig) == .continue)
        #expect(try await rig.engine.executions().count == 2)
        #expect(try await rig.engine.counter("receptions_repeated") == 1)
    }

    /// The sending server tries again while its first try is still under way.
    @Test func oneMailFiveTimesAtOnceIsOneEventAndOneRun() async throws {
        let rig = try await rig()
        let verdicts = await withTaskGroup(of: Verdict.self) { group in
            for number in 0..<5 {
                group.addTask {
                    var copy = message()
                    copy.queueID = "4Q\(number)"
                    return await receive(copy, rig)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(verdicts == Array(repeating: .continue, count: 5))
        #expect(try await rig.engine.executions().count == 1)
        #expect(try await rig.engine.counter("receptions_repeated") == 4)
        #expect(try await replies(rig).count == 1)
    }

    @Test func everyRoutedRecipientGetsItsEvent() async throws {
        let rig = try await rig()
        let mail = message(recipients: ["help@example.com", "HELP@example.com", "x@all.example.com", "no@else.example"])
        #expect(await receive(mail, rig) == .continue)
        let recipients = try await rig.engine.executions().count
        #expect(recipients == 2)
    }

    @Test(arguments: [("add header", 0), ("no action", 1), (nil, 0)] as [(String?, Int)])
    func onlyAPositiveVerdictIsAnswered(_ action: String?, _ replyCount: Int) async throws {
        let rig = try await rig()
        _ = await receive(message(action: action), rig)
        #expect(try await replies(rig).count == replyCount)
        #expect(try await rig.engine.executions().count == 1)
    }

    @Test(arguments: [
        HeaderField("Auto-Submitted", "auto-replied"), HeaderField("List-Id", "<l.example.org>"),
        HeaderField("Precedence", "bulk"), HeaderField("X-Auto-Response-Suppress", "OOF"),
    ])
    func machinesAreNotAnswered(_ field: HeaderField) async throws {
        let rig = try await rig()
        _ = await receive(message(extra: [field]), rig)
        #expect(try await replies(rig).isEmpty)
        let execution = try #require(try await rig.engine.executions().first)
        let step = try await rig.engine.steps(of: execution).last
        #expect(step?.output["skipped"] == "reply_refused")
    }

    @Test func nullSenderIsAnEventWithoutAnAnswer() async throws {
        let rig = try await rig()
        var bounce = message()
        bounce.reversePath = ""
        _ = await receive(bounce, rig)
        #expect(try await replies(rig).isEmpty)
        #expect(try await rig.engine.executions().count == 1)
    }

    @Test func ownMailComingBackIsNoEvent() async throws {
        let rig = try await rig()
        _ = await receive(message(), rig)
        let sent = try #require(try await replies(rig).first)
        let text = String(decoding: sent.bytes, as: UTF8.self)
        let start = try #require(text.range(of: "X-Postrider-Delivery: "))
        let token = String(text[start.upperBound...].prefix(TokenSigner.textLength))
        var own = message("own@x", extra: [HeaderField("X-Postrider-Delivery", token)])
        own.clientAddress = "127.0.0.1"
        #expect(await receive(own, rig) == .continue)
        #expect(try await rig.engine.executions().count == 1)
        // From outside the marker suppresses nothing; such a mail is only not answered.
        _ = await receive(message("copied@x", extra: [HeaderField("X-Postrider-Delivery", token)]), rig)
        #expect(try await rig.engine.executions().count == 2)
        #expect(try await replies(rig).isEmpty)
        // A marker that nobody signed is no marker.
        let forged = message("forged@x", extra: [HeaderField("X-Postrider-Delivery", String(token.reversed()))])
        _ = await receive(forged, rig)
        #expect(try await rig.engine.executions().count == 3)
    }

    @Test func mailNobodyRoutesIsLeftAlone() async throws {
        let rig = try await rig()
        #expect(!rig.intake.wants(recipient: "x@else.example") && rig.intake.wants(recipient: "Help@Example.com"))
        #expect(await receive(message(recipients: ["x@else.example"]), rig) == .continue)
        #expect(try await rig.engine.executions().isEmpty)
    }

    @Test func consumedMailIsDiscardedAfterTheCommit() async throws {
        let rig = try await rig(disposition: .discard)
        #expect(await receive(message(), rig) == .discard)
        #expect(await receive(message(), rig) == .discard)
        #expect(try await rig.engine.executions().count == 1)
    }

    @Test(arguments: [
        ["help@example.com", "bob@else.example"], ["help@example.com", "bob@else.example", "x@all.example.com"],
    ])
    func mailThatIsSomebodyElsesTooIsNotDiscarded(_ recipients: [String]) async throws {
        let rig = try await rig(disposition: .discard)
        #expect(await receive(message(recipients: recipients), rig) == .continue)
        var cut = message("m2@x")
        cut.hasFurtherRecipients = true
        #expect(await receive(cut, rig) == .continue)
        #expect(await receive(message("m3@x", recipients: ["HELP@example.com", "y@all.example.com"]), rig) == .discard)
    }

    @Test func routeToAMissingProjectIsATempfailAndNoLoss() async throws {
        let rig = try await rig()
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .recipient("help@example.com"), project: "gone", disposition: .continue)
        ])
        let intake = Intake(context: rig.engine.context, configuration: configuration)
        let verdict = await withCheckedContinuation { continuation in
            intake.receive(message()) { continuation.resume(returning: $0) }
        }
        guard case .tempfail(let reply) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(reply.code == 451)
        // After the mend the sender's retry is taken as new.
        #expect(await receive(message(), rig) == .continue)
        #expect(try await rig.engine.executions().count == 1)
    }

    @Test func senderNeverBecomesASubscriberByWriting() async throws {
        let rig = try await rig()
        _ = await receive(message(), rig)
        #expect(try await rig.engine.contact()?.isSubscribed == false)
        try await rig.engine.track("x", subscribed: true)
        _ = await receive(message("m3@x"), rig)
        #expect(try await rig.engine.contact()?.isSubscribed == true)
    }

    @Test func mailWhoseHeaderWasCutIsNotAnswered() async throws {
        let rig = try await rig()
        var cut = message()
        cut.areHeadersTruncated = true
        _ = await receive(cut, rig)
        #expect(try await replies(rig).isEmpty)
    }

    @Test func eventDataStaysWithinItsLimit() async throws {
        let rig = try await rig()
        var huge = message()
        huge.body = Array(repeating: UInt8(ascii: "x"), count: 300_000) + [13, 10]
        huge.recipients = ["help@example.com"] + (0..<500).map { "r\($0)@\(String(repeating: "d", count: 60)).example" }
        #expect(await receive(huge, rig) == .continue)
        #expect(try await rig.engine.executions().count == 1)
    }
}
