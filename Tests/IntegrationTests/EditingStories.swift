import JSONValue
import ServerTestKit
import Testing

/// Workflows built with nothing but the API, run by the real daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct EditingStories {
    private static let contact = "ann@customer.example"

    /// Templates alone: no event that ever happens starts it.
    private static let templates = StoryWorkflow(
        "letters", on: "never",
        steps: """
              start: {type: TRIGGER, next: done}
              done: {type: EXIT, config: {reason: never}}
            """)

    /// Purchase, call of the receiver, tag, receipt: with a step too many and one too few on the way there.
    @Test func webhookFanOutIsBuiltByTheAPIAndRuns() async throws {
        let hooks = try ServerDirectory.temporary()
        let receiver = try await WebhookReceiver(in: hooks)
        let relay = try StoryRelay()
        let story = try await StorySite(
            relayPort: relay.port, workflows: [Self.templates],
            settings: """
                webhooks:
                  allowed_hosts: ["127.0.0.1:\(receiver.port(.good))"]
                  ca_file: \(receiver.authority)

                """)
        let daemon = try await story.start()
        let flow = try await daemon.workflow("Webhook fan-out", on: "purchase.completed")
        let url = receiver.url("/then/200/\(WebhookReceiver.hex(#"{"ok":true}"#))", at: .good)
        try await flow.step("WEBHOOK", "CRM", ["url": .string(url), "headers": ["X-Order": "{{ event.order }}"]])
        try await flow.step("DELAY", "Too long", ["amount": 2, "unit": "days"])
        try await flow.step("SEND_EMAIL", "Receipt", ["templateId": "letters"])
        let tag: JSON = ["type": "UPDATE_CONTACT", "name": "Tag", "config": ["data": ["tier": "customer"]]]
        #expect(try await daemon.send("POST", "\(flow.path)/transitions/crm/insert-step", tag).status == 201)
        #expect(try await daemon.send("DELETE", "\(flow.path)/steps/too-long?splice=true").status == 204)
        #expect(try await daemon.send("PATCH", flow.path, ["enabled": true]).body["warnings"] == [])

        #expect(try await daemon.track("purchase.completed", Self.contact, data: ["order": "A-7"]) == 200)
        try await relay.waitForMessages(to: Self.contact)
        let ended = try await daemon.waitForExecution(of: "webhook-fan-out", contact: Self.contact, status: "COMPLETED")
        let id = ended["id"]?.stringValue ?? ""
        let whole = try await daemon.api("\(flow.path)/executions/\(id)")
        let steps = whole["stepExecutions"]?.arrayValue?.compactMap { $0["stepId"]?.stringValue }
        #expect(steps == ["trigger", "crm", "tag", "receipt"])
        #expect(try await receiver.waitForRequests(1).map { $0.headers["x-order"] } == ["A-7"])
        #expect(try await daemon.api("\(flow.path)/stats")["executions"]?["COMPLETED"] == 1)
        try await daemon.process.terminate()
        try await receiver.stop()
        try await story.stop()
        try await hooks.remove()
    }

    /// Three mails with pauses between them; locked while somebody is in it, and free again when nobody is.
    @Test func welcomeSeriesIsBuiltByTheAPIRunsAndIsLockedMeanwhile() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [Self.templates])
        let daemon = try await story.start()
        let flow = try await daemon.workflow("Welcome series", on: "signed_up")
        try await flow.step("SEND_EMAIL", "Welcome", ["templateId": "letters"])
        // A second and a bit in place of two days.
        try await flow.step("DELAY", "Two days", ["amount": 0.02, "unit": "minutes"])
        try await flow.step("SEND_EMAIL", "Tips", ["templateId": "letters"])
        try await flow.step("DELAY", "Five days", ["amount": 5, "unit": "days"])
        try await flow.step("SEND_EMAIL", "Upgrade", ["templateId": "letters"])
        #expect(try await daemon.track("signed_up", Self.contact) == 200)
        #expect(try await daemon.send("PATCH", flow.path, ["enabled": true]).status == 200)
        #expect(try await daemon.track("signed_up", Self.contact) == 200)
        try await relay.waitForMessages(2, to: Self.contact)

        let locked = try await daemon.send("DELETE", "\(flow.path)/steps/five-days?splice=true")
        #expect(locked.status == 409 && locked.body["error"]?["code"] == "WORKFLOW_LOCKED")
        let message = locked.body["error"]?["message"]?.stringValue ?? ""
        #expect(message.contains("1 execution "), "\(message)")
        #expect(try await daemon.send("PATCH", "\(flow.path)/steps/five-days", ["name": "A while"]).status == 200)
        #expect(try await daemon.send("POST", "\(flow.path)/executions/cancel-all").body["cancelled"] == 1)
        #expect(try await daemon.send("DELETE", "\(flow.path)/steps/five-days?splice=true").status == 204)
        #expect(try await daemon.api(flow.path)["version"] == 2)

        let ben = "ben@customer.example"
        #expect(try await daemon.track("signed_up", ben) == 200)
        try await relay.waitForMessages(3, to: ben)
        try await daemon.waitForExecution(of: "welcome-series", contact: ben, status: "COMPLETED")
        #expect(relay.messages(to: Self.contact).count == 2, "what was cancelled sends nothing more")
        try await daemon.process.terminate()
        try await story.stop()
    }
}

/// A workflow under construction.
private struct WorkflowDraft {
    let daemon: RunningDaemon
    let path: String

    func step(_ type: String, _ name: String, _ config: JSON) async throws {
        let reply = try await daemon.send(
            "POST", "\(path)/steps", ["type": .string(type), "name": .string(name), "config": config])
        #expect(reply.status == 201, "\(reply.body)")
    }
}

extension RunningDaemon {
    fileprivate func workflow(_ name: String, on event: String) async throws -> WorkflowDraft {
        let reply = try await send("POST", "/workflows", ["name": .string(name), "eventName": .string(event)])
        #expect(reply.status == 201, "\(reply.body)")
        return WorkflowDraft(daemon: self, path: "/workflows/\(reply.body["id"]?.stringValue ?? "")")
    }

    fileprivate func send(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> (
        status: Int, body: JSON
    ) {
        let answer = try await http.request(
            method, path, fields: [("Authorization", "Bearer \(key)")], body: body.map { JSONWriter.bytes($0) })
        return (answer.status, answer.body.isEmpty ? .null : try JSONParser.parse(answer.body))
    }
}
