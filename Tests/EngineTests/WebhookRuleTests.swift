import CryptoAdapter
import EngineTestKit
import Testing
import WorkflowModel

@testable import Engine

/// When a call is tried again.
@Suite struct WebhookRetriesTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func call(attempts: Int = 0, low: UInt64 = 0) -> WebhookCall {
        WebhookCall(
            request: WebhookRequest(
                id: Identifier(high: 1, low: low), step: "call", method: "POST", url: "https://example.com/"),
            projectID: Identifier(high: 1, low: 1), executionID: Identifier(high: 1, low: 2), dueAt: now,
            attempts: attempts, createdAt: now)
    }

    private static func answered(_ status: Int, _ headers: [String: String] = [:]) -> WebhookOutcome {
        .answered(WebhookResponse(status: status, headers: headers, body: Array("hi".utf8)))
    }

    /// Seconds until the next attempt; nil when there is none.
    private static func pause(_ outcome: WebhookOutcome, attempts: Int = 0, low: UInt64 = 0) -> Double? {
        guard
            case .retry(let due, _) = WebhookRetries.decide(outcome, call: call(attempts: attempts, low: low), now: now)
        else { return nil }
        return Double(due.microseconds - now.microseconds) / 1e6
    }

    @Test(arguments: [200, 201, 202, 204, 299])
    func everySuccessIsOne(status: Int) {
        let decision = WebhookRetries.decide(
            Self.answered(status, ["x": "y"]), call: Self.call(attempts: 2), now: Self.now)
        #expect(
            decision
                == .end(
                    .succeeded(
                        call: Self.call().id, status: status, headers: ["x": "y"], body: "hi", isBodyTruncated: false,
                        attempts: 3)))
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 599])
    func temporaryStatusIsTriedAgain(status: Int) {
        #expect(Self.pause(Self.answered(status)) == 1)
    }

    @Test(arguments: [100, 199, 300, 301, 302, 304, 307, 400, 401, 403, 404, 409, 410, 422, 600])
    func anyOtherStatusFailsAtOnce(status: Int) {
        let decision = WebhookRetries.decide(Self.answered(status), call: Self.call(), now: Self.now)
        #expect(
            decision
                == .end(.failed(call: Self.call().id, reason: "answered \(status)", status: status, attempts: 1)))
    }

    @Test func redirectSaysThatItIsNotFollowed() {
        let decision = WebhookRetries.decide(
            Self.answered(302, ["location": "https://elsewhere.example/"]), call: Self.call(), now: Self.now)
        #expect(
            decision
                == .end(
                    .failed(
                        call: Self.call().id, reason: "answered 302, and redirects are not followed", status: 302,
                        attempts: 1)))
    }

    @Test func networkErrorIsTriedAgainUnlessItIsSureToRepeat() {
        #expect(Self.pause(.failed(reason: "reset", isTemporary: true)) == 1)
        #expect(Self.pause(.failed(reason: "certificate", isTemporary: false)) == nil)
    }

    @Test func pausesGrowFourfoldAndTheFifthAttemptIsTheLast() {
        let pauses = (0..<5).map { Self.pause(Self.answered(500), attempts: $0) }
        #expect(pauses == [1, 4, 16, 64, nil])
        let decision = WebhookRetries.decide(Self.answered(500), call: Self.call(attempts: 4), now: Self.now)
        #expect(
            decision
                == .end(.failed(call: Self.call().id, reason: "answered 500 (5 attempts)", status: 500, attempts: 5)))
    }

    @Test func attemptAfterACrashInTheFifthStillEnds() {
        #expect(Self.pause(Self.answered(500), attempts: 5) == nil)
        let decision = WebhookRetries.decide(Self.answered(200), call: Self.call(attempts: 5), now: Self.now)
        guard case .end(.succeeded) = decision else {
            Issue.record("\(decision)")
            return
        }
    }

    @Test func jitterIsTheIdsOwnAndAtMostAQuarter() throws {
        let random = UInt64(0xFF_80_40_C0)
        let pauses = try (0..<4).map { try #require(Self.pause(Self.answered(500), attempts: $0, low: random)) }
        for (pause, base) in zip(pauses, [1.0, 4, 16, 64]) { #expect(pause > base && pause < base * 1.25) }
        // Each attempt has bits of its own.
        #expect(Set(zip(pauses, [1.0, 4, 16, 64]).map { $0 / $1 }).count == 4)
        #expect(Self.pause(Self.answered(500), low: random) == pauses[0])
    }

    @Test(
        arguments: [
            ("30", 30), ("0", 1), ("3600", 3600), ("3601", 3600), ("99999999999999999999", 3600), ("-5", 1),
            ("soon", 1),
            ("", 1), (" 20 ", 20),
        ] as [(String, Double)])
    func retryAfterInSecondsIsFollowedUpToAnHour(text: String, seconds: Double) {
        #expect(Self.pause(Self.answered(503, ["retry-after": text])) == seconds)
    }

    @Test func retryAfterDoesNotShortenThePause() {
        #expect(Self.pause(Self.answered(429, ["retry-after": "2"]), attempts: 3) == 64)
    }

    @Test func retryAfterIsNoReasonToTryARefusalAgain() {
        #expect(Self.pause(Self.answered(403, ["retry-after": "2"])) == nil)
        #expect(Self.pause(Self.answered(503, ["retry-after": "2"]), attempts: 4) == nil)
    }

    @Test(arguments: [
        // 2027-01-15T08:00:00Z is `now`.
        "Fri, 15 Jan 2027 08:00:40 GMT", "Friday, 15-Jan-27 08:00:40 GMT", "Fri Jan 15 08:00:40 2027",
    ])
    func retryAfterAsADateIsFollowed(text: String) {
        #expect(Self.now.description == "2027-01-15T08:00:00.000Z")
        #expect(Self.pause(Self.answered(503, ["retry-after": text])) == 40)
    }

    @Test(arguments: [
        "Fri, 15 Jan 2027 07:00:00 GMT", "Fri, 32 Jan 2027 08:00:40 GMT", "Fri, 15 Foo 2027 08:00:40 GMT",
        "Fri, 15 Jan 2027 25:00:40 GMT", "Fri, 15 Jan 2027 08:00:40 CET", "Fri, 15 Jan 2027 08:00 GMT",
        "Sun Nov 6 1994",
    ])
    func dateThatIsPastOrNoneIsNotWaitedFor(text: String) {
        #expect(Self.pause(Self.answered(503, ["retry-after": text])) == 1)
    }

    @Test func farDateIsCutToAnHour() {
        #expect(Self.pause(Self.answered(503, ["retry-after": "Fri, 15 Jan 2028 08:00:40 GMT"])) == 3600)
    }
}

/// The signature, against the example of the standard's own documentation.
@Suite struct WebhookSignatureTests {
    private static let time = Timestamp(seconds: 1_614_265_330)
    private static let body = Array("{\"test\": 2432232314}".utf8)
    // MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
    private static let secret: [UInt8] = [
        0x31, 0xF2, 0x90, 0xF6, 0xBF, 0x06, 0x29, 0x8A, 0xAB, 0x4F, 0x08, 0xD4, 0x3C, 0x3F, 0x08, 0x2C, 0xF6, 0x48,
        0xA3,
        0x62, 0xDA, 0x2D, 0xA4, 0xB0,
    ]

    private static func headers(_ secret: WebhookSecret, at time: Timestamp = time) -> [String: String] {
        let fields = WebhookSignature(cryptography: OpenSSLCryptography(), secret: secret).headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: body, at: time)
        return Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value) })
    }

    @Test func exampleOfTheStandardComesOut() {
        #expect(WebhookSecret(bytes: Self.secret).text == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        #expect(
            Self.headers(WebhookSecret(bytes: Self.secret)) == [
                "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
                "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ])
    }

    @Test func bothSecretsSignUntilTheOldOneEnds() {
        var secret = WebhookSecret(bytes: [1, 2, 3])
        let new = Self.headers(secret)["webhook-signature"]
        secret.previous = Self.secret
        secret.previousEnds = Self.time.adding(microseconds: 1)
        let both = Self.headers(secret)["webhook-signature"]
        #expect(both == "\(new ?? "") v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        secret.previousEnds = Self.time
        #expect(Self.headers(secret)["webhook-signature"] == new)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{3FF}>?", "z78+Pw=="),
    ])
    func base64IsThatOfTheRFC(text: String, encoded: String) {
        #expect(Base64URL.standard(Array(text.utf8)) == encoded)
    }
}

/// Where calls may go.
@Suite struct WebhookDestinationTests {
    private static func url(_ text: String) throws -> WebhookURL { try WebhookURL(text) }

    @Test func httpIsForListedHostsOnly() throws {
        let destinations = WebhookDestinations(allowedHosts: [
            "internal.example", "127.0.0.1:8080", "[::1]:9", "fd00::1",
        ])
        for allowed in [
            "https://anywhere.example/", "http://internal.example/", "http://INTERNAL.example.:81/",
            "http://127.0.0.1:8080/", "http://[::1]:9/", "http://[fd00::1]:77/",
        ] {
            #expect(destinations.objection(to: try Self.url(allowed)) == nil, "\(allowed)")
        }
        for refused in ["http://anywhere.example/", "http://127.0.0.1/", "http://[::1]/", "http://x.internal.example/"]
        {
            #expect(destinations.objection(to: try Self.url(refused))?.contains("allowed_hosts") == true, "\(refused)")
        }
    }

    @Test func addressCountsAndNotTheName() throws {
        let destinations = WebhookDestinations(allowedHosts: ["internal.example:443"])
        let url = try Self.url("https://example.com/")
        #expect(destinations.objection(toConnecting: [93, 184, 216, 34], for: url) == nil)
        let refusal = destinations.objection(toConnecting: [10, 0, 0, 1], for: url)
        #expect(refusal?.contains("example.com leads to 10.0.0.1, which is a private network") == true)
        #expect(destinations.objection(toConnecting: [], for: url) != nil)
        #expect(destinations.objection(toConnecting: [1, 2, 3], for: url) != nil)
        #expect(
            destinations.objection(toConnecting: [10, 0, 0, 1], for: try Self.url("https://internal.example/")) == nil)
        #expect(
            destinations.objection(toConnecting: [10, 0, 0, 1], for: try Self.url("https://internal.example:8443/"))
                != nil)
    }
}
