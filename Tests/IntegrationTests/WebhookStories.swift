import Glibc
import JSONValue
import ServerTestKit
import Testing

/// The daemon calls a real receiver over TLS, which checks the signatures by its own arithmetic.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct WebhookStories {
    private static let contact = "ann@customer.example"

    private struct Stage {
        let story: StorySite
        let receiver: WebhookReceiver
        let hooks: ServerDirectory
        let relay: StoryRelay

        func stop() async throws {
            try await receiver.stop()
            try await story.stop()
            try await hooks.remove()
        }

        /// Runs `postrider webhook secret`.
        func secret(_ words: [String] = []) async throws -> String {
            try await Site.run(
                try BuiltProduct.path(), ["webhook", "secret", "--config", story.site.configurationPath] + words)
        }
    }

    /// A site with the workflow WEBHOOK → UPDATE_CONTACT → SEND_EMAIL.
    private func stage(
        path: String, listener: WebhookReceiver.Listener = .good, lists: Bool = true, timeout: String = "10s"
    ) async throws -> Stage {
        let hooks = try ServerDirectory.temporary()
        let receiver = try await WebhookReceiver(in: hooks)
        let relay = try StoryRelay()
        let port = receiver.port(listener)
        let workflow = StoryWorkflow(
            "tier", on: "order",
            steps: """
                  start: {type: TRIGGER, next: call}
                  call:
                    type: WEBHOOK
                    config:
                      url: "\(receiver.url(path, at: listener))"
                      headers: {X-Order: "{{ event.number }}"}
                      body: {email: "{{ contact.email }}", total: 12}
                    next: note
                  note:
                    type: UPDATE_CONTACT
                    config: {data: {tier: "{{ steps.call.response.tier }}"}}
                    next: mail
                  mail: {type: SEND_EMAIL, config: {template: tier}}
                """)
        let story = try await StorySite(
            relayPort: relay.port, workflows: [workflow],
            settings: """
                webhooks:
                  allowed_hosts: [\(lists ? "\"127.0.0.1:\(port)\"" : "")]
                  ca_file: \(receiver.authority)
                  timeout: \(timeout)

                """)
        return Stage(story: story, receiver: receiver, hooks: hooks, relay: relay)
    }

    private static let goldBody = WebhookReceiver.hex(#"{"tier":"gold"}"#)

    @Test func answerOfAReceiverThatWasBusyTwiceGoesIntoTheContactAndTheMail() async throws {
        let stage = try await stage(path: "/then/503,503,200/\(Self.goldBody)")
        let secret = try await stage.secret()
        #expect(secret.hasPrefix("whsec_"))
        try stage.receiver.know([secret])
        // A proxy of the environment would take the call out of our hands.
        let daemon = try await stage.story.site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(stage.relay.port)", "HTTPS_PROXY": "http://127.0.0.1:1",
            "https_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1",
        ])
        #expect(try await daemon.track("order", Self.contact, data: ["number": "A-7"]) == 200)
        try await stage.relay.waitForMessages(to: Self.contact)
        let requests = try await stage.receiver.waitForRequests(3)
        #expect(requests.count == 3)
        #expect(Set(requests.map(\.id)).count == 1 && requests.allSatisfy { !$0.id.isEmpty })
        #expect(requests.allSatisfy { $0.verified == [0] })
        #expect(requests.allSatisfy { $0.method == "POST" && $0.headers["x-order"] == "A-7" })
        #expect(requests.allSatisfy { $0.body == #"{"email":"ann@customer.example","total":12}"# })
        #expect(requests.allSatisfy { $0.headers["content-type"] == "application/json" })
        let execution = try await daemon.waitForExecution(of: "tier", contact: Self.contact, status: "COMPLETED")
        #expect(execution["status"] == "COMPLETED")
        let whole = try #require(try await daemon.executions().first)
        #expect(whole.output(ofStep: "call")?["response"]?["tier"] == "gold")
        #expect(whole.output(ofStep: "call")?["statusCode"] == 200)
        #expect(whole.output(ofStep: "call")?["attempts"] == 3)
        #expect(whole.output(ofStep: "note")?["updates"]?["tier"] == "gold")
        try await daemon.process.terminate()
        try await stage.stop()
    }

    @Test func callWhoseAnswerWasNotRecordedIsRepeatedUnderItsIDAndTheRunEndsOnce() async throws {
        let stage = try await stage(path: "/hold")
        try stage.receiver.know([try await stage.secret()])
        let first = try await stage.story.start()
        #expect(try await first.track("order", Self.contact) == 200)
        try await stage.receiver.waitForRequests(1)
        // Stopped, it has the answer in its socket and does not come to record it.
        try await first.process.freeze()
        try stage.receiver.release()
        try await first.process.kill()

        let second = try await stage.story.start()
        let requests = try await stage.receiver.waitForRequests(2)
        try await second.waitForExecution(of: "tier", contact: Self.contact, status: "COMPLETED")
        try await second.waitUntilSettled()
        #expect(requests.count == 2 && requests[0].id == requests[1].id && requests[0].body == requests[1].body)
        #expect(requests.allSatisfy { $0.verified == [0] })
        #expect(try await second.counter("webhooks_repeated") == 1)
        #expect(try await second.executions(of: "tier").count == 1)
        #expect(stage.relay.messages(to: Self.contact).count == 1)
        // Recorded, it is not repeated: not even by another death.
        try await second.process.kill()
        let third = try await stage.story.start()
        #expect(try await third.track("order", "ben@customer.example") == 200)
        try await third.waitForExecution(of: "tier", contact: "ben@customer.example", status: "COMPLETED")
        try await stage.receiver.waitForRequests(3)
        #expect(stage.receiver.requests.count == 3)
        #expect(try await third.counter("webhooks_repeated") == 1)
        try await third.process.terminate()
        try await stage.stop()
    }

    @Test func pauseBetweenTwoAttemptsOutlivesTheDaemon() async throws {
        let stage = try await stage(path: "/then/503,200/\(Self.goldBody)")
        let first = try await stage.story.start()
        #expect(try await first.track("order", Self.contact) == 200)
        try await first.process.waitForLine(containing: "webhook deferred")
        try await first.process.kill()

        let second = try await stage.story.start()
        try await second.waitForExecution(of: "tier", contact: Self.contact, status: "COMPLETED")
        let requests = try await stage.receiver.waitForRequests(2)
        #expect(requests.count == 2 && requests[0].id == requests[1].id)
        let whole = try #require(try await second.executions().first)
        #expect(whole.output(ofStep: "call")?["attempts"] == 2)
        // Recorded, the first attempt is no repetition.
        #expect(try await second.counter("webhooks_repeated") == 0)
        try await second.process.terminate()
        try await stage.stop()
    }

    @Test func receiverAtAPrivateAddressIsRefusedUnlessItIsListed() async throws {
        let stage = try await stage(path: "/status/200", lists: false)
        let daemon = try await stage.story.start()
        #expect(try await daemon.track("order", Self.contact) == 200)
        let failed = try await daemon.waitForExecution(of: "tier", contact: Self.contact, status: "FAILED")
        #expect(failed["exitReason"]?.stringValue?.contains("webhooks.allowed_hosts") == true, "\(failed)")
        #expect(stage.receiver.requests.isEmpty)
        try await daemon.process.terminate()
        try await stage.stop()
    }

    @Test func rotatedSecretSignsBesideTheOldOne() async throws {
        let stage = try await stage(path: "/status/200")
        let old = try await stage.secret()
        #expect(try await stage.secret() == old)
        let new = try await stage.secret(["--rotate"])
        #expect(new != old && new.hasPrefix("whsec_"))
        #expect(try await stage.secret() == new)
        try stage.receiver.know([old, new])
        let daemon = try await stage.story.start()
        #expect(try await daemon.track("order", Self.contact) == 200)
        let requests = try await stage.receiver.waitForRequests(1)
        #expect(requests[0].verified == [0, 1])
        try await daemon.process.terminate()
        try await stage.stop()
    }

    @Test func slowReceiverDoesNotHoldUpTheStop() async throws {
        let stage = try await stage(path: "/hold", timeout: "60s")
        let daemon = try await stage.story.start()
        #expect(try await daemon.track("order", Self.contact) == 200)
        try await stage.receiver.waitForRequests(1)
        // Ten seconds for what is under way, and no more: the call would wait for a minute.
        #expect(try await daemon.process.terminate(deadline: .seconds(20)) == .exited(0))
        try await stage.stop()
    }
}
