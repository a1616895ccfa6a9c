import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// One queue id may have several recipients, and several stations.
@Suite struct LogRecipientTests {
    /// One mail to ann that the relay has taken.
    private func relayed() async throws -> (engine: EngineFixture, database: TemporaryDatabase, id: Identifier) {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi"]]))
        try await engine.track("signed_up")
        let now = engine.clock.now()
        let entry = try #require(
            try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }.first)
        await Dispatch(context: engine.context, transport: ScriptedTransport()).deliver(entry)
        return (engine, database, entry.id)
    }

    /// - Returns: what has become of the mail by then.
    private func take(
        _ engine: EngineFixture, _ id: Identifier, _ status: MailLogRecord.Outcome.Status, to recipient: String,
        instead original: String? = nil, _ reply: String = "250 ok", queueID: String = "0A0000001", isHop: Bool = false
    ) async throws -> MailFate.Status? {
        let now = engine.clock.now()
        let outcome = MailLogRecord.Outcome(
            status: status, recipient: recipient, originalRecipient: original, relay: "mx.example.net[192.0.2.9]:25",
            enhancedCode: status == .sent ? "2.0.0" : "5.1.1", reply: reply)
        return try await engine.context.transact { transaction -> MailFate.Status? in
            guard let mail = try transaction.store.relayedMail(id) else { return nil }
            try transaction.relayTried(mail, outcome, queueID: queueID, isHop: isHop, at: now)
            return try transaction.store.relayedMail(id)?.fate?.status
        }
    }

    /// Everybody who is still under that queue id is given up.
    /// - Returns: what has become of the mail by then.
    private func giveUp(
        _ engine: EngineFixture, _ id: Identifier, _ queueID: String = "0A0000001"
    ) async throws -> MailFate.Status? {
        let now = engine.clock.now()
        return try await engine.context.transact { transaction -> MailFate.Status? in
            guard let mail = try transaction.store.relayedMail(id) else { return nil }
            try transaction.relayGaveUp(mail, queueID: queueID, at: now)
            return try transaction.store.relayedMail(id)?.fate?.status
        }
    }

    private func suppressed(_ engine: EngineFixture) async throws -> [Suppression.Reason] {
        let project = engine.project.id
        return try await engine.context.store.read { try $0.suppressions(of: "ann@example.org", in: project) }
            .map(\.reason)
    }

    @Test func aCopyForTheArchiveIsNotTheMail() async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        #expect(try await take(engine, id, .sent, to: "archive@example.com") == nil)
        #expect(try await take(engine, id, .bounced, to: "ann@example.org", "said: 550 5.1.1 no") == .bounced)
        #expect(try await suppressed(engine) == [.bounce])
    }

    /// The copy for the archive waits on for days, and is given up.
    @Test func whatIsGivenUpLaterIsNotTheMailThatArrived() async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        #expect(try await take(engine, id, .sent, to: "ann@example.org") == .delivered)
        #expect(try await take(engine, id, .deferred, to: "archive@example.com", "connection refused") == .delivered)
        #expect(try await giveUp(engine, id) == .delivered)
        #expect(try await engine.counter("relay_expired") == 0)
    }

    @Test func whatIsGivenUpLaterIsNotTheMailThatWentOn() async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        #expect(try await take(engine, id, .sent, to: "ann@example.org", isHop: true) == .queued)
        #expect(try await giveUp(engine, id) == .queued)
        let second = "0B0000002"
        #expect(try await take(engine, id, .deferred, to: "ann@example.org", "busy", queueID: second) == .deferred)
        #expect(try await giveUp(engine, id) == .deferred)
        #expect(try await engine.counter("relay_expired") == 0)
        #expect(try await giveUp(engine, id, second) == .expired)
        #expect(try await engine.counter("relay_expired") == 1)
    }

    /// Lines may be lost: nothing is known but that it was in the queue.
    @Test func whatIsGivenUpAndWasNeverSeenIsExpired() async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        #expect(try await giveUp(engine, id) == .expired)
    }

    @Test func anAliasOfTheRecipientIsTheRecipient() async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        #expect(
            try await take(engine, id, .sent, to: "box@store.example", instead: "Ann@Example.org") == .delivered)
    }

    /// Postfix says in its log, too, what was answered.
    @Test(arguments: [("MAIL FROM", false), ("RCPT TO", true), ("end of DATA", false)])
    func aRefusalOfTheSenderSuppressesNobody(command: String, isAddress: Bool) async throws {
        let (engine, database, id) = try await relayed()
        _ = database
        let reply = "host mx.example.net[192.0.2.9] said: 550 5.1.1 User unknown (in reply to \(command) command)"
        #expect(try await take(engine, id, .bounced, to: "ann@example.org", reply) == .bounced)
        #expect(try await suppressed(engine) == (isAddress ? [.bounce] : []))
    }

    // MARK: Filters

    private func isHop(_ line: String) -> Bool? {
        var memory = MailLogMemory()
        let records = MailLogReader.record(in: Array("Jan  5 09:00:00 mx \(line)".utf8)[...]).map {
            [MailLogBatch.Line(record: $0, at: Timestamp(seconds: 1))]
        }
        guard case .outcome(_, _, _, let isHop, _)? = memory.take(records ?? [], wants: { _ in false }).steps.last
        else { return nil }
        return isHop
    }

    private static let services: [(String, String, String, Bool)] = [
        ("pipe", "filter", "delivered via filter service", true),
        ("pipe", "spamassassin", "delivered via spamassassin service (ok)", true),
        ("pipe", "dovecot", "delivered via dovecot service", false),
        ("pipe", "maildrop", "delivered via maildrop service", false),
        ("smtp", "mx.example.org[192.0.2.9]:25", "250 delivered via filter service", false),
        ("smtp", "filter", "delivered via filter service", false),
    ]

    @Test(arguments: services)
    func aContentFilterIsNotWhereTheMailGoes(program: String, relay: String, reply: String, isFilter: Bool) {
        let line =
            "postfix/\(program)[1]: 0A0000001: to=<ann@example.org>, relay=\(relay), delay=1, dsn=2.0.0, "
            + "status=sent (\(reply))"
        #expect(isHop(line) == isFilter)
    }

    // MARK: Short queue ids

    private func line(
        _ fact: MailLogRecord.Fact, _ queueID: String = "0A0000001", at seconds: Int64 = 1_800_000_000
    ) -> MailLogBatch.Line {
        MailLogBatch.Line(
            record: MailLogRecord(
                moment: .instant(seconds * 1_000_000), instance: "postfix", program: "smtp", queueID: queueID,
                fact: fact), at: Timestamp(seconds: seconds))
    }

    private func named(_ steps: [MailLogMemory.Step]) -> [(key: MailLogMemory.Key, mail: MailLogMemory.Mail)] {
        steps.compactMap { if case .named(let key, let mail) = $0 { (key, mail) } else { nil } }
    }

    /// An inode that is free is used again at once, and its number is most of a short queue id.
    @Test(arguments: [true, false])
    func aQueueIDThatComesAgainIsAnotherMail(hasClient: Bool) throws {
        var memory = MailLogMemory()
        let (first, second) = (
            Identifier(at: Timestamp(seconds: 1), random: (1, 1)), Identifier(at: Timestamp(seconds: 2), random: (2, 2))
        )
        let client = MailLogRecord.Fact.client(.init(name: "localhost", address: "127.0.0.1"))
        let before = memory.take([line(client), line(.messageID("\(first)@example.com"))]) { _ in false }
        let key = try #require(named(before.steps).first?.key)
        memory.setSaved([key])
        let lines = (hasClient ? [line(client)] : []) + [line(.messageID("\(second)@example.com"))]
        let mail = try #require(named(memory.take(lines) { _ in false }.steps).first?.mail)
        #expect(mail.candidate == second && !mail.isSaved && mail.isLocal && mail.seenRecipients.isEmpty)
        #expect(memory.count == 1)
        // The former name leads nowhere any more.
        let hop = MailLogRecord.Outcome(
            status: .sent, recipient: "ann@example.org", relay: "127.0.0.1[127.0.0.1]:10025", enhancedCode: "2.0.0",
            reply: "250 2.0.0 Ok: queued as 0A0000001")
        let other = memory.take(
            [
                line(client, "0B0000001"), line(.messageID("\(first)@example.com"), "0B0000001"),
                line(.outcome(hop), "0B0000001"),
            ]
        ) { _ in false }
        let hops = other.steps.compactMap { if case .outcome(_, _, _, let isHop, _) = $0 { isHop } else { nil } }
        #expect(hops == [false])
    }
}
