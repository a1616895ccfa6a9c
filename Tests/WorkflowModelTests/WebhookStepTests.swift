import JSONValue
import Testing
import WorkflowModel

@Suite struct WebhookStepTests {
    private func parked(_ webhook: StepConfig.Webhook) throws -> (ExecutionMachine, ExecutionMachine.Move) {
        let machine = try machine([("call", .webhook(webhook)), ("end", .exit(reason: "after"))])
        return (machine, try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start)))
    }

    private func request(_ move: ExecutionMachine.Move) throws -> WebhookRequest {
        guard case .callWebhook(let request)? = move.effects.first else { throw Missing() }
        return request
    }

    private struct Missing: Error {}

    @Test func everyStringIsRenderedAtAnyDepthAndNothingElse() throws {
        let (_, move) = try parked(
            .init(
                url: "https://crm.example/in", method: "PUT",
                headers: [.init(name: "X-Plan", value: "{{contact.plan}}")],
                body: ["plain": "a", "deep": ["list": ["{{contact.email}}", 5, nil, ["{{contact.plan}}": true]]]]))
        let request = try request(move)
        #expect(request.method == "PUT" && request.url == "https://crm.example/in" && request.step == "call")
        #expect(
            request.headers
                == [.init(name: "X-Plan", value: "free"), .init(name: "Content-Type", value: "application/json")])
        #expect(
            try JSONParser.parse(request.body ?? "")
                == [
                    "plain": "a", "deep": ["list": ["ann@example.org", 5, nil, ["{{contact.plan}}": true]]],
                ])
    }

    @Test func withoutABodyContactWorkflowExecutionAndEventAreSent() throws {
        let request = try request(try parked(.init(url: "https://crm.example/")).1)
        let body = try JSONParser.parse(request.body ?? "")
        #expect(body["contact"]?["id"]?.stringValue == "\(ann.id)" && body["contact"]?["data"]?["plan"] == "free")
        #expect(body["contact"]?["subscribed"] == true && body["workflow"]?["name"] == "Flow")
        #expect(body["execution"]?["startedAt"]?.stringValue == "\(start)" && body["event"] == ["subject": "Hi"])
    }

    @Test func getSendsNoBody() throws {
        let request = try request(try parked(.init(url: "https://crm.example/", method: "GET")).1)
        #expect(request.body == nil && request.headers.isEmpty)
    }

    @Test func textOfAnotherTypeGoesOutAsItIs() throws {
        let headers = [WebhookRequest.Header(name: "content-type", value: "text/plain")]
        let text = try request(try parked(.init(url: "https://x.example/", headers: headers, body: "a=1")).1)
        #expect(text.body == "a=1" && text.headers.count == 1)
        let json = try request(try parked(.init(url: "https://x.example/", body: "a=1")).1)
        #expect(json.body == "\"a=1\"")
    }

    @Test func executionRunsOnWithTheAnswerAsOutput() throws {
        let (machine, parked) = try parked(.init(url: "https://crm.example/"))
        let call = try request(parked).id
        #expect(parked.execution.status == .running && parked.execution.wait == .webhook(call: call))
        #expect(parked.steps.last?.status == .running && parked.steps.last?.input["url"] == "https://crm.example/")
        let answer = WebhookAnswer.succeeded(
            call: call, status: 201, headers: ["x-b": "2", "x-a": "1"], body: #"{"id":7}"#, isBodyTruncated: false,
            attempts: 3)
        let move = try #require(
            machine.advance(parked.execution, contact: ann, input: .webhookAnswered(answer), now: start))
        #expect(move.execution.status == .exited && move.execution.exitReason == "after")
        #expect(
            move.execution.outputs["call"]
                == [
                    "url": "https://crm.example/", "method": "POST", "attempts": 3, "statusCode": 201, "success": true,
                    "headers": ["x-a": "1", "x-b": "2"], "response": ["id": 7],
                ])
        #expect(move.steps[0].sequence == parked.steps[1].sequence && move.steps[0].attempts == 3)
    }

    @Test(arguments: [(#"{"a":1"#, false), ("plain", false), (#"{"a":1}"#, true)])
    func whatIsNoWholeJSONIsText(_ body: String, _ isTruncated: Bool) throws {
        let (machine, parked) = try parked(.init(url: "https://crm.example/"))
        let answer = WebhookAnswer.succeeded(
            call: try request(parked).id, status: 200, headers: [:], body: body, isBodyTruncated: isTruncated,
            attempts: 1)
        let move = machine.advance(parked.execution, contact: ann, input: .webhookAnswered(answer), now: start)
        #expect(move?.execution.outputs["call"]?["response"] == .string(body))
        #expect(move?.execution.outputs["call"]?["truncated"] == (isTruncated ? true : nil))
    }

    @Test func failedCallFailsTheExecutionWithItsReasonAndCanBeRetried() throws {
        let (machine, parked) = try parked(.init(url: "https://crm.example/"))
        let call = try request(parked).id
        let failed = try #require(
            machine.advance(
                parked.execution, contact: ann,
                input: .webhookAnswered(.failed(call: call, reason: "HTTP 503", status: 503, attempts: 5)), now: start))
        #expect(failed.execution.status == .failed && failed.execution.exitReason == "HTTP 503")
        #expect(failed.steps.last?.error == "HTTP 503" && failed.steps.last?.attempts == 5)
        #expect(failed.execution.outputs["call"]?["statusCode"] == 503)
        let again = try #require(machine.advance(failed.execution, contact: ann, input: .retried, now: start))
        let second = try request(again)
        #expect(again.execution.status == .running && again.execution.exitReason == nil)
        #expect(second.id != call && again.steps.map(\.sequence) == [2])
        // The first call's answer, should it still come, concerns nobody.
        let late = machine.advance(
            again.execution, contact: ann,
            input: .webhookAnswered(.failed(call: call, reason: "late", status: nil, attempts: 1)), now: start)
        #expect(late == nil)
    }

    @Test func cancellingTakesTheCallBack() throws {
        let (machine, parked) = try parked(.init(url: "https://crm.example/"))
        let move = try #require(
            machine.advance(parked.execution, contact: ann, input: .cancelled(reason: "x"), now: start))
        #expect(move.effects == [.cancelWebhook(call: try request(parked).id)])
        #expect(move.steps.map(\.status) == [.cancelled])
    }

    @Test(arguments: [
        (StepConfig.Webhook(url: "{{contact.email}}"), "url"), (.init(url: "{{fail}}"), "cannot be called"),
        (.init(url: "https://u:p@x.example/"), "user name"),
        (
            .init(
                url: "https://x.example/", body: ["x": .string(String(repeating: "x", count: 256 * 1024))]), "256 KiB"
        ),
    ])
    func callThatCannotBeMadeFailsTheExecution(_ webhook: StepConfig.Webhook, _ part: String) throws {
        let (_, move) = try parked(webhook)
        #expect(move.execution.status == .failed && move.effects.isEmpty)
        #expect(move.execution.exitReason?.contains(part) == true, "\(move.execution.exitReason ?? "")")
    }
}
