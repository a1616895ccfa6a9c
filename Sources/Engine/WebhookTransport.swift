import WorkflowModel

/// What we need of the webhook adapter: one attempt of one signed request.
package protocol WebhookTransport: Sendable {
    /// How many attempts may be under way at once.
    var concurrency: Int { get }

    /// One attempt. Never throws: every failure is an outcome.
    func call(_ webhook: SignedWebhook) async -> WebhookOutcome

    /// Takes nothing new and ends what is under way, within seconds. Outcomes still come.
    func stop()
}

/// A request as it goes on the wire.
package struct SignedWebhook: Hashable, Sendable {
    package var method: String
    package var url: WebhookURL
    /// In order; Host and what frames the body are the adapter's.
    package var headers: [WebhookRequest.Header]
    /// Nil sends none.
    package var body: [UInt8]?

    package init(method: String, url: WebhookURL, headers: [WebhookRequest.Header], body: [UInt8]?) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// How one attempt ended.
package enum WebhookOutcome: Hashable, Sendable {
    case answered(WebhookResponse)
    /// No answer. Temporary unless another attempt is sure to end the same way.
    case failed(reason: String, isTemporary: Bool)
}

/// What a receiver said.
package struct WebhookResponse: Hashable, Sendable {
    /// Bytes that are read of a body and of the header fields; the rest is cut off.
    package static let bodyLimit = 64 << 10
    package static let headerLimit = 16 << 10

    package var status: Int
    /// Names in lower case; the values of a repeated field joined with a comma (RFC 9110 section 5.3).
    package var headers: [String: String]
    package var body: [UInt8]
    package var isBodyTruncated: Bool
    package var areHeadersTruncated: Bool

    package init(
        status: Int, headers: [String: String] = [:], body: [UInt8] = [], isBodyTruncated: Bool = false,
        areHeadersTruncated: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isBodyTruncated = isBodyTruncated
        self.areHeadersTruncated = areHeadersTruncated
    }
}
