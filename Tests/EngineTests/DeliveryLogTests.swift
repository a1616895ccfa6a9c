import Engine
import EngineTestKit
import JSONValue
import MailModel
import Synchronization
import Testing
import WorkflowModel

private let greeting: JSONObject = ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi"]]
private let sendHello: JSONObject = ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]

/// A log that the test writes. Positions are line numbers.
private final class ScriptedLog: MailLogSource {
    let name = "/var/log/mail.log"
    private let lines = Mutex<[String]>([])
    private let clock: VirtualClock

    init(_ clock: VirtualClock) { self.clock = clock }

    func write(_ text: String...) { lines.withLock { $0 += text } }

    func next(after position: String?) async -> MailLogBatch {
        lines.withLock { lines in
            let start = position.flatMap { Int($0) } ?? 0
            let now = clock.now()
            let records = lines[min(start, lines.count)...].prefix(100).compactMap { line in
                MailLogReader.record(in: Array("Jan  5 09:00:00 mx \(line)".utf8)[...])
                    .map { MailLogBatch.Line(record: $0, at: now) }
            }
            let end = min(lines.count, start + 100)
            return MailLogBatch(
                lines: records, position: end == start && position != nil ? nil : "\(end)", isAtEnd: end == lines.count)
        }
    }

    func stop() {}
}

@Suite struct DeliveryLogTests {
    fileprivate struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var context: EngineContext
        var log: ScriptedLog
        var follower: DeliveryLog
        var entry: RelayedMail
        var reading = DeliveryLog.Reading()

        mutating func follow() async {
            while await !follower.pass(&reading) {}
        }

        func mail() async throws -> RelayedMail {
            let id = entry.entry.id
            guard let mail = try await context.store.read({ try $0.relayedMail(id) }) else {
                throw StoreError(.failed, "gone")
            }
            return mail
        }

        func events(_ name: String) async throws -> Int { try await engine.executions(name).count }
    }

    /// One mail that the relay took as 0A0000001; `outcome` nil leaves it in the outbox.
    private func rig(_ outcome: DeliveryOutcome? = ScriptedTransport.accepted) async throws -> Rig {
        let (engine, database) = try await makeEngine { ($0.firstRetry, $0.longestRetry) = (60, 60) }
        try await engine.apply(document(steps: sendHello, templates: greeting))
        for name in ["delivered", "bounced", "sent"] {
            try await engine.apply(
                document(event: "email.\(name)", reentry: true, slug: name, steps: ["end": ["type": "EXIT"]]))
        }
        try await engine.track("signed_up")
        var context = engine.context
        context.relayWatch = RelayWatch(
            listing: nil, followsLog: true, patience: 10, startedAt: engine.clock.now())
        let now = engine.clock.now()
        let entries = try await context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }
        let transport = ScriptedTransport()
        if let outcome {
            transport.answer([outcome])
            await Dispatch(context: context, transport: transport).deliver(entries[0])
        }
        let log = ScriptedLog(engine.clock)
        let follower = DeliveryLog(context: context, source: log) { $0.hasSuffix("@test.example") }
        let id = entries[0].id
        let entry = try #require(try await context.store.read { try $0.relayedMail(id) })
        return Rig(engine: engine, database: database, context: context, log: log, follower: follower, entry: entry)
    }

    private static let accepted = DeliveryOutcome.delivered(
        reply: Reply(code: 250, enhancedCode: "2.0.0", text: "Ok: queued as 0A0000001"), queueID: "0A0000001")

    /// The lines of a mail of ours up to the queue.
    private func queue(_ rig: Rig, as id: String = "0A0000001", client: String = "127.0.0.1") {
        rig.log.write(
            "postfix/smtpd[1]: \(id): client=c[\(client)]",
            "postfix/cleanup[1]: \(id): message-id=<\(rig.entry.entry.messageID)>",
            "postfix/qmgr[1]: \(id): from=<robot@example.com>, size=431, nrcpt=1 (queue active)")
    }

    private func line(
        _ status: String, _ code: String, _ reply: String, id: String = "0A0000001",
        to recipient: String = "ann@example.org"
    ) -> String {
        "postfix/smtp[1]: \(id): to=<\(recipient)>, relay=mx.example.org[192.0.2.9]:25, delay=1, dsn=\(code), status=\(status) (\(reply))"
    }

    @Test func whatTheNextServerTookIsDelivered() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(line("sent", "2.0.0", "250 2.0.0 thanks"), "postfix/qmgr[1]: 0A0000001: removed")
        await rig.follow()
        let fate = try #require(try await rig.mail().fate)
        #expect(fate.status == .delivered && fate.reply == "250 2.0.0 thanks" && fate.enhancedCode == "2.0.0")
        #expect(fate.relay == "mx.example.org[192.0.2.9]:25" && fate.queueID == "0A0000001")
        #expect(try await rig.events("delivered") == 1)
        #expect(try await rig.events("bounced") == 0)
        #expect(try await rig.engine.counter("relay_delivered") == 1)
        let data = try #require(try await rig.engine.executions("delivered").first)
        _ = data
    }

    @Test func deferralIsAStateAndNoEvent() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(line("deferred", "4.4.1", "connection refused"))
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .deferred)
        #expect(try await rig.mail().fate?.reply == "connection refused")
        rig.log.write(line("deferred", "4.4.2", "timed out"))
        await rig.follow()
        #expect(try await rig.mail().fate?.reply == "timed out")
        #expect(try await rig.events("delivered") == 0)
        #expect(try await rig.events("bounced") == 0)
        #expect(try await rig.engine.counter("relay_deferred") == 1)
        // Days later, after a restart: nothing is in memory.
        rig.reading = DeliveryLog.Reading()
        rig.log.write(line("sent", "2.0.0", "250 ok"), "postfix/qmgr[1]: 0A0000001: removed")
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .delivered)
        #expect(try await rig.events("delivered") == 1)
    }

    @Test func refusalIsABounceAndSuppressesItsAddress() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(line("bounced", "5.1.1", "host said: 550 5.1.1 no such user"))
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .bounced)
        #expect(try await rig.events("bounced") == 1)
        let project = rig.engine.project.id
        let found = try await rig.context.store.read { try $0.suppressions(of: "ann@example.org", in: project) }
        #expect(found.map(\.reason) == [.bounce])
    }

    @Test func whatTheRelayGaveUpIsExpiredWithItsLastReason() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(
            line("deferred", "4.4.1", "connection refused"),
            "postfix/qmgr[1]: 0A0000001: from=<robot@example.com>, status=expired, returned to sender")
        await rig.follow()
        let fate = try #require(try await rig.mail().fate)
        #expect(fate.status == .expired && fate.reply == "connection refused" && fate.enhancedCode == "4.4.1")
        #expect(try await rig.events("bounced") == 1)
        let project = rig.engine.project.id
        let found = try await rig.context.store.read { try $0.suppressions(of: "ann@example.org", in: project) }
        #expect(found.isEmpty)
    }

    @Test func sameLinesTwiceAreOneEvent() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(line("sent", "2.0.0", "250 ok"))
        await rig.follow()
        // As if the position had been lost.
        try await rig.context.store.write {
            try $0.saveLogPosition("0", of: "/var/log/mail.log", at: Timestamp(seconds: 0))
        }
        rig.reading = DeliveryLog.Reading()
        await rig.follow()
        rig.log.write(line("bounced", "5.1.1", "a second opinion"))
        await rig.follow()
        #expect(try await rig.events("delivered") == 1)
        #expect(try await rig.events("bounced") == 0)
    }

    @Test func throughAContentFilterTheLastQueueCounts() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        queue(rig, as: "0B0000002")
        rig.log.write(
            line("sent", "2.0.0", "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 0B0000002"),
            "postfix/qmgr[1]: 0A0000001: removed")
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .queued)
        #expect(try await rig.events("delivered") == 0)
        rig.log.write(line("sent", "2.0.0", "250 2.0.0 Ok: queued as 0C0000003", id: "0B0000002"))
        await rig.follow()
        let fate = try #require(try await rig.mail().fate)
        #expect(fate.status == .delivered && fate.queueID == "0B0000002")
        #expect(try await rig.events("delivered") == 1)
    }

    @Test func anAliasOfTheRecipientIsTheRecipient() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig)
        rig.log.write(
            "postfix/smtp[1]: 0A0000001: to=<box@store.example>, orig_to=<ann@example.org>, relay=r, dsn=5.1.1, status=bounced (no)"
        )
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .bounced)
    }

    /// Whoever has a mail of ours knows its Message-ID.
    @Test func aStrangersMailWithOurMessageIDCountsNothing() async throws {
        var rig = try await rig(Self.accepted)
        queue(rig, as: "0D0000004", client: "192.0.2.66")
        rig.log.write(line("bounced", "5.1.1", "no", id: "0D0000004"))
        await rig.follow()
        #expect(try await rig.mail().fate == nil)
        #expect(try await rig.events("bounced") == 0)
    }

    @Test func otherMailIsNoneOfOurs() async throws {
        var rig = try await rig(Self.accepted)
        for number in 0..<300 {
            rig.log.write(
                "postfix/smtpd[1]: 0E0000\(100 + number): client=c[127.0.0.1]",
                "postfix/cleanup[1]: 0E0000\(100 + number): message-id=<019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e30@x>",
                "postfix/qmgr[1]: 0E0000\(100 + number): from=<a@b.example>, size=1, nrcpt=1 (queue active)",
                line("sent", "2.0.0", "ok", id: "0E0000\(100 + number)"),
                "postfix/qmgr[1]: 0E0000\(100 + number): removed")
        }
        await rig.follow()
        #expect(try await rig.mail().fate == nil)
        #expect(try await rig.engine.counter("inbound_gaps") == 0)
    }

    // MARK: Proof

    @Test func logThatIsFasterThanOurRecordWaitsWithItsEvent() async throws {
        var rig = try await rig(nil)
        queue(rig)
        rig.log.write(line("sent", "2.0.0", "250 ok"))
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .delivered)
        #expect(try await rig.events("delivered") == 0, "the relay's own 250 is not recorded yet")
        let transport = ScriptedTransport()
        transport.answer([Self.accepted])
        await Dispatch(context: rig.context, transport: transport).deliver(rig.entry.entry)
        #expect(try await rig.events("sent") == 1)
        #expect(try await rig.events("delivered") == 1)
    }

    @Test func mailThatTheLogSawInTheQueueIsNotSentAgain() async throws {
        var rig = try await rig(.unknown(reason: "connection lost"))
        queue(rig)
        await rig.follow()
        #expect(try await rig.mail().fate?.status == .queued)
        rig.engine.clock.advance(seconds: 80)
        // The follower has read the log to its end.
        _ = await rig.follower.pass(&rig.reading)
        let transport = ScriptedTransport()
        try await rig.run(transport)
        #expect(transport.sent.isEmpty)
        let mail = try await rig.mail()
        #expect(mail.entry.status == .delivered && mail.queueID == "0A0000001")
        #expect(try await rig.events("sent") == 1)
    }

    /// The daemon ends and begins between any two of its lines.
    @Test(arguments: 1...3)
    func mailIsKnownInTheLogOverARestartBetweenItsLines(read: Int) async throws {
        var rig = try await rig(.unknown(reason: "connection lost"))
        let id = rig.entry.entry.id
        try await rig.context.store.write { store in
            _ = try store.insert(
                Acceptance(entryID: id, attempt: 1, queueID: "0A0000001", at: Timestamp(seconds: 1)))
        }
        let lines = [
            "postfix/smtpd[1]: 0A0000001: client=c[127.0.0.1]",
            "postfix/cleanup[1]: 0A0000001: message-id=<\(rig.entry.entry.messageID)>",
            "postfix/qmgr[1]: 0A0000001: from=<robot@example.com>, size=431, nrcpt=1 (queue active)",
            line("sent", "2.0.0", "250 ok"), "postfix/qmgr[1]: 0A0000001: removed",
        ]
        for line in lines[..<read] { rig.log.write(line) }
        await rig.follow()
        rig.reading = DeliveryLog.Reading()
        for line in lines[read...] { rig.log.write(line) }
        await rig.follow()
        rig.engine.clock.advance(seconds: 80)
        _ = await rig.follower.pass(&rig.reading)
        let transport = ScriptedTransport()
        try await rig.run(transport)
        #expect(transport.sent.isEmpty)
        #expect(try await rig.mail().fate?.status == .delivered)
    }

    @Test func mailThatAFilterRefusedIsSentAgain() async throws {
        var rig = try await rig(.unknown(reason: "connection lost"))
        rig.log.write(
            "postfix/smtpd[1]: 0A0000001: client=c[127.0.0.1]",
            "postfix/cleanup[1]: 0A0000001: message-id=<\(rig.entry.entry.messageID)>",
            "postfix/cleanup[1]: 0A0000001: milter-reject: END-OF-MESSAGE from c[127.0.0.1]: 4.7.1 later; from=<a@b>")
        await rig.follow()
        rig.engine.clock.advance(seconds: 80)
        _ = await rig.follower.pass(&rig.reading)
        let transport = ScriptedTransport()
        try await rig.run(transport)
        #expect(transport.sent.count == 1)
    }

    // MARK: Gaps

    private func arrive(
        _ rig: Rig, _ id: String, to recipient: String = "help@test.example", messageID: String = "m1@x"
    ) {
        rig.log.write(
            "postfix/smtpd[1]: \(id): client=c[192.0.2.66]", "postfix/cleanup[1]: \(id): message-id=<\(messageID)>",
            "postfix/qmgr[1]: \(id): from=<ann@sender.example>, size=1, nrcpt=1 (queue active)",
            line("sent", "2.0.0", "delivered to mailbox", id: id, to: recipient), "postfix/qmgr[1]: \(id): removed")
    }

    private func gaps(_ rig: Rig) async throws -> [InboundGap] {
        try await rig.context.store.read { try $0.inboundGaps(includingResolved: false, limit: 100) }
    }

    private func intake(_ rig: Rig) -> Intake {
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .domain("test.example"), project: "default", disposition: .continue)
        ])
        return Intake(context: rig.context, configuration: configuration)
    }

    private func receive(_ id: String, _ rig: Rig) async -> Verdict {
        let message = ReceivedMessage(
            queueID: id, clientAddress: "192.0.2.66", reversePath: "ann@sender.example",
            recipients: ["help@test.example"],
            headers: [HeaderField("Message-ID", "<\(id)@x>"), HeaderField("From", "a@b.example")])
        return await withCheckedContinuation { continuation in
            intake(rig).receive(message) { continuation.resume(returning: $0) }
        }
    }

    @Test func mailThatCameInPastUsIsAGap() async throws {
        var rig = try await rig(Self.accepted)
        arrive(rig, "0F0000001")
        arrive(rig, "0F0000002", to: "ann@elsewhere.example")
        await rig.follow()
        let found = try await gaps(rig)
        try #require(found.count == 1)
        #expect(found[0].queueID == "0F0000001" && found[0].recipient == "help@test.example")
        #expect(found[0].messageID == "m1@x" && found[0].sender == "ann@sender.example")
        #expect(try await rig.engine.counter("inbound_gaps") == 1)
    }

    @Test func mailThatBecameAnEventIsNoGap() async throws {
        var rig = try await rig(Self.accepted)
        #expect(await receive("0F0000001", rig) == .continue)
        arrive(rig, "0F0000001")
        await rig.follow()
        #expect(try await gaps(rig).isEmpty)
        // After a restart the database knows it.
        var context = rig.engine.context
        context.relayWatch = RelayWatch(listing: nil, followsLog: true, patience: 10, startedAt: rig.engine.clock.now())
        rig.context = context
        rig.follower = DeliveryLog(context: context, source: rig.log) { $0.hasSuffix("@test.example") }
        rig.reading = DeliveryLog.Reading()
        arrive(rig, "0F0000001", to: "sales@test.example")
        await rig.follow()
        #expect(try await gaps(rig).isEmpty)
    }

    @Test func mailThatComesBackFromAFilterIsNoGap() async throws {
        var rig = try await rig(Self.accepted)
        #expect(await receive("0F0000001", rig) == .continue)
        rig.log.write("postfix/cleanup[1]: 0F0000001: message-id=<m7@x>")
        arrive(rig, "0F0000002", messageID: "m7@x")
        await rig.follow()
        #expect(try await gaps(rig).isEmpty)
    }

    /// Many senders send one mail to each of several recipients in a transaction of its own; somebody may also write the id of another's
    /// mail into his.
    @Test func aMailForAnotherRecipientIsAGapUnderTheSameMessageID() async throws {
        var rig = try await rig(Self.accepted)
        #expect(await receive("0F0000001", rig) == .continue)
        rig.log.write("postfix/cleanup[1]: 0F0000001: message-id=<m7@x>")
        arrive(rig, "0F0000002", to: "sales@test.example", messageID: "m7@x")
        await rig.follow()
        #expect(try await gaps(rig).map(\.recipient) == ["sales@test.example"])
        // After a restart the database knows what came for whom.
        var context = rig.engine.context
        context.relayWatch = RelayWatch(listing: nil, followsLog: true, patience: 10, startedAt: rig.engine.clock.now())
        rig.context = context
        rig.follower = DeliveryLog(context: context, source: rig.log) { $0.hasSuffix("@test.example") }
        rig.reading = DeliveryLog.Reading()
        rig.log.write("postfix/cleanup[1]: 0F0000001: message-id=<m7@x>")
        arrive(rig, "0F0000003", messageID: "m7@x")
        arrive(rig, "0F0000004", to: "sales@test.example", messageID: "m7@x")
        await rig.follow()
        #expect(Set(try await gaps(rig).map(\.queueID)) == ["0F0000002", "0F0000004"])
    }

    @Test func whoClosedAGapStandsInTheAuditLog() async throws {
        var rig = try await rig(Self.accepted)
        for id in ["0F0000001", "0F0000002", "0F0000003"] { arrive(rig, id, messageID: "\(id)@x") }
        await rig.follow()
        let gaps = InboundGaps(context: rig.context.acting(as: .account("ann")))
        #expect(try await gaps.resolve(["0F0000001", "0F0000009"]) == 1)
        #expect(try await gaps.resolve(nil) == 2)
        // What changes nothing is no line.
        #expect(try await gaps.resolve(nil) == 0)
        let rows = try Rows(rig.database.path).run(
            """
            SELECT actor_kind, actor, target, details, project_id FROM audit_log
            WHERE action = 'inbound_gap.resolved' ORDER BY number
            """)
        #expect(
            rows == [
                ["account", "ann", "0F0000001", #"{"count":1}"#, ""], ["account", "ann", "all", #"{"count":2}"#, ""],
            ])
    }

    @Test func lateCommitClosesItsGap() async throws {
        var rig = try await rig(Self.accepted)
        arrive(rig, "0F0000001")
        await rig.follow()
        #expect(try await gaps(rig).count == 1)
        #expect(await receive("0F0000001", rig) == .continue)
        await rig.follow()
        #expect(try await gaps(rig).isEmpty)
    }
}

extension DeliveryLogTests.Rig {
    /// Delivers what is due.
    fileprivate func run(_ transport: any MailTransport) async throws {
        let now = engine.clock.now()
        let dispatch = Dispatch(context: context, transport: transport)
        for entry in try await context.store.write({ try $0.claimEntries(dueAt: now, limit: 10) }) {
            await dispatch.deliver(entry)
        }
    }
}
