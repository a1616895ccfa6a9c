import Engine
import ServerTestKit
import Testing
import WebhookAdapter
import WorkflowModel

@Suite(.timeLimit(.minutes(5))) struct AnswerTests {
    @Test func statusHeadersAndBodyComeBack() async throws {
        let caller = try await Caller()
        let path = "/status/202/\(WebhookReceiver.hex("X-Twice: a"))/\(WebhookReceiver.hex("x-twice:   b  "))"
        let response = try #require(await caller.call(path).response)
        #expect(response.status == 202)
        #expect(response.headers["x-twice"] == "a, b")
        #expect(response.headers["content-length"] == "2")
        #expect(response.text == "{}" && !response.isBodyTruncated && !response.areHeadersTruncated)
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func bodyGoesWithEveryMethodButGET(method: String) async throws {
        let caller = try await Caller()
        let headers = [("Content-Type", "application/json"), ("X-Empty", ""), ("X-Name", "Zoë")]
        #expect(
            try await caller.call("/status/200", method: method, headers: headers, body: "{\"a\":\"ü\"}").response
                != nil)
        let arrived = try await caller.arrived()
        let request = try #require(arrived.first)
        #expect(arrived.count == 1)
        #expect(request.method == method && request.body == "{\"a\":\"ü\"}")
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.headers["x-empty"] == "" && request.headers["x-name"] == "Zoë")
        #expect(request.headers["host"] == "127.0.0.1:\(caller.receiver.port(.good))")
        #expect(request.headers["expect"] == nil && request.headers["transfer-encoding"] == nil)
    }

    @Test func callWithoutBodySendsNone() async throws {
        let caller = try await Caller()
        #expect(try await caller.call("/status/200", method: "GET", body: nil).response?.status == 200)
        #expect(try await caller.call("/status/200", method: "POST", body: "").response?.status == 200)
        let arrived = try await caller.arrived()
        #expect(arrived.map(\.method) == ["GET", "POST"])
        #expect(arrived.map { $0.headers["content-length"] } == [nil, "0"])
        #expect(arrived.allSatisfy { $0.headers["content-type"] == nil })
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func redirectIsNotFollowed(status: Int) async throws {
        let caller = try await Caller()
        let target = caller.receiver.url("/status/200?\(caller.mark)-target")
        let field = WebhookReceiver.hex("Location: \(target)")
        let response = try #require(await caller.call("/status/\(status)/\(field)").response)
        #expect(response.status == status && response.headers["location"] == target)
        #expect(try await caller.arrived().count == 1)
    }

    @Test func chunkedBodyAndInterimAnswerAreRead() async throws {
        let caller = try await Caller()
        #expect(try await caller.call("/chunked").response?.text == "hello")
        let late = try #require(await caller.call("/interim").response)
        #expect(late.status == 200 && late.text == "late")
        #expect(late.headers["x-late"] == "1" && late.headers["x-early"] == nil)
    }

    @Test func bodyIsCutAtTheLimitAndSaysSo() async throws {
        let caller = try await Caller()
        let whole = try #require(await caller.call("/body/\(WebhookResponse.bodyLimit)").response)
        #expect(whole.body.count == WebhookResponse.bodyLimit && !whole.isBodyTruncated)
        let cut = try #require(await caller.call("/body/\(WebhookResponse.bodyLimit + 1)").response)
        #expect(cut.body.count == WebhookResponse.bodyLimit && cut.isBodyTruncated && cut.status == 200)
    }

    @Test func endlessBodyIsNotReadToItsEnd() async throws {
        var caller = try await Caller()
        // The receiver would go on for 800 MB: a time limit would end it as a failure.
        caller.timeout = .seconds(20)
        let response = try #require(await caller.call("/endless-body").response)
        #expect(response.isBodyTruncated && response.body.count == WebhookResponse.bodyLimit)
        #expect(response.body.allSatisfy { $0 == UInt8(ascii: "y") })
    }

    @Test func headerFieldsBeyondTheLimitAreCutAndTheAnswerCounts() async throws {
        let caller = try await Caller()
        let response = try #require(await caller.call("/headers/300").response)
        #expect(response.status == 200 && response.text == "after" && response.areHeadersTruncated)
        let size = response.headers.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        #expect(size > WebhookResponse.headerLimit / 2 && size <= WebhookResponse.headerLimit)
        let few = try #require(await caller.call("/headers/10").response)
        #expect(!few.areHeadersTruncated && few.headers["x-9"]?.count == 100)
    }

    @Test func endlessHeaderFieldsEndTheAttempt() async throws {
        let caller = try await Caller()
        let outcome = try await caller.call("/endless-headers")
        #expect(outcome.isTemporary == true, "\(outcome)")
    }

    @Test(arguments: ["/garbage", "/old", "/half", "/reset"])
    func brokenAnswerIsATemporaryFailure(path: String) async throws {
        let caller = try await Caller()
        let outcome = try await caller.call(path)
        #expect(outcome.isTemporary == true, "\(outcome)")
        #expect(!outcome.reason.isEmpty)
        // Once and not twice: trying again is for the one who counts.
        #expect(try await caller.arrived().count == 1)
    }

    @Test func nobodyListeningIsATemporaryFailure() async throws {
        let caller = try await Caller()
        let webhook = try caller.webhook("https://127.0.0.1:\(try freePort())/")
        let outcome = try await caller.withTransport { await $0.call(webhook) }
        #expect(outcome.isTemporary == true)
        #expect(outcome.reason.contains("no connection"), "\(outcome)")
    }

    @Test func unknownNameIsATemporaryFailure() async throws {
        let caller = try await Caller()
        let webhook = try caller.webhook("https://no-such-host.invalid/")
        let outcome = try await caller.withTransport { await $0.call(webhook) }
        #expect(outcome.isTemporary == true, "\(outcome)")
    }
}
