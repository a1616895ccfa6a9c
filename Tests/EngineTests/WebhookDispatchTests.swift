import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

private let hook: JSONObject = [
    "call": [
        "type": "WEBHOOK",
        "config": [
            "url": "https://hooks.example/{{ contact.email | url_encode }}", "headers": ["X-Mine": "{{ event.plan }}"],
            "body": ["email": "{{ contact.email }}"],
        ], "next": "note",
    ],
    "note": ["type": "UPDATE_CONTACT", "config": ["data": ["tier": "{{ steps.call.response.tier }}"]]],
]

private func answered(_ status: Int, _ body: String = "{}", _ headers: [String: String] = [:]) -> WebhookOutcome {
    .answered(WebhookResponse(status: status, headers: headers, body: Array(body.utf8)))
}

@Suite struct WebhookDispatchTests {
    private func prepared(
        _ steps: JSONObject = hook, savedFor destinations: WebhookDestinations = WebhookDestinations()
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine { $0.webhookDestinations = destinations }
        try await engine.apply(document(reentry: true, steps: steps))
        try await engine.track("signed_up", data: ["plan": "pro"])
        return (engine, database)
    }

    private func counts(_ engine: EngineFixture) async throws -> [WebhookCall.Status: Int] {
        try await engine.context.store.read { try $0.webhookCounts() }
    }

    @Test func answerMovesTheExecutionOnAndLaterStepsSeeIt() async throws {
        let (engine, database) = try await prepared()
        _ = database
        #expect(try await engine.executions().map(\.status) == [.running])
        let receiver = ScriptedReceiver()
        receiver.answer([answered(200, #"{"tier":"gold"}"#)])
        try await engine.runWebhooks(receiver)
        #expect(try await engine.executions().map(\.status) == [.completed])
        #expect(try await engine.contact()?.data["tier"] == "gold")
        #expect(try await counts(engine) == [.pending: 0, .claimed: 0])
        let call = try #require(receiver.calls.first)
        #expect(receiver.calls.count == 1)
        #expect(call.method == "POST" && call.url.description == "https://hooks.example:443/ann%40example.org")
        #expect(call.body.map { String(decoding: $0, as: UTF8.self) } == #"{"email":"ann@example.org"}"#)
        #expect(
            call["x-mine"] == "pro" && call["content-type"] == "application/json" && call["user-agent"] == "Postrider")
    }

    @Test func callIsSignedWithTheProjectsSecretAndTheTimeOfTheAttempt() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        receiver.answer([answered(503)])
        try await engine.runWebhooks(receiver)
        engine.clock.advance(seconds: 2)
        try await engine.runWebhooks(receiver)
        let secret = try await WebhookSecrets(context: engine.context).show(project: "default")
        let calls = receiver.calls
        #expect(calls.count == 2)
        #expect(calls[0]["webhook-id"] == calls[1]["webhook-id"] && calls[0]["webhook-id"]?.isEmpty == false)
        for (call, pause) in zip(calls, [-2, 0]) {
            let time = engine.clock.now().adding(seconds: Int64(pause)).microseconds / 1_000_000
            #expect(call["webhook-timestamp"] == "\(time)")
            let signed = "\(call["webhook-id"] ?? "").\(time).\(String(decoding: call.body ?? [], as: UTF8.self))"
            let code = engine.context.cryptography.authenticationCode(of: Array(signed.utf8), key: secret.bytes)
            let text = Base64URL.encode(code).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
            #expect(call["webhook-signature"] == "v1,\(String(text))=")
        }
    }

    @Test func bothSecretsSignForADayAfterARotation() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        let secrets = WebhookSecrets(context: engine.context)
        _ = try await secrets.show(project: "default")
        _ = try await secrets.rotate(project: "default")
        engine.clock.advance(seconds: 86_399)
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls[0]["webhook-signature"]?.split(separator: " ").count == 2)
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up")
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls[1]["webhook-signature"]?.split(separator: " ").count == 1)
    }

    @Test func failureIsTriedFiveTimesAtGrowingPausesAndThenFailsTheExecution() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        receiver.answer([
            .failed(reason: "reset", isTemporary: true), answered(408), answered(429), answered(500), answered(503),
        ])
        try await engine.runWebhooks(receiver)
        for (number, pause) in [1, 4, 16, 64].enumerated() {
            #expect(receiver.calls.count == number + 1)
            engine.clock.advance(microseconds: Int64(pause) * 1_000_000 - 1)
            try await engine.runWebhooks(receiver)
            #expect(receiver.calls.count == number + 1)
            // Jitter lengthens a pause by a quarter at most.
            engine.clock.advance(microseconds: Int64(pause) * 250_000 + 1)
            try await engine.runWebhooks(receiver)
        }
        #expect(receiver.calls.count == 5)
        #expect(Set(receiver.calls.map { $0["webhook-id"] }).count == 1)
        #expect(Set(receiver.calls.map(\.body)).count == 1)
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .failed)
        #expect(execution.exitReason?.contains("answered 503 (5 attempts)") == true)
        #expect(try await engine.steps(of: execution).last?.attempts == 5)
        #expect(try await counts(engine) == [.pending: 0, .claimed: 0])
        engine.clock.advance(seconds: 10_000)
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 5)
    }

    @Test(arguments: [400, 401, 404, 302])
    func refusalFailsTheExecutionAtOnce(status: Int) async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        receiver.answer([answered(status)])
        try await engine.runWebhooks(receiver)
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .failed && execution.exitReason?.contains("answered \(status)") == true)
        #expect(receiver.calls.count == 1)
    }

    @Test func retryAfterOfTheReceiverIsFollowed() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        receiver.answer([answered(429, "", ["retry-after": "300"])])
        try await engine.runWebhooks(receiver)
        engine.clock.advance(seconds: 299)
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 1)
        engine.clock.advance(seconds: 1)
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 2)
        #expect(try await engine.executions().map(\.status) == [.completed])
    }

    @Test func callOfACancelledExecutionIsNotMade() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let id = try #require(try await engine.executions().first?.id)
        let receiver = ScriptedReceiver()
        receiver.answer([answered(503)])
        try await engine.runWebhooks(receiver)
        try await cancel(id, engine)
        engine.clock.advance(seconds: 100)
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 1)
        #expect(try await engine.executions().map(\.status) == [.cancelled])
    }

    @Test func callClaimedBeforeItsExecutionWasCancelledIsNotMadeEither() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let now = engine.clock.now()
        let calls = try await engine.context.store.write {
            try $0.claimWebhookCalls(dueAt: now, limit: 9, perReceiver: 9, underWay: [:])
        }
        try await cancel(try #require(try await engine.executions().first?.id), engine)
        let receiver = ScriptedReceiver()
        let dispatch = WebhookDispatch(
            context: engine.context, transport: receiver, destinations: WebhookDestinations(), perReceiver: 1)
        for call in calls { await dispatch.attempt(call) }
        #expect(calls.count == 1 && receiver.calls.isEmpty)
    }

    @Test func answerToACancelledExecutionChangesNothing() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let id = try #require(try await engine.executions().first?.id)
        let receiver = ScriptedReceiver()
        receiver.hold("hooks.example")
        async let done: Void = engine.runWebhooks(receiver)
        while receiver.heldCount == 0 { await Task.yield() }
        try await cancel(id, engine)
        receiver.release()
        try await done
        #expect(try await engine.executions().map(\.status) == [.cancelled])
        #expect(try await engine.contact()?.data["tier"] == nil)
    }

    private func cancel(_ id: Identifier, _ engine: EngineFixture) async throws {
        let workflow = try #require(try await engine.executions().first?.workflowID)
        _ = try await Executions(context: engine.context).cancel(id, of: workflow, project: engine.project.id)
    }

    @Test func retriedExecutionCallsAnewUnderAnotherID() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        receiver.answer([answered(404)])
        try await engine.runWebhooks(receiver)
        let failed = try #require(try await engine.executions().first)
        #expect(failed.status == .failed)
        let retried = try await Executions(context: engine.context).retry(
            failed.id, of: failed.workflowID, project: engine.project.id)
        #expect(retried.status == .running)
        receiver.answer([answered(200, #"{"tier":"gold"}"#)])
        try await engine.runWebhooks(receiver)
        #expect(try await engine.executions().map(\.status) == [.completed])
        #expect(Set(receiver.calls.map { $0["webhook-id"] }).count == 2)
        #expect(try await engine.contact()?.data["tier"] == "gold")
    }

    @Test func plainHTTPIsRefusedUnlessTheHostIsListed() async throws {
        let steps: JSONObject = ["call": ["type": "WEBHOOK", "config": ["url": "http://inside.example:8080/"]]]
        // Saved while it was listed; the list that holds when it is called counts.
        let listed = WebhookDestinations(allowedHosts: ["inside.example:8080"])
        let (engine, database) = try await prepared(steps, savedFor: listed)
        _ = database
        let receiver = ScriptedReceiver()
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.isEmpty)
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .failed && execution.exitReason?.contains("webhooks.allowed_hosts") == true)
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up")
        try await engine.runWebhooks(receiver, destinations: listed)
        #expect(receiver.calls.count == 1)
        #expect(try await engine.executions().last?.status == .completed)
    }

    @Test func plainHTTPToAnUnlistedHostIsRefusedWhenItIsSaved() async throws {
        let (engine, database) = try await makeEngine {
            $0.webhookDestinations = WebhookDestinations(allowedHosts: ["inside.example"])
        }
        _ = database
        func flow(_ url: String) -> JSON {
            document(steps: ["call": ["type": "WEBHOOK", "config": ["url": .string(url)]]])
        }
        let error = await #expect(throws: UseCaseError.self) { try await engine.apply(flow("http://out.example/")) }
        #expect(error?.problems.map(\.path) == ["steps.call.config.url"])
        #expect(error?.problems.first?.message.contains("webhooks.allowed_hosts") == true)
        // What a template makes of an address is known when it is called.
        for url in ["http://inside.example:81/", "http://{{ data.host }}/", "https://out.example/"] {
            try await engine.apply(flow(url))
        }
    }

    @Test func executionWhoseCallIsLostFailsVisiblyAtTheNextStart() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(reentry: true, steps: hook))
        try await engine.track("signed_up", "lost@example.org")
        try await engine.track("signed_up", "kept@example.org")
        try DamagedDatabase(database.path).spoil(
            "DELETE FROM webhook_calls WHERE created_at = (SELECT min(created_at) FROM webhook_calls) "
                + "AND id = (SELECT e.webhook_call_id FROM executions e JOIN contacts c ON c.id = e.contact_id "
                + "WHERE c.email = 'lost@example.org')")
        let receiver = ScriptedReceiver()
        let dispatch = WebhookDispatch(
            context: engine.context, transport: receiver, destinations: WebhookDestinations(), perReceiver: 4)
        try await dispatch.recover()
        let lost = try #require(try await engine.executions().first { $0.contactEmail == "lost@example.org" })
        #expect(lost.status == .failed && lost.exitReason == "its webhook call is lost" && lost.currentStep == "call")
        #expect(try await engine.steps(of: lost).last?.status == .failed)
        try await engine.runWebhooks(receiver)
        #expect(
            try await engine.executions().first { $0.contactEmail == "kept@example.org" }?.status == .completed)
        let retried = try await Executions(context: engine.context).retry(
            lost.id, of: lost.workflowID, project: engine.project.id)
        #expect(retried.status == .running)
        try await engine.runWebhooks(receiver)
        #expect(try await engine.executions().allSatisfy { $0.status == .completed })
    }

    @Test func lineEndFromARenderedHeaderNeverReachesTheReceiver() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(document(reentry: true, steps: hook))
        try await engine.track("signed_up", data: ["plan": "pro\r\nHost: evil.example"])
        let receiver = ScriptedReceiver()
        try await engine.runWebhooks(receiver)
        // Refused, or the line end is gone: never a second field.
        for call in receiver.calls { #expect(call.headers.allSatisfy { !$0.value.contains { $0.isNewline } }) }
    }

    @Test func attemptCutOffByTheEndOfTheDaemonIsMadeAgainUnderTheSameIDAndCounted() async throws {
        let (engine, database) = try await prepared()
        _ = database
        let receiver = ScriptedReceiver()
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write {
            try $0.claimWebhookCalls(dueAt: now, limit: 9, perReceiver: 9, underWay: [:])
        }
        #expect(claimed.count == 1)
        // The daemon dies here: nobody knows what the receiver heard.
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.isEmpty)
        let dispatch = WebhookDispatch(
            context: engine.context, transport: receiver, destinations: WebhookDestinations(), perReceiver: 1)
        try await dispatch.recover()
        #expect(try await engine.counter("webhooks_repeated") == 1)
        receiver.answer([answered(200, #"{"tier":"gold"}"#)])
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.map { $0["webhook-id"] } == ["\(claimed[0].id)"])
        #expect(try await engine.executions().map(\.status) == [.completed])
        try await dispatch.recover()
        #expect(try await engine.counter("webhooks_repeated") == 1)
    }

    @Test func damagedCallFailsItsExecutionAndItsNeighboursGoOn() async throws {
        let (engine, database) = try await prepared()
        try DamagedDatabase(database.path).spoil("UPDATE webhook_calls SET request = 'no JSON'")
        try await engine.track("signed_up", "ben@example.org")
        let receiver = ScriptedReceiver()
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 1)
        let executions = try await engine.executions().sorted { $0.contactEmail < $1.contactEmail }
        #expect(executions.map(\.status) == [.failed, .completed])
        #expect(executions[0].exitReason?.contains("cannot be read") == true)
    }

    @Test func executionThatCannotBeMovedFailsAndItsNeighboursGoOn() async throws {
        let (engine, database) = try await prepared()
        try DamagedDatabase(database.path).spoil("UPDATE executions SET context = 'no JSON'")
        try await engine.track("signed_up", "ben@example.org")
        let receiver = ScriptedReceiver()
        try await engine.runWebhooks(receiver)
        #expect(receiver.calls.count == 2)
        #expect(try await counts(engine) == [.pending: 0, .claimed: 0])
        try DamagedDatabase(database.path).spoil("UPDATE executions SET context = NULL WHERE context = 'no JSON'")
        let executions = try await engine.executions().sorted { $0.contactEmail < $1.contactEmail }
        #expect(executions.map(\.status) == [.failed, .completed])
    }
}

/// The loop, with calls that are not answered.
@Suite(.timeLimit(.minutes(5))) struct WebhookLoopTests {
    private struct Running {
        let engine: EngineFixture
        let database: TemporaryDatabase
        let receiver: ScriptedReceiver
        let loop: Task<Void, Never>

        func stop() async {
            loop.cancel()
            receiver.release()
            await loop.value
        }
    }

    /// A loop over one call to `slow.example` for each contact, and one to `quick.example`.
    private func running(slow: Int, concurrency: Int, perReceiver: Int) async throws -> Running {
        let (engine, database) = try await makeEngine()
        for host in ["slow", "quick"] {
            try await engine.apply(
                document(
                    event: host, slug: host,
                    steps: ["call": ["type": "WEBHOOK", "config": ["url": .string("https://\(host).example/")]]]))
        }
        let receiver = ScriptedReceiver(concurrency: concurrency)
        receiver.hold("slow.example")
        for number in 0..<slow { try await engine.track("slow", "c\(number)@example.org") }
        let dispatch = WebhookDispatch(
            context: engine.context, transport: receiver, destinations: WebhookDestinations(),
            perReceiver: perReceiver)
        let loop = Task { await dispatch.run() }
        return Running(engine: engine, database: database, receiver: receiver, loop: loop)
    }

    private func until(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { await Task.yield() }
    }

    @Test func slowReceiverLeavesPlacesForTheOthers() async throws {
        let running = try await running(slow: 20, concurrency: 4, perReceiver: 2)
        try await until { running.receiver.heldCount == 2 }
        for number in 0..<5 { try await running.engine.track("quick", "q\(number)@example.org") }
        try await until { try await running.engine.executions("quick").filter { $0.status == .completed }.count == 5 }
        #expect(running.receiver.heldCount == 2)
        #expect(running.receiver.calls.filter { $0.url.host == "slow.example" }.count == 2)
        running.receiver.release()
        try await until { try await running.engine.executions("slow").allSatisfy { $0.status == .completed } }
        #expect(running.receiver.calls.filter { $0.url.host == "slow.example" }.count == 20)
        await running.stop()
    }

    @Test func noMoreAreUnderWayThanThereArePlaces() async throws {
        let running = try await running(slow: 20, concurrency: 3, perReceiver: 10)
        try await until { running.receiver.heldCount == 3 }
        try await running.engine.track("quick", "q@example.org")
        #expect(running.receiver.calls.count == 3)
        running.receiver.release()
        try await until { running.receiver.calls.count == 21 }
        await running.stop()
    }

    @Test func newCallWakesTheLoopAndARetryComesWhenItIsDue() async throws {
        let running = try await running(slow: 0, concurrency: 2, perReceiver: 2)
        try await until { await running.engine.clock.hasSleeper }
        running.receiver.answer([.failed(reason: "reset", isTemporary: true)])
        try await running.engine.track("quick", "q@example.org")
        try await until { running.receiver.calls.count == 1 }
        try await until {
            running.engine.clock.advance(microseconds: 200_000)
            return running.receiver.calls.count == 2
        }
        try await until { try await running.engine.executions("quick").map(\.status) == [.completed] }
        await running.stop()
    }

    @Test func stopLeavesWhatIsNotAnsweredForTheNextStart() async throws {
        let running = try await running(slow: 1, concurrency: 2, perReceiver: 2)
        try await until { running.receiver.heldCount == 1 }
        running.loop.cancel()
        // As after the drain time, which is real time.
        running.receiver.stop()
        await running.loop.value
        #expect(try await running.engine.executions("slow").map(\.status) == [.running])
        let counts = try await running.engine.context.store.read { try $0.webhookCounts() }
        #expect(counts == [.pending: 1, .claimed: 0])
    }
}
