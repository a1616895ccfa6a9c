import Testing
import WorkflowModel

@Suite struct WebhookRuleTests {
    @Test(arguments: [
        ("https://example.com", "https", "example.com", 443, "/"),
        ("HTTPS://Example.COM./a?b=c#d", "https", "example.com", 443, "/a?b=c"),
        ("http://127.0.0.1:8080/x", "http", "127.0.0.1", 8080, "/x"),
        ("https://[::1]:8443?q", "https", "::1", 8443, "/?q"),
        ("https://a_b-c.example:1", "https", "a_b-c.example", 1, "/"),
        ("https://h/#", "https", "h", 443, "/"),
    ])
    func addressIsTakenApart(text: String, scheme: String, host: String, port: Int, target: String) throws {
        let url = try WebhookURL(text)
        #expect(url.scheme.rawValue == scheme && url.host == host && url.port == port && url.target == target)
        // What is put together again reads the same.
        #expect(try WebhookURL(url.description) == url)
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://x/", "https:/example.com", "https://",
        "https:///x", "https://user@example.com/", "https://a:b@example.com/", "https://example.com\\@evil.example/",
        "https://exa mple.com/", "https://example.com/a b", "https://example.com/ü", "https://exämple.com/",
        "https://example.com/\r\nX: y", "https://example.com/\0", "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:/", "https://example.com:443x/", "https://example.com:+443/", "https://%31%32/",
        "https://127.0.0.1%00.example/", "https://[::1", "https://[::1]x/", "https://[::1%25lo]/", "https://[12]/",
        "https://a..b/", "https://.a/", "https://a../", "https://ex(ample/", "https://{{ host }}/",
    ])
    func doubtfulAddressIsRefused(text: String) {
        #expect(throws: WebhookURL.Objection.self) { try WebhookURL(text) }
    }

    @Test func tooLongAddressIsRefused() {
        let long = "https://example.com/" + String(repeating: "a", count: WebhookURL.lengthLimit)
        #expect(throws: WebhookURL.Objection.self) { try WebhookURL(long) }
    }

    @Test(arguments: [
        "Host", "CONTENT-LENGTH", "Transfer-Encoding", "webhook-id", "Webhook-Timestamp", "webhook-signature",
        "Connection", "Expect", "Upgrade", "", "X Y", "X:", "X\r\nY", "X-\0", "Ü", "X;",
    ])
    func headerNameThatIsNotTheStepsToSetIsRefused(name: String) {
        #expect(WebhookHeaderRule.objection(toName: name) != nil)
    }

    @Test(arguments: ["Authorization", "Content-Type", "X-Custom_1", "user-agent", "Accept"])
    func ordinaryHeaderNameIsTaken(name: String) {
        #expect(WebhookHeaderRule.objection(toName: name) == nil)
    }

    @Test(arguments: ["a\r\nHost: evil", "a\nb", "a\rb", "a\0b", "\u{7F}", "\u{1B}[0m"])
    func headerValueWithAControlCharacterIsRefused(value: String) {
        #expect(WebhookHeaderRule.objection(toValue: value) != nil)
    }

    @Test func ordinaryHeaderValueIsTaken() {
        #expect(WebhookHeaderRule.objection(toValue: "Bearer x\tÜ {{ y }}") == nil)
        #expect(WebhookHeaderRule.objection(toValue: String(repeating: "a", count: 8193)) != nil)
    }

    private static func request(
        method: String = "POST", url: String = "https://example.com/", headers: [WebhookRequest.Header] = []
    ) -> WebhookRequest {
        WebhookRequest(
            id: Identifier(high: 1, low: 2), step: "call", method: method, url: url, headers: headers, body: nil)
    }

    @Test func renderedRequestIsLookedAtAsAWhole() {
        #expect(Self.request().objection == nil)
        #expect(Self.request(method: "TRACE").objection?.contains("TRACE") == true)
        #expect(Self.request(url: "ftp://x/").objection?.contains("url") == true)
        #expect(Self.request(headers: [.init(name: "Host", value: "x")]).objection?.contains("Host") == true)
        #expect(Self.request(headers: [.init(name: "X", value: "a\nb")]).objection?.contains("line end") == true)
        let many = (0...WebhookHeaderRule.countLimit).map { WebhookRequest.Header(name: "X-\($0)", value: "") }
        #expect(Self.request(headers: many).objection?.contains("headers") == true)
    }
}
