/// An HTTP call that a workflow wants made: rendered once, sent unchanged with every attempt.
package struct WebhookRequest: Hashable, Sendable {
    /// A header field as the step's author wrote it, its value rendered.
    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The `webhook-id` that the receiver sees, the same with every attempt.
    package var id: Identifier
    /// Key of the step that calls.
    package var step: String
    /// GET, POST, PUT, PATCH or DELETE.
    package var method: String
    package var url: String
    package var headers: [Header]
    /// Nil sends none.
    package var body: String?

    package init(
        id: Identifier, step: String, method: String, url: String, headers: [Header] = [], body: String? = nil
    ) {
        self.id = id
        self.step = step
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}
