import Glibc
import JSONValue
import ServerTestKit
import Testing

/// The daemon tells a real receiver of events over TLS, which checks the signatures by its own arithmetic.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct SubscriptionStories {
    private struct Stage {
        let story: StorySite
        let receiver: WebhookReceiver
        let hooks: ServerDirectory

        func stop() async throws {
            try await receiver.stop()
            try await story.stop()
            try await hooks.remove()
        }

        /// Runs `postrider webhook …` and returns the last line it printed.
        func command(_ words: [String]) async throws -> String {
            try await Site.run(
                try BuiltProduct.path(), ["webhook"] + words + ["--config", story.site.configurationPath])
        }
    }

    private func stage() async throws -> Stage {
        let hooks = try ServerDirectory.temporary()
        let receiver = try await WebhookReceiver(in: hooks)
        let story = try await StorySite(
            relayPort: 1, workflows: [],
            settings: """
                webhooks:
                  allowed_hosts: ["127.0.0.1:\(receiver.port(.good))"]
                  ca_file: \(receiver.authority)

                """)
        return Stage(story: story, receiver: receiver, hooks: hooks)
    }

    private func send(_ daemon: RunningDaemon, _ method: String, _ path: String, _ body: JSON? = nil) async throws
        -> (status: Int, body: JSON)
    {
        let answer = try await daemon.http.request(
            method, path, fields: [("Authorization", "Bearer \(daemon.key)")], body: body.map { JSONWriter.bytes($0) })
        return (answer.status, answer.body.isEmpty ? .null : try JSONParser.parse(answer.body))
    }

    /// Makes a webhook and tells the receiver its secret.
    /// - Returns: its id.
    private func subscribe(_ stage: Stage, _ daemon: RunningDaemon, _ path: String, _ events: [JSON]) async throws
        -> String
    {
        let made = try await send(
            daemon, "POST", "/webhooks", ["url": .string(stage.receiver.url(path)), "events": .array(events)])
        #expect(made.status == 201, "\(made.body)")
        try stage.receiver.know([made.body["secret"]?.stringValue ?? ""])
        return made.body["id"]?.stringValue ?? ""
    }

    private func events(_ stage: Stage) -> [(id: String, event: JSON)] {
        stage.receiver.requests.map { request in
            (request.id, (try? JSONParser.parse(Array(request.body.utf8))) ?? .null)
        }
    }

    @Test func everyEventArrivesAlthoughTheDaemonIsKilledInTheMiddle() async throws {
        let stage = try await stage()
        let first = try await stage.story.start()
        _ = try await subscribe(stage, first, "/hold", ["paid"])
        for number in 0..<20 {
            #expect(
                try await first.track("paid", "c\(number)@customer.example", data: ["n": .int(Int64(number))]) == 200)
        }
        // As many as may go to one receiver are under way, and none is answered.
        try await stage.receiver.waitForRequests(4)
        try await first.process.freeze()
        try stage.receiver.release()
        try await first.process.kill()

        let second = try await stage.story.start()
        try await eventually("all events have come") {
            Set(events(stage).compactMap { $0.event["data"]?["n"]?.intValue }).count == 20
        }
        try await eventually("all are recorded") {
            try await second.health()["deliveries"] == ["pending": 0, "claimed": 0]
        }
        let requests = stage.receiver.requests
        #expect(requests.allSatisfy { $0.verified == [0] && $0.method == "POST" })
        // Those that were under way came twice, under one id; the others once.
        let byNumber = Dictionary(grouping: events(stage)) { $0.event["data"]?["n"]?.intValue ?? -1 }
        #expect(byNumber.count == 20 && requests.count == 24)
        #expect(byNumber.values.allSatisfy { Set($0.map(\.id)).count == 1 })
        #expect(Set(requests.map(\.id)).count == 20)
        #expect(try await second.counter("webhooks_repeated") == 4)
        let one = try #require(events(stage).first { $0.event["data"]?["n"] == 3 }?.event)
        #expect(one["type"] == "paid" && one["data"]?["contact"]?["email"] == "c3@customer.example")
        try await second.process.terminate()
        try await stage.stop()
    }

    @Test func goneReceiverIsPausedAndTheCommandsShowAndResumeIt() async throws {
        let stage = try await stage()
        let daemon = try await stage.story.start()
        // Each call is answered 410 first and then 200.
        let id = try await subscribe(stage, daemon, "/then/410,200", ["paid"])
        #expect(try await daemon.track("paid", "ann@customer.example") == 200)
        try await daemon.process.waitForLine(containing: "webhook paused")
        #expect(try await daemon.track("paid", "ben@customer.example") == 200)
        #expect(try await daemon.counter("webhooks_paused") == 1)
        let listed = try await stage.command(["list"])
        #expect(listed.hasPrefix(id) && listed.contains("paused since") && listed.contains("410 Gone"))
        #expect(!listed.contains("/then/"), "no path, where secrets may stand")
        #expect(try await stage.command(["resume", id]) == "\(id): 1 events queued")
        // That it is resumed already changes nothing, and has the daemon look. The second event is answered 410 again.
        let resumed = try await send(daemon, "POST", "/webhooks/\(id)/resume")
        #expect(resumed.status == 200)
        try await stage.receiver.waitForRequests(2)
        try await eventually("the webhook is quiet") {
            let webhook = try await send(daemon, "GET", "/webhooks/\(id)")
            if webhook.body["status"] == "paused" { _ = try await send(daemon, "POST", "/webhooks/\(id)/resume") }
            return try await daemon.health()["deliveries"] == ["pending": 0, "claimed": 0]
        }
        #expect(stage.receiver.requests.count == 4 && Set(stage.receiver.requests.map(\.id)).count == 2)
        try await daemon.process.terminate()
        try await stage.stop()
    }

    @Test func unlistedReceiversAreRefusedWhenTheyAreSavedOrCalled() async throws {
        let stage = try await stage()
        let daemon = try await stage.story.start()
        let plain = try await send(
            daemon, "POST", "/webhooks", ["url": .string(stage.receiver.url("/", at: .plain)), "events": ["*"]])
        #expect(plain.status == 422)
        // The address is looked at when it is connected to.
        let made = try await send(
            daemon, "POST", "/webhooks",
            ["url": .string("https://localhost:\(stage.receiver.port(.good))/status/200"), "events": ["paid"]])
        #expect(made.status == 201)
        #expect(try await daemon.track("paid", "ann@customer.example") == 200)
        let id = made.body["id"]?.stringValue ?? ""
        let reason = try await eventualValue("the delivery is deferred") {
            try await send(daemon, "GET", "/webhooks/\(id)/deliveries").body["data"]?.arrayValue?.first?["reason"]?
                .stringValue
        }
        #expect(reason.contains("webhooks.allowed_hosts"), "\(reason)")
        #expect(stage.receiver.requests.isEmpty)
        try await daemon.process.terminate()
        try await stage.stop()
    }
}
