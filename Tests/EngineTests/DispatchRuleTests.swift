import EngineTestKit
import JSONValue
import MailModel
import Synchronization
import Testing
import WorkflowModel

@testable import Engine

/// An engine with mails in its outbox, relays that answer as told, and rounds of dispatch one after the other.
struct DispatchStage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    let template: Identifier
    let contact: Identifier
    let dispatch: Dispatch
    let relays: [ScriptedTransport]

    /// - Parameter relays: rules and answers; one relay for everything by default.
    init(
        relays rules: [RelayRules] = [RelayRules(name: "main")], places: Int = 4,
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws {
        (engine, database) = try await makeEngine { configuration in
            configuration.relayNames = rules.map(\.name)
            configure(&configuration)
        }
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: ["hello": ["type": "MARKETING", "subject": "Hello", "text": "Hi"]]))
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        template = try #require(catalog.template("hello", in: engine.project.id)).current.id
        contact = try await engine.track("known", "known@example.org", subscribed: true).contactID
        relays = rules.map { _ in ScriptedTransport(concurrency: places) }
        dispatch = Dispatch(
            context: engine.context, relays: zip(rules, relays).map { MailRelay($0, transport: $1) })
    }

    /// Puts mails to those addresses into the outbox.
    @discardableResult
    func fill(
        _ recipients: [String], from: String = "news@example.com", kind: TemplateSummary.Kind = .transactional,
        project: Identifier? = nil, contact: Identifier? = nil
    ) async throws -> [Identifier] {
        let project = project ?? engine.project.id
        let contact = contact ?? self.contact
        let template = template
        return try await engine.context.transact { transaction in
            try recipients.map { recipient in
                let id = transaction.makeID()
                let entry = OutboxEntry(
                    id: id, projectID: project, contactID: contact, executionID: nil, dueAt: transaction.now,
                    createdAt: transaction.now, generation: 1,
                    request: MailRequest(
                        id: id, step: "hello", templateVersionID: template, kind: kind, recipient: recipient,
                        from: from),
                    messageID: "\(id)@example.com")
                try transaction.store.insert(entry)
                transaction.wakes.mail(entry)
                return id
            }
        }
    }

    /// Sends until nobody may go.
    /// - Returns: when to look again.
    @discardableResult
    func send(_ dispatch: Dispatch? = nil) async -> Timestamp {
        let dispatch = dispatch ?? self.dispatch
        var looks = Dispatch.Looks()
        while true {
            switch await dispatch.round(&looks, at: engine.clock.now()) {
            case .rest(let time): return time
            case .go(let claimed): await dispatch.deliverAll(claimed)
            }
        }
    }

    func entry(_ id: Identifier) async throws -> OutboxEntry? {
        try await engine.context.store.read { try $0.entry(id) }
    }

    var recipients: [String] { relays.flatMap(\.sent).map(\.recipient) }
}

private let busy = DeliveryOutcome.deferred(reply: Reply(code: 421, enhancedCode: "4.7.0", text: "try again later"))

@Suite struct DispatchRuleTests {
    // MARK: Domains

    @Test func domainThatPutsMailOffIsLeftAloneAsAWhole() async throws {
        let stage = try await DispatchStage()
        let ids = try await stage.fill((0..<500).map { "p\($0)@slow.example" }, kind: .marketing)
        try await stage.fill((0..<50).map { "p\($0)@quick.example" }, kind: .marketing)
        let relay = DomainRelay(refusing: "slow.example")
        let dispatch = Dispatch(context: stage.engine.context, transport: relay)
        await stage.send(dispatch)
        #expect(relay.count(of: "quick.example") == 50)
        // Three in a row open it; others were under way.
        #expect(relay.count(of: "slow.example") <= 8)
        // For an hour: one probe each time, at growing intervals.
        for _ in 0..<120 {
            stage.engine.clock.advance(seconds: 30)
            await stage.send(dispatch)
        }
        #expect(relay.count(of: "slow.example") <= 20)
        let untouched = try await stage.engine.context.store.read { reader in
            try ids.count { try reader.entry($0)?.attempts == 0 }
        }
        #expect(untouched >= 480)
        relay.acceptAll()
        for _ in 0..<60 {
            stage.engine.clock.advance(seconds: 300)
            await stage.send(dispatch)
        }
        #expect(relay.taken("slow.example") == 500)
    }

    @Test func mailOfADomainThatIsLeftAloneExpiresWithoutItsTurn() async throws {
        let stage = try await DispatchStage { $0.maximalLifetime = 3600 }
        let ids = try await stage.fill((0..<100).map { "p\($0)@slow.example" }, kind: .marketing)
        let relay = DomainRelay(refusing: "slow.example")
        let dispatch = Dispatch(context: stage.engine.context, transport: relay)
        // What lies between the end of a pause and the next look is not counted.
        for _ in 0..<120 {
            await stage.send(dispatch)
            stage.engine.clock.advance(seconds: 180)
        }
        // What was given up is written by a task of its own.
        var statuses: Set<OutboxEntry.Status> = []
        for _ in 0..<20_000 where statuses != [.expired] {
            statuses = Set(
                try await stage.engine.context.store.read { reader in
                    try ids.compactMap { try reader.entry($0)?.status }
                })
            await Task.yield()
        }
        #expect(statuses == [.expired] && relay.count(of: "slow.example") < 60)
    }

    @Test func refusalOfOneMailboxLeavesItsDomainAlone() async throws {
        let stage = try await DispatchStage()
        let full = DeliveryOutcome.deferred(reply: Reply(code: 452, enhancedCode: "4.2.2", text: "mailbox full"))
        stage.relays[0].answer(Array(repeating: full, count: 10))
        try await stage.fill((0..<30).map { "p\($0)@example.org" })
        await stage.send()
        #expect(stage.relays[0].sent.count == 30)
    }

    // MARK: Pace

    @Test func domainHasItsRate() async throws {
        let stage = try await DispatchStage {
            $0.pacing = [PacingRule(.domains(["slow.example"]), Pace(rate: .init(count: 2, seconds: 1)))]
        }
        try await stage.fill((0..<20).map { "p\($0)@slow.example" } + (0..<20).map { "p\($0)@quick.example" })
        await stage.send()
        func slow() -> Int { stage.recipients.count { $0.hasSuffix("slow.example") } }
        #expect(slow() == 2 && stage.recipients.count == 22)
        for second in 1...5 {
            stage.engine.clock.advance(microseconds: 500_000)
            await stage.send()
            stage.engine.clock.advance(microseconds: 500_000)
            await stage.send()
            #expect(slow() == 2 + 2 * second)
        }
    }

    @Test func senderHasItsRateAndItsMailsAreNotClaimedAgainAndAgain() async throws {
        let stage = try await DispatchStage {
            $0.pacing = [PacingRule(.senders(["news@example.com"]), Pace(rate: .init(count: 60, seconds: 60)))]
        }
        let ids = try await stage.fill((0..<30).map { "p\($0)@example.org" })
        try await stage.fill(["other@example.org"], from: "other@example.com")
        await stage.send()
        #expect(stage.recipients.count == 2 && stage.recipients.contains("other@example.org"))
        let due = try await stage.engine.context.store.read { reader in
            try ids.compactMap { try reader.entry($0) }.filter { $0.status == .pending }.map(\.dueAt)
        }
        // Everyone has a second of its own.
        #expect(Set(due).count == 29)
        for second in 1...29 {
            stage.engine.clock.advance(seconds: 1)
            await stage.send()
            #expect(stage.recipients.count == 2 + second)
        }
    }

    @Test func ceilingOfTheDayHoldsOverARestart() async throws {
        let stage = try await DispatchStage { $0.pacing = [PacingRule(.relays(["main"]), Pace(perDay: 5))] }
        try await stage.fill((0..<12).map { "p\($0)@example.org" })
        await stage.send()
        #expect(stage.recipients.count == 5)
        let next = Dispatch(
            context: stage.engine.context,
            relays: [MailRelay(RelayRules(name: "main"), transport: stage.relays[0])])
        try await next.recover()
        let again = await stage.send(next)
        #expect(stage.recipients.count == 5 && again <= Timestamp(rfc3339: "2026-01-06T00:00:00Z") ?? .never)
        stage.engine.clock.advance(seconds: 86_400)
        await stage.send(next)
        #expect(stage.recipients.count == 10)
    }

    /// The daily ceilings of a plan grow by the day, for each sender of it, whoever was restarted meanwhile.
    @Test func warmUpGrowsByTheDayOverRestarts() async throws {
        var pace = Pace(perDay: 100)
        pace.warmUp = [2, 5, 20]
        let stage = try await DispatchStage { [pace] in
            var pace = pace
            pace.warmUpStart = PaceGate.day(of: VirtualClock().now())
            $0.pacing = [PacingRule(.senders(["news@example.com"]), pace)]
        }
        try await stage.fill((0..<150).map { "p\($0)@d\($0 % 7).example" })
        var sent: [Int] = []
        for _ in 0..<4 {
            for _ in 0..<2 {
                let dispatch = Dispatch(
                    context: stage.engine.context,
                    relays: [MailRelay(RelayRules(name: "main"), transport: stage.relays[0])])
                try await dispatch.recover()
                await stage.send(dispatch)
            }
            sent.append(stage.recipients.count - sent.reduce(0, +))
            stage.engine.clock.advance(seconds: 86_400)
        }
        #expect(sent == [2, 5, 20, 100])
    }

    @Test func projectHasItsPace() async throws {
        let stage = try await DispatchStage {
            $0.pacing = [PacingRule(.projects(["default"]), Pace(rate: .init(count: 3, seconds: 3600)))]
        }
        try await stage.fill((0..<12).map { "p\($0)@example.org" })
        await stage.send()
        #expect(stage.recipients.count == 1)
        stage.engine.clock.advance(seconds: 1200)
        await stage.send()
        #expect(stage.recipients.count == 2)
    }

    // MARK: Pauses

    @Test(arguments: [OutboxPause.Object.everything, .relay("main"), .domain("Example.ORG")])
    func pausedMailWaitsAndGoesOn(object: OutboxPause.Object) async throws {
        let stage = try await DispatchStage()
        let control = OutboxControl(context: stage.engine.context)
        try await control.pause(object, in: stage.engine.project.id, note: "checking")
        let ids = try await stage.fill((0..<10).map { "p\($0)@example.org" })
        let next = await stage.send()
        #expect(stage.recipients.isEmpty)
        // A command beside the daemon can end it.
        #expect(next <= stage.engine.clock.now().adding(seconds: 1))
        let status = try await control.status(in: stage.engine.project.id)
        #expect(status.pauses.map(\.note) == ["checking"] && status.queues.map(\.pending) == [10])
        // However long it takes.
        stage.engine.clock.advance(seconds: 30 * 86_400)
        await stage.send()
        try await control.resume(object, in: stage.engine.project.id)
        await stage.send()
        #expect(stage.recipients.count == 10)
        #expect(try await stage.entry(ids[0])?.status == .delivered)
        await #expect(throws: UseCaseError.self) { try await control.resume(object, in: stage.engine.project.id) }
        let records = try await AuditLog(context: stage.engine.context).page(
            .init(projectID: stage.engine.project.id, action: "outbox.", limit: 9)
        ).records
        #expect(records.map(\.action) == ["outbox.resumed", "outbox.paused"])
    }

    @Test func pauseOfADomainStopsNoOther() async throws {
        let stage = try await DispatchStage()
        try await OutboxControl(context: stage.engine.context).pause(.domain("example.org"), in: nil)
        try await stage.fill(["a@example.org", "b@example.net", "c@example.org"])
        await stage.send()
        #expect(stage.recipients == ["b@example.net"])
    }

    @Test func pauseNeedsANameThatIsOne() async throws {
        let stage = try await DispatchStage()
        let control = OutboxControl(context: stage.engine.context)
        for object in [OutboxPause.Object.relay("other"), .domain("no domain"), .domain(""), .domain("a@b.example")] {
            await #expect(throws: UseCaseError.self) { try await control.pause(object, in: nil) }
        }
    }

    // MARK: Turns

    @Test func projectsTakeTurnsHoweverMuchOneHas() async throws {
        let stage = try await DispatchStage()
        let other = Project(
            id: stage.engine.context.identifiers.make(at: stage.engine.clock.now()), slug: "other", name: "Other")
        let now = stage.engine.clock.now()
        try await stage.engine.context.store.write { try $0.insert(other, at: now) }
        try await stage.fill((0..<3000).map { "p\($0)@example.org" }, kind: .marketing)
        let contact = try await Events(context: stage.engine.context).track(
            .init(projectID: other.id, event: "known", email: "one@example.org", subscribed: true)
        ).contactID
        try await stage.fill(["one@example.org"], kind: .marketing, project: other.id, contact: contact)
        await stage.send()
        let position = try #require(stage.recipients.firstIndex(of: "one@example.org"))
        #expect(position < 8 && stage.recipients.count == 3001)
    }

    /// A stop ends what was made ready and never begun, and what could not be begun.
    @Test func stopChargesNoMailWithAnAttemptThatWasNeverBegun() async throws {
        let stage = try await DispatchStage()
        let ids = try await stage.fill(["a@example.org"])
        stage.relays[0].answer([.unreachable(reason: "the delivery was not begun")])
        var looks = Dispatch.Looks()
        guard case .go(let claimed) = await stage.dispatch.round(&looks, at: stage.engine.clock.now()) else {
            Issue.record("nothing was claimed")
            return
        }
        let places = DeliveryPlaces(0)
        places.take()
        async let stop: Void = places.waitUntilAllFree(atMost: .seconds(30))
        while !places.isClosing { await Task.yield() }
        stage.dispatch.begin(
            Dispatch.Errand(
                entry: claimed[0].entry, seat: claimed[0].seat,
                material: await stage.dispatch.materials(for: [claimed[0].entry])[0], places: places))
        await stop
        let entry = try await stage.entry(ids[0])
        #expect(entry?.status == .pending && entry?.attempts == 0 && entry?.dueAt == stage.engine.clock.now())
    }

    @Test func claimThatTheDatabaseRefusesIsTakenBack() async throws {
        let stage = try await DispatchStage()
        let ids = try await stage.fill(["a@example.org", "b@example.org"])
        // Another took one of them meanwhile, after its ticket was read.
        var looks = Dispatch.Looks()
        let now = stage.engine.clock.now()
        _ = try await stage.engine.context.store.write { try $0.claim([ids[0]], at: now) }
        guard case .go(let claimed) = await stage.dispatch.round(&looks, at: now) else {
            Issue.record("nothing was claimed")
            return
        }
        #expect(claimed.map(\.entry.id) == [ids[1]])
    }
}

extension Dispatch {
    /// One after the other.
    func deliverAll(_ claimed: [(entry: OutboxEntry, seat: DispatchBoard.Seat)]) async {
        for (entry, seat) in claimed { await deliver(entry, seat) }
    }
}

/// Refuses a domain until it is told otherwise.
private final class DomainRelay: MailTransport {
    private struct State {
        var refused: String?
        var attempts: [String: Int] = [:]
        var taken: [String: Int] = [:]
    }

    let concurrency = 4
    private let state: Mutex<State>

    init(refusing domain: String) { state = Mutex(State(refused: domain)) }

    func acceptAll() { state.withLock { $0.refused = nil } }
    func count(of domain: String) -> Int { state.withLock { $0.attempts[domain] ?? 0 } }
    func taken(_ domain: String) -> Int { state.withLock { $0.taken[domain] ?? 0 } }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        let domain = String(mail.recipient.split(separator: "@")[1])
        return state.withLock { state in
            state.attempts[domain, default: 0] += 1
            if state.refused == domain { return busy }
            state.taken[domain, default: 0] += 1
            return ScriptedTransport.accepted
        }
    }

    func stop() {}
}
