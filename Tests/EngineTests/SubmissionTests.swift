import Engine
import EngineTestKit
import JSONValue
import MailModel
import Synchronization
import Testing
import WorkflowModel

private let greeting: JSONObject = ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi"]]
private let sendHello: JSONObject = ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]

/// A listing that shows what the test says.
private final class ScriptedListing: QueueListing {
    private let content = Mutex<Set<String>?>([])

    func show(_ ids: Set<String>?) { content.withLock { $0 = ids } }

    func queued(among wanted: [Wanted]) async -> Set<String>? {
        content.withLock { content in content.map { $0.intersection(wanted.map(\.queueID)) } }
    }
}

/// The relay's milter side of each attempt: shows the mail to the intake, and answers what the test says.
private final class MilteredTransport: MailTransport {
    let concurrency = 4
    private let intake: Intake
    private let state = Mutex(
        (ids: [String](), outcomes: [DeliveryOutcome](), verdicts: [Verdict](), mails: [OutgoingMail]()))
    private let client: String

    init(_ intake: Intake, client: String = "127.0.0.1") {
        self.intake = intake
        self.client = client
    }

    /// The next attempts get these queue ids and end so.
    func play(_ id: String, _ outcome: DeliveryOutcome) {
        state.withLock {
            $0.ids.append(id)
            $0.outcomes.append(outcome)
        }
    }

    var verdicts: [Verdict] { state.withLock { $0.verdicts } }
    var mails: [OutgoingMail] { state.withLock { $0.mails } }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        let (id, outcome) = state.withLock { state in
            state.mails.append(mail)
            return state.ids.isEmpty
                ? ("0Z9", ScriptedTransport.accepted) : (state.ids.removeFirst(), state.outcomes.removeFirst())
        }
        let marker = SentMail(mail).field("X-Postrider-Delivery") ?? ""
        let verdict = await show(
            OwnSubmission(
                marker: " \(marker)", queueID: id, reversePath: mail.reversePath, recipients: [mail.recipient],
                clientAddress: client, authenticatedUser: nil))
        state.withLock { $0.verdicts.append(verdict) }
        return outcome
    }

    func show(_ submission: OwnSubmission) async -> Verdict {
        await withCheckedContinuation { continuation in
            intake.read(submission) { continuation.resume(returning: $0) }
        }
    }

    func stop() {}
}

extension Intake {
    fileprivate func read(_ submission: OwnSubmission, completion: @escaping @Sendable (Verdict) -> Void) {
        read(submission, others: 0)(completion)
    }
}

@Suite struct SubmissionTests {
    private struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var transport: MilteredTransport
        var listing: ScriptedListing
        var context: EngineContext
    }

    private func rig(hasListing: Bool = true, client: String = "127.0.0.1") async throws -> Rig {
        let (engine, database) = try await makeEngine { ($0.firstRetry, $0.longestRetry) = (60, 60) }
        let listing = ScriptedListing()
        var context = engine.context
        context.relayWatch = RelayWatch(
            listing: hasListing ? listing : nil, followsLog: false, patience: 10, startedAt: engine.clock.now())
        try await engine.apply(document(steps: sendHello, templates: greeting))
        try await engine.track("signed_up")
        let intake = Intake(context: context, configuration: Intake.Configuration())
        return Rig(
            engine: engine, database: database, transport: MilteredTransport(intake, client: client), listing: listing,
            context: context)
    }

    /// Delivers what is due.
    private func run(_ rig: Rig) async throws {
        let dispatch = Dispatch(context: rig.context, transport: rig.transport)
        let now = rig.engine.clock.now()
        for entry in try await rig.context.store.write({ try $0.claimEntries(dueAt: now, limit: 10) }) {
            await dispatch.deliver(entry)
        }
    }

    private func entry(_ rig: Rig) async throws -> RelayedMail {
        let marker = SentMail(try #require(rig.transport.mails.first)).field("X-Postrider-Delivery") ?? ""
        let id = try #require(rig.context.tokens.verify(marker, kind: .delivery))
        return try #require(try await rig.context.store.read { try $0.relayedMail(id) })
    }

    private func acceptances(_ rig: Rig) async throws -> [Acceptance] {
        let id = try await entry(rig).entry.id
        return try await rig.context.store.read { try $0.acceptances(of: id) }
    }

    /// What `email.sent` says of it.
    private func saysPossibleDuplicate(_ rig: Rig) async throws -> JSON? {
        let project = rig.engine.project.id
        let events = try await rig.context.store.read {
            try $0.newestEventData(of: "email.sent", in: project, among: 50)
        }
        let data = try #require(events.first)
        return data["isPossibleDuplicate"]
    }

    private static let lost = DeliveryOutcome.unknown(reason: "connection lost after DATA")

    @Test func whatGoesInIsNoted() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", ScriptedTransport.accepted)
        try await run(rig)
        #expect(rig.transport.verdicts == [.continue])
        #expect(try await acceptances(rig).map(\.queueID) == ["0A1"])
        #expect(try await entry(rig).entry.status == .delivered)
    }

    @Test func mailInTheQueueIsNotSentAgain() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", Self.lost)
        try await run(rig)
        rig.listing.show(["0A1"])
        rig.engine.clock.advance(seconds: 80)
        try await run(rig)
        #expect(rig.transport.mails.count == 1)
        let mail = try await entry(rig)
        #expect(mail.entry.status == .delivered && mail.queueID == "0A1")
        #expect(try await rig.engine.counter("duplicates_prevented") == 1)
        #expect(try await rig.engine.counter("possible_duplicates") == 0, "it was not one")
        #expect(!mail.entry.isPossibleDuplicate)
        #expect(try await saysPossibleDuplicate(rig) == nil)
    }

    @Test func mailThatIsNowhereIsWaitedForAndThenSentAgain() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", Self.lost)
        let claimed = rig.engine.clock.now()
        try await run(rig)
        // As a restart finds it: at once.
        let id = try await entry(rig).entry.id
        try await rig.context.store.write { try $0.unclaim([id], until: claimed) }
        try await rig.context.store.write { store in
            let entries = try store.claimEntries(dueAt: claimed.adding(seconds: 100), limit: 1)
            try store.unclaim(entries.map(\.id), until: claimed)
        }
        for _ in 0..<10 {
            try await run(rig)
            #expect(rig.transport.mails.count == 1)
            rig.engine.clock.advance(seconds: 1)
        }
        rig.transport.play("0A2", ScriptedTransport.accepted)
        try await run(rig)
        #expect(rig.transport.mails.count == 2 && rig.transport.verdicts == [.continue, .continue])
        #expect(try await acceptances(rig).map(\.queueID) == ["0A1", "0A2"])
        #expect(try await rig.engine.counter("possible_duplicates") == 1)
        #expect(try await entry(rig).entry.isPossibleDuplicate)
        #expect(try await saysPossibleDuplicate(rig) == true)
    }

    /// The proof comes after the second attempt has begun.
    @Test func secondSubmissionOfWhatIsQueuedIsDiscarded() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", Self.lost)
        try await run(rig)
        rig.engine.clock.advance(seconds: 80)
        rig.listing.show(nil)
        rig.transport.play("0A2", ScriptedTransport.accepted)
        let now = rig.engine.clock.now()
        let entries = try await rig.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }
        let (dispatch, listing) = (
            Dispatch(context: rig.context, transport: LateProof(rig.transport, rig.listing)), rig.listing
        )
        _ = listing
        await dispatch.deliver(entries[0])
        #expect(rig.transport.verdicts == [.continue, .discard])
        #expect(try await acceptances(rig).map(\.isDiscarded) == [false, true])
        #expect(try await rig.engine.counter("submissions_discarded") == 1)
        #expect(try await rig.engine.counter("possible_duplicates") == 0, "the second copy was dropped")
        #expect(try await entry(rig).entry.isPossibleDuplicate == false)
        #expect(try await saysPossibleDuplicate(rig) == nil)
    }

    /// Two attempts ended in the dark, and the second of them is found: the first may be a copy beside it.
    @Test func oneThatIsFoundDoesNotSpeakForTheOther() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", Self.lost)
        try await run(rig)
        #expect(try await entry(rig).entry.isPossibleDuplicate == false, "nothing was sent again yet")
        rig.engine.clock.advance(seconds: 80)
        rig.transport.play("0A2", Self.lost)
        try await run(rig)
        #expect(rig.transport.mails.count == 2)
        rig.listing.show(["0A2"])
        rig.engine.clock.advance(seconds: 80)
        try await run(rig)
        #expect(rig.transport.mails.count == 2)
        #expect(try await rig.engine.counter("possible_duplicates") == 1)
        #expect(try await entry(rig).entry.isPossibleDuplicate)
        #expect(try await saysPossibleDuplicate(rig) == true)
    }

    @Test func retryAfterARefusalIsNeverDiscarded() async throws {
        let rig = try await rig()
        let later = DeliveryOutcome.deferred(reply: Reply(code: 451, enhancedCode: "4.7.1", text: "a later filter"))
        rig.transport.play("0A1", later)
        try await run(rig)
        // Whatever shows up under that id, the relay said that it did not take the mail.
        rig.listing.show(["0A1"])
        rig.engine.clock.advance(seconds: 80)
        rig.transport.play("0A2", ScriptedTransport.accepted)
        try await run(rig)
        #expect(rig.transport.verdicts == [.continue, .continue] && rig.transport.mails.count == 2)
    }

    @Test func withoutAnybodyToAskTheMailIsSentAgain() async throws {
        let rig = try await rig(hasListing: false)
        rig.transport.play("0A1", Self.lost)
        try await run(rig)
        rig.engine.clock.advance(seconds: 80)
        try await run(rig)
        #expect(rig.transport.mails.count == 2 && rig.transport.verdicts == [.continue, .continue])
    }

    /// A content filter gives the mail back to the MTA, and a mailbox forwards it: neither is a second submission.
    @Test func copiesOnTheirFurtherWayPass() async throws {
        let rig = try await rig()
        rig.transport.play("0A1", Self.lost)
        try await run(rig)
        rig.listing.show(["0A1"])
        let marker = SentMail(rig.transport.mails[0]).field("X-Postrider-Delivery") ?? ""
        func submission(_ id: String, to recipient: String = "ann@example.org") -> OwnSubmission {
            OwnSubmission(
                marker: marker, queueID: id, reversePath: "", recipients: [recipient], clientAddress: "127.0.0.1",
                authenticatedUser: nil)
        }
        // No attempt is under way.
        #expect(await rig.transport.show(submission("0B1")) == .continue)
        rig.engine.clock.advance(seconds: 80)
        let now = rig.engine.clock.now()
        _ = try await rig.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }
        #expect(await rig.transport.show(submission("0B2", to: "other@example.org")) == .continue)
        #expect(try await acceptances(rig).count == 1)
    }

    @Test func strangersMarksAreNone() async throws {
        let rig = try await rig(client: "192.0.2.7")
        rig.transport.play("0A1", ScriptedTransport.accepted)
        try await run(rig)
        #expect(rig.transport.verdicts == [.continue])
        #expect(try await acceptances(rig).isEmpty, "our own submissions come from here")
        for marker in ["", "x", String(repeating: "A", count: 44), String(repeating: "A", count: 4000)] {
            let verdict = await rig.transport.show(
                OwnSubmission(
                    marker: marker, queueID: "0C1", reversePath: "", recipients: ["ann@example.org"],
                    clientAddress: "127.0.0.1", authenticatedUser: nil))
            #expect(verdict == .continue)
        }
    }
}

/// Proof appears while the attempt is under way.
private final class LateProof: MailTransport {
    let concurrency = 1
    private let transport: MilteredTransport
    private let listing: ScriptedListing

    init(_ transport: MilteredTransport, _ listing: ScriptedListing) {
        self.transport = transport
        self.listing = listing
    }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        listing.show(["0A1"])
        return await transport.deliver(mail)
    }

    func stop() {}
}
