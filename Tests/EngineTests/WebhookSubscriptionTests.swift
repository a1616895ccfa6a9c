import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

@Suite struct WebhookSubscriptionTests {
    @Test func eventIsPostedWithItsContactAndSignedAsPublished() async throws {
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        try await stage.track("paid")
        let id = try await stage.subscribe()
        #expect(try await stage.deliveries(id).isEmpty)
        #expect(try await stage.engine.context.store.read { try $0.deliveryCounts() } == [.pending: 0, .claimed: 0])
    }

    @Test func eventOfAnotherProjectIsNobodysBusiness() async throws {
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        _ = try await stage.subscribe()
        for number in 0..<30 { try await stage.track("n\(number)", "c\(number)@example.org") }
        try await stage.run()
        #expect(try stage.types() == (0..<30).flatMap { ["contact.created", "n\($0)"] })
    }

    @Test func failingEndpointHoldsNobodyUpAndIsTriedOneAtATime() async throws {
        let stage = try await WebhookStage()
        _ = try await stage.subscribe(url: "https://bad.example/")
        _ = try await stage.subscribe(url: "https://good.example/")
        stage.receiver.answer([ScriptedReceiver.unreachable, ScriptedReceiver.unreachable])
        try await stage.track("first")
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: WebhookStage.destinations,
            perReceiver: 4)
        // contact.created and first, to each of the two.
        #expect(try await dispatch.deliverBatch() == 4)
        #expect(try stage.types("good.example") == ["contact.created", "first"])
        for number in 0..<10 { try await stage.track("n\(number)") }
        stage.receiver.answer([ScriptedReceiver.unreachable])
        let claims = try await stage.engine.context.transact {
            try WebhookDispatch.claimDeliveries(16, perReceiver: 4, underWay: [:], in: $0).map(\.1.receiver)
        }
        #expect(claims.filter { $0 == "bad.example:443" }.count == 1)
        #expect(claims.filter { $0 == "good.example:443" }.count == 4)
    }

    @Test func backlogOfOneLeavesPlacesForTheOthers() async throws {
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer(Array(repeating: ScriptedReceiver.answered(500), count: 20))
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
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer([ScriptedReceiver.answered(status)])
        try await stage.pass(seconds: 10)
        #expect(stage.receiver.calls.count == 2)
        #expect(try await stage.deliveries(id).first?.delivery.status == .delivered)
        #expect(try await stage.webhooks.find(id).failingSince == nil)
    }

    @Test func retryAfterIsFollowedForAnHourAtMost() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer([
            ScriptedReceiver.answered(429, ["retry-after": "100"]),
            ScriptedReceiver.answered(503, ["retry-after": "90000"]),
        ])
        try await stage.run()
        let now = stage.engine.clock.now()
        #expect(try await stage.deliveries(id).first?.delivery.dueAt == now.adding(seconds: 100))
        stage.engine.clock.advance(seconds: 100)
        try await stage.run()
        #expect(
            try await stage.deliveries(id).first?.delivery.dueAt == stage.engine.clock.now().adding(seconds: 3600))
    }

    // MARK: Crashes and damage

    @Test func claimOfADaemonThatDiedIsMadeAgainUnderItsID() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        let now = stage.engine.clock.now()
        let claimed = try await stage.engine.context.store.write {
            try $0.claimDeliveries(of: id, dueAt: now, limit: 9)
        }
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: WebhookStage.destinations,
            perReceiver: 4)
        try await dispatch.recover()
        #expect(try await stage.engine.counter("webhooks_repeated") == 1)
        try await stage.run()
        #expect(stage.receiver.calls.map { $0["webhook-id"] } == claimed.map { "\($0.id)" })
        #expect(try await stage.deliveries(id).first?.delivery.attempts == 2)
    }

    @Test func eventThatIsGoneOrDamagedEndsItsDeliveryAlone() async throws {
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        for _ in 0..<3 { try await stage.track("paid") }
        try await stage.webhooks.delete(id)
        try await stage.run()
        #expect(stage.receiver.calls.isEmpty)
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: WebhookStage.destinations,
            perReceiver: 4)
        _ = await dispatch.sweep()
        #expect(try await stage.engine.context.store.read { try $0.deliveryCounts() } == [.pending: 0, .claimed: 0])
    }

    @Test func rowsAreKeptForAWeekAndFailedOnesForAMonth() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid", "lost"])
        try await stage.track("paid")
        try await stage.track("lost")
        try DamagedDatabase(stage.database.path).spoil("DELETE FROM events WHERE name = 'lost'")
        try await stage.run()
        let dispatch = WebhookDispatch(
            context: stage.engine.context, transport: stage.receiver, destinations: WebhookStage.destinations,
            perReceiver: 4)
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
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        for _ in 0..<Webhooks.countLimit { _ = try await stage.subscribe(["a"]) }
        let error = await #expect(throws: UseCaseError.self) { try await stage.subscribe(["a"]) }
        #expect(error?.code == .conflict)
    }

    @Test func rotatedSecretSignsBesideTheOldOneForADay() async throws {
        let stage = try await WebhookStage()
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
