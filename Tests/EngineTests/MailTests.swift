import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Synchronization
import Testing
import WorkflowModel

@testable import Engine

private let greeting: JSONObject = [
    "hello": [
        "type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi {{ contact.name }}",
        "html": "<body><p>Hi {{ contact.name }}</p></body>", "trackOpens": true,
    ]
]
private let sendHello: JSONObject = ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]

@Suite struct DispatchTests {
    private func prepared(
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine(configure)
        try await engine.apply(document(steps: sendHello, templates: greeting))
        try await engine.track("signed_up", data: ["name": "<b>Ann</b>"])
        return (engine, database)
    }

    @Test func temporaryRefusalIsTriedAgainLaterWithTheSameMessage() async throws {
        let (engine, database) = try await prepared { ($0.firstRetry, $0.longestRetry) = (60, 3600) }
        _ = database
        let transport = ScriptedTransport()
        let later = DeliveryOutcome.deferred(reply: Reply(code: 451, enhancedCode: "4.3.0", text: "later"))
        transport.answer([later, later])
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        engine.clock.advance(seconds: 59)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        // Jitter lengthens a pause by a quarter at most; the second is twice the first.
        engine.clock.advance(seconds: 16)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2)
        engine.clock.advance(seconds: 119)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2)
        engine.clock.advance(seconds: 31)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 3)
        // Equal bytes: Date, Message-ID, pixel and boundary included.
        #expect(Set(transport.sent.map(\.bytes)).count == 1)
        #expect(try await engine.counter("possible_duplicates") == 0)
    }

    @Test func mailExpiresAfterItsLifetimeAndTheContactGetsTheEvent() async throws {
        let (engine, database) = try await prepared { ($0.firstRetry, $0.maximalLifetime) = (60, 100) }
        _ = database
        try await engine.apply(
            document(event: "email.failed", slug: "failed", steps: ["end": ["type": "EXIT"]]))
        let transport = ScriptedTransport()
        transport.answer(Array(repeating: .unreachable(reason: "connection refused"), count: 5))
        try await engine.runDispatch(transport)
        engine.clock.advance(seconds: 75)
        try await engine.runDispatch(transport)
        engine.clock.advance(seconds: 1000)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2)
        #expect(try await engine.executions("failed").count == 1)
    }

    @Test func permanentRefusalIsNotTriedAgainAndBecomesABounce() async throws {
        let (engine, database) = try await prepared()
        _ = database
        try await engine.apply(document(event: "email.bounced", slug: "bounced", steps: ["end": ["type": "EXIT"]]))
        let transport = ScriptedTransport()
        transport.answer([.rejected(reply: Reply(code: 550, enhancedCode: "5.1.1", text: "no such user"))])
        try await engine.runDispatch(transport)
        engine.clock.advance(seconds: 10 * 86_400)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        #expect(try await engine.executions("bounced").count == 1)
    }

    @Test func unknownOutcomeIsTriedAgainAndCounted() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let transport = ScriptedTransport()
        transport.answer([.unknown(reason: "connection lost after DATA")])
        try await engine.runDispatch(transport)
        engine.clock.advance(seconds: 100)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2 && transport.sent[0].bytes == transport.sent[1].bytes)
        #expect(try await engine.counter("possible_duplicates") == 1)
        let project = engine.project.id
        let events = try await engine.context.store.read {
            try $0.newestEventData(of: "email.sent", in: project, among: 50)
        }
        let data = try #require(events.first)
        #expect(data["isPossibleDuplicate"] == true)
        let id = try #require(data["emailId"]?.stringValue.flatMap { Identifier($0) })
        let status = try await DirectMail(context: engine.context).status(of: id, project: project)
        #expect(status.entry.isPossibleDuplicate)
    }

    @Test func claimOfADeadDaemonIsTriedAgainAndCounted() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }
        #expect(claimed.count == 1)
        let transport = ScriptedTransport()
        let dispatch = Dispatch(context: engine.context, transport: transport)
        try await dispatch.recover()
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        #expect(try await engine.counter("possible_duplicates") == 1)
    }

    @Test func loopSendsWhatIsDueAndEndsWhenCancelled() async throws {
        let (engine, database) = try await prepared()
        _ = database
        for number in 0..<20 { try await engine.track("signed_up", "p\(number)@example.org") }
        let transport = SignallingTransport(expecting: 21)
        let dispatch = Dispatch(context: engine.context, transport: transport)
        let loop = Task { await dispatch.run() }
        await transport.allSent()
        loop.cancel()
        await loop.value
        let counts = try await engine.context.store.read { try $0.outboxCounts() }
        #expect(counts == [.pending: 0, .claimed: 0])
    }

    @Test func mailEscapesValuesInHTMLAndCarriesThePixel() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let text = String(decoding: transport.sent[0].bytes, as: UTF8.self).replacing("=\r\n", with: "")
        #expect(text.contains("<p>Hi &lt;b&gt;Ann&lt;/b&gt;</p>"))
        #expect(text.contains("Hi <b>Ann</b>"))
        #expect(text.contains("http://127.0.0.1:8480/o/"))
        #expect(text.contains("Auto-Submitted: auto-generated\r\n"))
        #expect(transport.sent[0].reversePath == "robot@example.com")
    }

    @Test func templateWithoutASenderFailsWithTheMend() async throws {
        let (engine, database) = try await prepared { $0.defaultFrom = nil }
        _ = database
        try await engine.apply(document(event: "email.failed", slug: "failed", steps: ["end": ["type": "EXIT"]]))
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.isEmpty)
        #expect(try await engine.executions("failed").count == 1)
    }
}

/// Accepts everything and tells when it got as much as expected.
private final class SignallingTransport: MailTransport {
    let concurrency = 3
    private let count = Mutex(0)
    private let expected: Int
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(expecting: Int) {
        expected = expecting
        (stream, continuation) = AsyncStream.makeStream()
    }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        let isLast = count.withLock {
            $0 += 1
            return $0 == expected
        }
        if isLast { continuation.finish() }
        return ScriptedTransport.accepted
    }

    func stop() {}

    func allSent() async { for await _ in stream {} }
}

@Suite struct OpensTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

    /// Sends one mail and returns the token of its pixel.
    private func sendOne(_ engine: EngineFixture) async throws -> String {
        try await engine.apply(document(steps: sendHello, templates: greeting))
        try await engine.apply(
            document(
                event: "email.opened", reentry: true, slug: "opened", steps: ["end": ["type": "EXIT"]],
                templates: greeting))
        try await engine.track("signed_up")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let text = String(decoding: transport.sent[0].bytes, as: UTF8.self).replacing("=\r\n", with: "")
        let start = try #require(text.range(of: "/o/"))
        return String(text[start.upperBound...].prefix(TokenSigner.textLength))
    }

    private func fetch(_ engine: EngineFixture, _ token: String, userAgent: String = browser) async throws {
        Opens(context: engine.context).note(
            .init(token: token, userAgent: userAgent, address: "192.0.2.7", wantsPrivacy: false))
        // The note has taken its place in the writer's queue; this comes after it.
        _ = try await engine.contact()
    }

    @Test func firstLookOfAPersonIsTheOpen() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let token = try await sendOne(engine)
        engine.clock.advance(seconds: 10)
        try await fetch(engine, token)
        engine.clock.advance(seconds: 100)
        try await fetch(engine, token)
        #expect(try await engine.executions("opened").count == 1)
    }

    @Test func machinesAndPrefetchesAreNoOpen() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let token = try await sendOne(engine)
        engine.clock.advance(seconds: 4)
        try await fetch(engine, token)
        engine.clock.advance(seconds: 10)
        try await fetch(engine, token, userAgent: "Mozilla/5.0")
        try await fetch(engine, token, userAgent: "")
        #expect(try await engine.executions("opened").isEmpty)
        engine.clock.advance(seconds: 10)
        try await fetch(engine, token)
        #expect(try await engine.executions("opened").count == 1)
    }

    @Test func floodOfFetchesIsNotRecorded() async throws {
        let log = MemoryLog(refusesToForget: true)
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let engine = try await EngineFixture(store: store, fetchLog: log)
        let token = try await sendOne(engine)
        engine.clock.advance(seconds: 10)
        for _ in 0..<100 { try await fetch(engine, token) }
        #expect(log.lines().count == 20)
        engine.clock.advance(seconds: 60)
        try await fetch(engine, token)
        #expect(log.lines().count == 21)
    }

    @Test func alteredAndForeignTokensAreNoOpen() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let token = try await sendOne(engine)
        engine.clock.advance(seconds: 10)
        let other = (token.first == "A" ? "B" : "A") + token.dropFirst()
        let entry = try #require(engine.context.tokens.verify(token, kind: .open))
        for wrong in [other, "", String(repeating: "A", count: 44), engine.context.tokens.token(.delivery, for: entry)]
        {
            try await fetch(engine, wrong)
        }
        #expect(try await engine.executions("opened").isEmpty)
    }
}

/// Lines in memory; `refusesToForget` keeps them as a dead process would.
private final class MemoryLog: FetchLog {
    private let state = Mutex<[String]>([])
    private let refusesToForget: Bool

    init(refusesToForget: Bool = false) { self.refusesToForget = refusesToForget }

    func append(_ line: String) { state.withLock { $0.append(line) } }
    func lines() -> [String] { state.withLock { $0 } }
    func clear() { if !refusesToForget { state.withLock { $0 = [] } } }
}

@Suite struct FetchJournalTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

    private func engine(_ log: any FetchLog) async throws -> (EngineFixture, TemporaryDatabase) {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let engine = try await EngineFixture(store: store, fetchLog: log)
        try await engine.apply(document(steps: sendHello, templates: greeting))
        try await engine.apply(
            document(
                event: "email.opened", reentry: true, slug: "opened", steps: ["end": ["type": "EXIT"]],
                templates: greeting))
        try await engine.track("signed_up")
        return (engine, database)
    }

    private func entry(_ engine: EngineFixture) async throws -> Identifier {
        let now = engine.clock.now()
        let entries = try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }
        let entry = try #require(entries.first).id
        try await engine.context.store.write {
            _ = try $0.record(AttemptRecord(status: .delivered, at: now, reply: "250 ok"), of: entry)
        }
        return entry
    }

    @Test func recordedFetchesAreForgotten() async throws {
        let log = MemoryLog()
        let (engine, database) = try await engine(log)
        _ = database
        let token = engine.context.tokens.token(.open, for: try await entry(engine))
        engine.clock.advance(seconds: 10)
        Opens(context: engine.context).note(
            .init(token: token, userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
        _ = try await engine.contact()
        #expect(log.lines().isEmpty)
        #expect(try await engine.executions("opened").count == 1)
    }

    /// What is wrong with one mail's rows keeps no other fetch out, and is not tried for ever.
    @Test func damagedMailKeepsNoOtherFetchFromBeingRecorded() async throws {
        let log = MemoryLog()
        let (engine, database) = try await engine(log)
        try await engine.track("signed_up", "ben@example.org")
        let (damaged, other) = (try await entry(engine), try await entry(engine))
        try DamagedDatabase(database.path).spoil(
            "UPDATE outbox SET request = 'no json' WHERE id = x'\(damaged.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())'"
        )
        engine.clock.advance(seconds: 10)
        for entry in [damaged, other] {
            log.append(
                "{\"entry\":\"\(entry)\",\"at\":\(engine.clock.now().microseconds),\"userAgent\":\"\(Self.browser)\",\"network\":\"\"}"
            )
        }
        Opens(context: engine.context).recover()
        try await settled(log)
        #expect(try await engine.executions("opened").count == 1)
    }

    /// Its end is told on other threads, which must come to it.
    private func settled(_ log: MemoryLog) async throws {
        for _ in 0..<1_000_000 where !log.lines().isEmpty { await Task.yield() }
        #expect(log.lines().isEmpty)
    }

    /// However many had to wait for the database: what stayed in the log alone would keep it from being cleared ever after.
    @Test func fetchesThatWaitedForTheDatabaseLeaveTheLog() {
        let log = MemoryLog()
        let journal = FetchJournal(log)
        let fetch = NotedFetch(
            .mail(Identifier(high: 1, low: 1)), at: Timestamp(seconds: 1), userAgent: "", network: "",
            machineReason: nil)
        let count = 10_100
        var batch: [NotedFetch] = []
        for _ in 0..<count { batch += journal.began(fetch) }
        var failed = 0
        while !batch.isEmpty {
            for noted in batch { journal.failed(noted) }
            failed += batch.count
            batch = journal.next()
        }
        #expect(failed == count && log.lines().count == count)
        batch = journal.began(fetch)
        var recorded = 0
        while !batch.isEmpty {
            recorded += batch.count
            journal.recorded(batch.count)
            batch = journal.next()
        }
        #expect(recorded == count + 1 && log.lines().isEmpty)
    }

    @Test func fetchesOfADeadDaemonAreRecordedOnceWithTheirOwnTime() async throws {
        let log = MemoryLog(refusesToForget: true)
        let (engine, database) = try await engine(log)
        _ = database
        let entry = try await entry(engine)
        let at = engine.clock.now().adding(seconds: 10)
        log.append(
            "{\"entry\":\"\(entry)\",\"at\":\(at.microseconds),\"userAgent\":\"\(Self.browser)\",\"network\":\"192.0.2.0/24\"}"
        )
        log.append("{\"entry\":\"\(entry)\",\"at")
        engine.clock.advance(seconds: 3600)
        Opens(context: engine.context).recover()
        Opens(context: engine.context).recover()
        _ = try await engine.contact()
        #expect(try await engine.executions("opened").count == 1)
    }
}
