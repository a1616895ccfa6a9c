import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Webhooks that are paused, by whom and until when, and deliveries that are made again.
@Suite struct WebhookReplayTests {
    // MARK: Pause

    @Test func goneEndpointIsPausedAtOnceAndNothingIsLostWhenItComesBack() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        let watcher = try await stage.subscribe(["webhook.*"], url: "https://watch.example/")
        let all = try await stage.subscribe(["*"], url: "https://all.example/")
        try await stage.track("paid", data: ["n": 1])
        try await stage.track("paid", data: ["n": 2])
        stage.receiver.answer([ScriptedReceiver.answered(410)])
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
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer(Array(repeating: ScriptedReceiver.unreachable, count: 100))
        try await stage.pass(seconds: 86_000)
        #expect(try await stage.webhooks.find(id).subscription.isListening)
        #expect(try await stage.webhooks.find(id).failingSince != nil)
        try await stage.pass(seconds: 4000)
        let paused = try await stage.webhooks.find(id).subscription
        #expect(paused.pause?.reason.contains("nothing but failures since") == true)
        #expect(paused.pause?.reason.contains("no connection") == true)
    }

    /// And one that was off has not been tried.
    @Test(arguments: [true, false])
    func anotherReceiverHasFailedAtNothingYet(isSwitch: Bool) async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.answer(Array(repeating: ScriptedReceiver.unreachable, count: 100))
        try await stage.pass(seconds: 80_000)
        #expect(try await stage.webhooks.find(id).failingSince != nil)
        if isSwitch {
            #expect(try await stage.webhooks.change(id, .init(isEnabled: false)).failingSince != nil)
            #expect(try await stage.webhooks.change(id, .init(isEnabled: true)).failingSince == nil)
        } else {
            let changed = try await stage.webhooks.change(id, .init(url: "https://other.example/hook"))
            #expect(changed.failingSince == nil)
        }
        #expect(try await stage.webhooks.find(id).failingSince == nil)
        try await stage.pass(seconds: 20_000)
        #expect(try await stage.webhooks.find(id).subscription.isListening)
    }

    /// What the former address answers says nothing of the present one.
    @Test func answerOfTheFormerReceiverDoesNotPause() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid")
        stage.receiver.hold("hooks.example")
        stage.receiver.answer([ScriptedReceiver.answered(410)])
        async let done: Void = stage.run()
        while stage.receiver.heldCount == 0 { await Task.yield() }
        _ = try await stage.webhooks.change(id, .init(url: "https://other.example/hook"))
        stage.receiver.release()
        try await done
        let listing = try await stage.webhooks.find(id)
        #expect(listing.subscription.isListening && listing.failingSince == nil)
    }

    @Test func oneSuccessWithinTheDayBeginsItAnew() async throws {
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        try await stage.track("paid", data: ["n": 1])
        stage.receiver.answer(Array(repeating: ScriptedReceiver.unreachable, count: 7))
        try await stage.pass(seconds: 80_000)
        #expect(try await stage.webhooks.find(id).failingSince != nil)
        stage.receiver.answer([])
        // What comes is delivered, so the endpoint lives although one delivery did not get through.
        let engine = stage.engine
        try await stage.track("paid", data: ["n": 2])
        let fresh = ScriptedReceiver()
        try await engine.runDeliveries(fresh)
        #expect(try await stage.webhooks.find(id).failingSince == nil)
        fresh.answer(Array(repeating: ScriptedReceiver.unreachable, count: 100))
        engine.clock.advance(seconds: 10_000)
        try await engine.runDeliveries(fresh)
        #expect(try await stage.webhooks.find(id).subscription.isListening)
    }

    @Test func switchedOffNothingIsKeptAndWhatIsPendingWaits() async throws {
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
        let id = try await stage.subscribe(["paid"])
        let since = stage.engine.clock.now()
        try await stage.track("paid", data: ["n": 1])
        stage.receiver.answer(Array(repeating: ScriptedReceiver.answered(500), count: 8))
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
        let stage = try await WebhookStage()
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
        let stage = try await WebhookStage()
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
}
