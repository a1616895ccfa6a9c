import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

private func answered(_ status: Int, _ headers: [String: String] = [:]) -> WebhookOutcome {
    .answered(WebhookResponse(status: status, headers: headers, body: []))
}

private let unreachable = WebhookOutcome.failed(reason: "no connection", isTemporary: true)

/// What a stage of these tests shares: an engine, its subscriptions, and a receiver that answers what it is told.
private struct Stage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    let receiver = ScriptedReceiver()

    init() async throws { (engine, database) = try await makeEngine { $0.webhookDestinations = Stage.destinations } }

    static let destinations = WebhookDestinations(allowedHosts: ["listed.example"])

    var webhooks: Webhooks { Webhooks(context: engine.context, projectID: engine.project.id) }

    func subscribe(_ events: [String] = ["*"], url: String = "https://hooks.example/in") async throws -> Identifier {
        try await webhooks.create(.init(url: url, events: events)).listing.subscription.id
    }

    /// Time passes between events, as it does.
    @discardableResult
    func track(_ event: String, _ email: String = "ann@example.org", data: JSONObject = [:]) async throws -> Identifier
    {
        engine.clock.advance(microseconds: 1000)
        return try await engine.track(event, email, data: data).eventID
    }

    func run() async throws { try await engine.runDeliveries(receiver, destinations: Self.destinations) }

    func deliveries(_ id: Identifier, _ status: WebhookDelivery.Status? = nil) async throws -> [WebhookDeliveryListing]
    {
        try await webhooks.deliveries(of: id, status: status, before: nil, limit: 1000)
    }

    /// The types of the events that came, in order; those of one host, or of all.
    func types(_ host: String? = nil) throws -> [String] {
        try receiver.calls.filter { host == nil || $0.url.host == host }.map { call in
            try JSONParser.parse(call.body ?? [])["type"]?.stringValue ?? ""
        }
    }

    /// Lets every retry come that is due within so many seconds.
    func pass(seconds: Int64) async throws {
        let end = engine.clock.now().adding(seconds: seconds)
        while true {
            try await run()
            let queues = try await engine.context.store.write { try $0.webhookQueues() }
            guard let next = queues.map(\.dueAt).filter({ $0 > engine.clock.now() }).min(), next <= end else { break }
            engine.clock.advance(microseconds: next.microseconds - engine.clock.now().microseconds)
        }
        engine.clock.advance(microseconds: end.microseconds - engine.clock.now().microseconds)
    }
}

@Suite struct WebhookSubscriptionTests {
    @Test func eventIsPostedWithItsContactAndSignedAsPublished() async throws {
        let stage = try await Stage()
        let (listing, secret) = try await stage.webhooks.create(
            .init(url: "https://hooks.example/in?a=1", events: ["paid"]))
        let event = try await stage.track("paid", data: ["plan": "pro", "contact": "theirs"])
        try await stage.run()
        let call = try #require(stage.receiver.calls.first)
        #expect(stage.receiver.calls.count == 1)
        #expect(call.method == "POST" && "\(call.url)" == "https://hooks.example:443/in?a=1")
        let contact = try #require(try await stage.engine.contact())
        #expect(
            try JSONParser.parse(call.body ?? []) == [
                "id": .string("\(event)"), "type": "paid", "timestamp": .string("\(stage.engine.clock.now())"),
                "data": [
                    "plan": "pro", "contact": ["id": .string("\(contact.id)"), "email": "ann@example.org"],
                ],
            ])
        let delivery = try #require(try await stage.deliveries(listing.subscription.id).first?.delivery)
        #expect(call["webhook-id"] == "\(delivery.id)" && call["content-type"] == "application/json")
        let time = stage.engine.clock.now().microseconds / 1_000_000
        let signed = "\(delivery.id).\(time).\(String(decoding: call.body ?? [], as: UTF8.self))"
        let code = stage.engine.context.cryptography.authenticationCode(of: Array(signed.utf8), key: secret.bytes)
        #expect(call["webhook-signature"] == "v1,\(Base64URL.standard(code))")
        #expect(delivery.status == .delivered && delivery.attempts == 1 && delivery.answer == 200)
        #expect(try await stage.deliveries(listing.subscription.id).first?.event == "paid")
    }

    @Test func onlyWhatMatchesIsQueuedAndEachOnce() async throws {
        let stage = try await Stage()
        let exact = try await stage.subscribe(["paid", "paid", "other"])
        let prefix = try await stage.subscribe(["contact.*", "contact.created"])
        let all = try await stage.subscribe(["*", "paid"])
        try await stage.track("paid")
        try await stage.track("paid.twice")
        #expect(try await stage.deliveries(exact).map(\.event) == ["paid"])
        #expect(try await stage.deliveries(prefix).map(\.event) == ["contact.created"])
        #expect(try await stage.deliveries(all).reversed().map(\.event) == ["contact.created", "paid", "paid.twice"])
    }

    @Test func withoutASubscriptionAnEventWritesNoRow() async throws {
        let stage = try await Stage()
        try await stage.track("paid")
        let id = try await stage.subscribe()
        #expect(try await stage.deliveries(id).isEmpty)
        #expect(try await stage.engine.context.store.read { try $0.deliveryCounts() } == [.pending: 0, .claimed: 0])
    }

    @Test func eventOfAnotherProjectIsNobodysBusiness() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe()
        let other = Project(id: Identifier(high: 9, low: 9), slug: "other", name: "Other")
        try await stage.engine.context.store.write { try $0.insert(other, at: Timestamp(seconds: 0)) }
        _ = try await Events(context: stage.engine.context).track(
            .init(projectID: other.id, event: "paid", email: "x@example.org"))
        #expect(try await stage.deliveries(id).isEmpty)
        let foreign = Webhooks(context: stage.engine.context, projectID: other.id)
        for body in [
            { _ = try await foreign.find(id) }, { _ = try await foreign.change(id, .init(isEnabled: false)) },
            { try await foreign.delete(id) }, { _ = try await foreign.rotateSecret(of: id) },
            { _ = try await foreign.test(id) }, { _ = try await foreign.resume(id) },
            { _ = try await foreign.replay(id, .init(since: Timestamp(seconds: 0))) },
            { _ = try await foreign.deliveries(of: id, status: nil, before: nil, limit: 1) },
            { _ = try await foreign.retry(id, of: id) },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: UseCaseError.self) { try await body() }
            #expect(error?.code == .notFound)
        }
        #expect(try await foreign.list().isEmpty)
    }

    @Test func attemptsBeginInTheOrderOfTheEvents() async throws {
        let stage = try await Stage()
        _ = try await stage.subscribe()
        for number in 0..<30 { try await stage.track("n\(number)", "c\(number)@example.org") }
        try await stage.run()
        #expect(try stage.types() == (0..<30).flatMap { ["contact.created", "n\($0)"] })
    }

    @Test func failingEndpointHoldsNobodyUpAndIsTriedOneAtATime() async throws {
        let stage = try await Stage()
        _ = try await stage.subscribe(url: "https://bad.example/")
        _ = try await stage.subscribe(url: "https://good.example/")
        stage.receiver.answer([unreachable, unreachable])
        try await stage.track("first")
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: Stage.destinations, perReceiver: 4)
        // contact.created and first, to each of the two.
        #expect(try await dispatch.deliverBatch() == 4)
        #expect(try stage.types("good.example") == ["contact.created", "first"])
        for number in 0..<10 { try await stage.track("n\(number)") }
        stage.receiver.answer([unreachable])
        let claims = try await stage.engine.context.transact {
            try WebhookDispatch.claimDeliveries(16, perReceiver: 4, underWay: [:], in: $0).map(\.1.receiver)
        }
        #expect(claims.filter { $0 == "bad.example:443" }.count == 1)
        #expect(claims.filter { $0 == "good.example:443" }.count == 4)
    }

    @Test func backlogOfOneLeavesPlacesForTheOthers() async throws {
        let stage = try await Stage()
        _ = try await stage.subscribe(["old"], url: "https://busy.example/")
        _ = try await stage.subscribe(["new"], url: "https://quick.example/")
        for number in 0..<50 { try await stage.track("old", "c\(number)@example.org") }
        try await stage.track("new")
        let claims = try await stage.engine.context.transact {
            try WebhookDispatch.claimDeliveries(4, perReceiver: 3, underWay: [:], in: $0).map(\.1.receiver)
        }
        #expect(claims == Array(repeating: "busy.example:443", count: 3) + ["quick.example:443"])
        // Both go to one receiver: its places count together.
        let more = try await stage.engine.context.transact {
            try WebhookDispatch.claimDeliveries(4, perReceiver: 3, underWay: ["busy.example:443": 3], in: $0)
        }
        #expect(more.isEmpty)
    }

    @Test func attemptsAreSpreadOverADayUnderOneIDAndThenGivenUp() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer(Array(repeating: answered(500), count: 20))
        let start = stage.engine.clock.now()
        var times: [Double] = []
        for _ in 0..<8 {
            let before = stage.receiver.calls.count
            try await stage.run()
            #expect(stage.receiver.calls.count == before + 1)
            times.append(Double(stage.engine.clock.now().microseconds - start.microseconds) / 1e6)
            let next = try await stage.deliveries(id).first?.delivery
            guard let next, next.status == .pending else { break }
            stage.engine.clock.advance(microseconds: next.dueAt.microseconds - stage.engine.clock.now().microseconds)
        }
        #expect(times.count == 8 && times[1] >= 5 && times[2] >= 305 && times[7] >= 86_400 && times[7] < 90_000)
        let delivery = try #require(try await stage.deliveries(id, .failed).first?.delivery)
        #expect(delivery.attempts == 8 && delivery.answer == 500 && delivery.reason == "answered 500")
        #expect(Set(stage.receiver.calls.map { $0["webhook-id"] }) == ["\(delivery.id)"])
        #expect(try await stage.engine.counter("webhook_deliveries_failed") == 1)
    }

    @Test(arguments: [301, 400, 401, 404, 408, 429, 500, 503])
    func whateverIsNoSuccessIsTriedAgain(status: Int) async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer([answered(status)])
        try await stage.pass(seconds: 10)
        #expect(stage.receiver.calls.count == 2)
        #expect(try await stage.deliveries(id).first?.delivery.status == .delivered)
        #expect(try await stage.webhooks.find(id).failingSince == nil)
    }

    @Test func retryAfterIsFollowedForAnHourAtMost() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer([answered(429, ["retry-after": "100"]), answered(503, ["retry-after": "90000"])])
        try await stage.run()
        let now = stage.engine.clock.now()
        #expect(try await stage.deliveries(id).first?.delivery.dueAt == now.adding(seconds: 100))
        stage.engine.clock.advance(seconds: 100)
        try await stage.run()
        #expect(
            try await stage.deliveries(id).first?.delivery.dueAt == stage.engine.clock.now().adding(seconds: 3600))
    }

    // MARK: Pause

    @Test func goneEndpointIsPausedAtOnceAndNothingIsLostWhenItComesBack() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        let watcher = try await stage.subscribe(["webhook.*"], url: "https://watch.example/")
        let all = try await stage.subscribe(["*"], url: "https://all.example/")
        try await stage.track("paid", data: ["n": 1])
        try await stage.track("paid", data: ["n": 2])
        stage.receiver.answer([answered(410)])
        try await stage.engine.runDeliveries(stage.receiver, perReceiver: 1)
        let paused = try await stage.webhooks.find(id).subscription
        #expect(paused.pause?.reason == "the receiver answered 410 Gone" && !paused.isListening)
        #expect(try await stage.engine.counter("webhooks_paused") == 1)
        let notice = try #require(stage.receiver.calls.first { $0.url.host == "watch.example" })
        let data = try JSONParser.parse(notice.body ?? [])["data"]
        #expect(data?["webhook"] == .string("\(id)") && data?["receiver"] == "hooks.example:443")
        #expect(try await stage.deliveries(watcher).map(\.event) == ["webhook.paused"])
        #expect(try await stage.deliveries(all).contains { $0.event == "webhook.paused" } == false)
        // Meanwhile nothing is written for it, and nothing made.
        let calls = try stage.types("hooks.example").count
        for number in 3...5 { try await stage.track("paid", data: ["n": .int(Int64(number))]) }
        try await stage.pass(seconds: 86_400)
        #expect(try await stage.deliveries(id).count == 2)
        #expect(try stage.types("hooks.example").count == calls)
        let (listing, replayed) = try await stage.webhooks.resume(id)
        #expect(listing.subscription.isListening && replayed == .init(queued: 3))
        try await stage.track("paid", data: ["n": 6])
        try await stage.pass(seconds: 10)
        let numbers = try stage.receiver.calls.filter { $0.url.host == "hooks.example" }.map {
            try JSONParser.parse($0.body ?? [])["data"]?["n"]?.intValue
        }
        #expect(numbers == [1, 1, 2, 3, 4, 5, 6])
        #expect(try await stage.deliveries(id).allSatisfy { $0.delivery.status == .delivered })
        // Resumed, it has nothing to catch up with.
        #expect(try await stage.webhooks.resume(id).replayed == .init(queued: 0))
    }

    @Test func dayOfNothingButFailuresPauses() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer(Array(repeating: unreachable, count: 100))
        try await stage.pass(seconds: 86_000)
        #expect(try await stage.webhooks.find(id).subscription.isListening)
        #expect(try await stage.webhooks.find(id).failingSince != nil)
        try await stage.pass(seconds: 4000)
        let paused = try await stage.webhooks.find(id).subscription
        #expect(paused.pause?.reason.contains("nothing but failures since") == true)
        #expect(paused.pause?.reason.contains("no connection") == true)
    }

    @Test func oneSuccessWithinTheDayBeginsItAnew() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid", data: ["n": 1])
        stage.receiver.answer(Array(repeating: unreachable, count: 7))
        try await stage.pass(seconds: 80_000)
        #expect(try await stage.webhooks.find(id).failingSince != nil)
        stage.receiver.answer([])
        // What comes is delivered, so the endpoint lives although one delivery did not get through.
        let engine = stage.engine
        try await stage.track("paid", data: ["n": 2])
        let fresh = ScriptedReceiver()
        try await engine.runDeliveries(fresh)
        #expect(try await stage.webhooks.find(id).failingSince == nil)
        fresh.answer(Array(repeating: unreachable, count: 100))
        engine.clock.advance(seconds: 10_000)
        try await engine.runDeliveries(fresh)
        #expect(try await stage.webhooks.find(id).subscription.isListening)
    }

    @Test func switchedOffNothingIsKeptAndWhatIsPendingWaits() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        _ = try await stage.webhooks.change(id, .init(isEnabled: false))
        try await stage.track("paid")
        try await stage.run()
        #expect(stage.receiver.calls.isEmpty)
        #expect(try await stage.deliveries(id).count == 1)
        let error = await #expect(throws: UseCaseError.self) { try await stage.webhooks.test(id) }
        #expect(error?.code == .conflict)
        _ = try await stage.webhooks.change(id, .init(isEnabled: true))
        try await stage.run()
        #expect(stage.receiver.calls.count == 1)
    }

    @Test func testGoesToTheTestedOneAlone() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        let other = try await stage.subscribe(["*", "webhook.*", "webhook.test"])
        let test = try await stage.webhooks.test(id)
        try await stage.run()
        #expect(try stage.types() == ["webhook.test"])
        #expect(try await stage.deliveries(id).map(\.delivery.id) == [test.delivery.id])
        #expect(try await stage.deliveries(other).isEmpty)
    }

    @Test func clientsCannotTrackNoticesOfOurs() {
        #expect(EventName.isReserved("webhook.test") && EventName.isReserved("webhook.paused"))
        #expect(!EventName.isReserved("webhook.mine"))
    }

    // MARK: Replay and retry

    @Test func replayMakesNewDeliveriesOfWhatIsStored() async throws {
        let stage = try await Stage()
        let since = stage.engine.clock.now()
        for number in 0..<1200 { try await stage.track(number % 2 == 0 ? "even" : "odd") }
        let until = stage.engine.clock.now().adding(microseconds: 1)
        try await stage.track("even")
        let id = try await stage.subscribe(["even"])
        let replayed = try await stage.webhooks.replay(id, .init(since: since, until: until))
        #expect(replayed == .init(queued: 600))
        try await stage.run()
        #expect(try stage.types() == Array(repeating: "even", count: 600))
        #expect(Set(stage.receiver.calls.map { $0["webhook-id"] }).count == 600)
        let bodies = try stage.receiver.calls.map {
            try JSONParser.parse($0.body ?? [])["timestamp"]?.stringValue ?? ""
        }
        #expect(bodies == bodies.sorted())
        let other = try await stage.webhooks.replay(id, .init(since: since, events: ["odd"]))
        #expect(other == .init(queued: 600))
    }

    @Test func replayOfWhatFailedKeepsItsIDs() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        let since = stage.engine.clock.now()
        try await stage.track("paid", data: ["n": 1])
        stage.receiver.answer(Array(repeating: answered(500), count: 8))
        try await stage.pass(seconds: 100_000)
        let failed = try #require(try await stage.deliveries(id, .failed).first?.delivery)
        _ = try await stage.webhooks.resume(id)
        let replayed = try await stage.webhooks.replay(id, .init(since: since, onlyFailed: true))
        #expect(replayed == .init(queued: 1))
        try await stage.run()
        let again = try #require(try await stage.deliveries(id, .delivered).first?.delivery)
        #expect(again.id == failed.id && again.attempts == 1)
        #expect(Set(stage.receiver.calls.map { $0["webhook-id"] }).count == 1)
    }

    @Test func singleDeliveryIsRetriedWhateverBecameOfIt() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        try await stage.run()
        let delivery = try #require(try await stage.deliveries(id).first?.delivery)
        let retried = try await stage.webhooks.retry(delivery.id, of: id)
        #expect(retried.status == .pending && retried.attempts == 0)
        _ = try await stage.engine.context.store.write {
            try $0.claimDeliveries(of: id, dueAt: stage.engine.clock.now(), limit: 1)
        }
        let error = await #expect(throws: UseCaseError.self) { try await stage.webhooks.retry(delivery.id, of: id) }
        #expect(error?.code == .conflict)
        let missing = await #expect(throws: UseCaseError.self) { try await stage.webhooks.retry(id, of: id) }
        #expect(missing?.code == .notFound)
    }

    @Test func replayIsRefusedWithItsPath() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        let now = stage.engine.clock.now()
        let requests: [(Webhooks.ReplayRequest, [String])] = [
            (.init(since: now.adding(seconds: 1)), ["since"]),
            (.init(since: now.adding(seconds: -5), until: now.adding(seconds: -6)), ["since"]),
            (.init(since: now.adding(seconds: -5), events: ["a*b"]), ["events.0"]),
            (.init(since: now.adding(seconds: -5), events: ["a"], onlyFailed: true), ["events"]),
        ]
        for (request, paths) in requests {
            let error = await #expect(throws: UseCaseError.self) { try await stage.webhooks.replay(id, request) }
            #expect(error?.problems.map(\.path) == paths)
        }
    }

    // MARK: Crashes and damage

    @Test func claimOfADaemonThatDiedIsMadeAgainUnderItsID() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        let now = stage.engine.clock.now()
        let claimed = try await stage.engine.context.store.write {
            try $0.claimDeliveries(of: id, dueAt: now, limit: 9)
        }
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: Stage.destinations, perReceiver: 4)
        try await dispatch.recover()
        #expect(try await stage.engine.counter("webhooks_repeated") == 1)
        try await stage.run()
        #expect(stage.receiver.calls.map { $0["webhook-id"] } == claimed.map { "\($0.id)" })
        #expect(try await stage.deliveries(id).first?.delivery.attempts == 2)
    }

    @Test func eventThatIsGoneOrDamagedEndsItsDeliveryAlone() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        for _ in 0..<3 { try await stage.track("paid") }
        let deliveries = try await stage.deliveries(id).map(\.delivery).reversed()
        let database = DamagedDatabase(stage.database.path)
        try database.spoil(
            "UPDATE events SET data = 'no JSON' WHERE rowid = (SELECT min(rowid) FROM events WHERE name = 'paid')")
        try database.spoil(
            "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events WHERE name = 'paid')")
        try await stage.run()
        #expect(stage.receiver.calls.count == 1)
        let after = try await stage.deliveries(id).map(\.delivery).reversed()
        #expect(after.map(\.status) == [.failed, .delivered, .failed])
        #expect(after.map(\.id) == deliveries.map(\.id))
        #expect(after.first?.reason == "its event cannot be read")
        #expect(after.last?.reason == "its event is no longer there")
        // The endpoint has done nothing wrong.
        #expect(try await stage.webhooks.find(id).failingSince == nil)
    }

    @Test func deletedWebhookIsNotCalledAndItsRowsAreSwept() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid"])
        for _ in 0..<3 { try await stage.track("paid") }
        try await stage.webhooks.delete(id)
        try await stage.run()
        #expect(stage.receiver.calls.isEmpty)
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: Stage.destinations, perReceiver: 4)
        _ = await dispatch.sweep()
        #expect(try await stage.engine.context.store.read { try $0.deliveryCounts() } == [.pending: 0, .claimed: 0])
    }

    @Test func rowsAreKeptForAWeekAndFailedOnesForAMonth() async throws {
        let stage = try await Stage()
        let id = try await stage.subscribe(["paid", "lost"])
        try await stage.track("paid")
        try await stage.track("lost")
        try DamagedDatabase(stage.database.path).spoil("DELETE FROM events WHERE name = 'lost'")
        try await stage.run()
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: Stage.destinations, perReceiver: 4)
        stage.engine.clock.advance(seconds: 7 * 86_400 - 60)
        _ = await dispatch.sweep()
        #expect(try await stage.deliveries(id).count == 2)
        stage.engine.clock.advance(seconds: 60)
        _ = await dispatch.sweep()
        #expect(try await stage.deliveries(id).map(\.delivery.status) == [.failed])
        stage.engine.clock.advance(seconds: 23 * 86_400)
        _ = await dispatch.sweep()
        #expect(try await stage.deliveries(id).isEmpty)
    }

    // MARK: Saving

    @Test func refusedAddressesAndPatternsAreNamedWithTheirPaths() async throws {
        let stage = try await Stage()
        let bad: [(url: String, events: [String], paths: [String])] = [
            ("http://hooks.example/", ["a"], ["url"]), ("ftp://hooks.example/", ["a"], ["url"]),
            ("hooks.example", ["a"], ["url"]), ("https://user:pw@hooks.example/", ["a"], ["url"]),
            ("https:// hooks.example/", ["a"], ["url"]), ("https://hooks.example:0/", ["a"], ["url"]),
            ("https://h\u{f6}oks.example/", ["a"], ["url"]), ("", ["a"], ["url"]),
            ("https://hooks.example/", [], ["events"]), ("https://hooks.example/", ["a", "*b"], ["events.1"]),
            ("https://hooks.example/", ["a.*.b"], ["events.0"]), ("https://hooks.example/", [" "], ["events.0"]),
            ("https://hooks.example/", ["email.exploded"], ["events.0"]),
            ("https://hooks.example/", [".*"], ["events.0"]),
            ("https://hooks.example/", [String(repeating: "x", count: 201)], ["events.0"]),
            ("http://hooks.example/", ["**"], ["url", "events.0"]),
            ("https://hooks.example/", (0...50).map { "e\($0)" }, ["events"]),
        ]
        for (url, events, paths) in bad {
            let error = await #expect(throws: UseCaseError.self, "\(url) \(events)") {
                try await stage.webhooks.create(.init(url: url, events: events))
            }
            #expect(error?.code == .invalid && error?.problems.map(\.path) == paths, "\(url) \(events)")
        }
        #expect(try await stage.webhooks.list().isEmpty)
        let id = try await stage.subscribe(["email.bounce", "x.*"], url: "http://listed.example/")
        // An alias is the name that it stands for.
        #expect(try await stage.webhooks.find(id).subscription.events.map(\.text) == ["email.bounced", "x.*"])
        let error = await #expect(throws: UseCaseError.self) {
            try await stage.webhooks.change(id, .init(url: "http://other.example/", events: ["**"]))
        }
        #expect(error?.problems.map(\.path) == ["url", "events.0"])
    }

    @Test func thereIsAnEndToTheirNumber() async throws {
        let stage = try await Stage()
        for _ in 0..<Webhooks.countLimit { _ = try await stage.subscribe(["a"]) }
        let error = await #expect(throws: UseCaseError.self) { try await stage.subscribe(["a"]) }
        #expect(error?.code == .conflict)
    }

    @Test func rotatedSecretSignsBesideTheOldOneForADay() async throws {
        let stage = try await Stage()
        let (listing, old) = try await stage.webhooks.create(.init(url: "https://hooks.example/", events: ["paid"]))
        let new = try await stage.webhooks.rotateSecret(of: listing.subscription.id)
        #expect(new.previous == old.bytes && new.previousEnds != nil)
        try await stage.track("paid")
        try await stage.run()
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.track("paid")
        try await stage.run()
        let counts = stage.receiver.calls.map { $0["webhook-signature"]?.split(separator: " ").count }
        #expect(counts == [2, 1])
    }
}
