import Engine
import WorkflowModel

/// The plain values `LibcurlWebhookTransport` needs.
package struct WebhookTransportConfiguration: Sendable {
    /// Attempts under way at once, each on a thread of its own: 1 to 64.
    package var workers: Int
    /// Limit for one attempt as a whole: resolving, connecting, TLS, sending, and the answer to its last byte.
    package var timeout: Duration
    /// PEM file with the authorities to believe; nil for the system's.
    package var caFile: String?
    /// Says why an address must not be connected to, from its bytes in network order; nil when it may. Asked on a worker's
    /// thread for every socket before it is opened.
    package var objection: @Sendable (_ address: [UInt8], _ url: WebhookURL) -> String?
    /// Addresses to use in place of a look-up, asked before each attempt: `host:port:address[,address]`
    /// (CURLOPT_RESOLVE(3)). They pass the same check. For tests.
    package var resolution: @Sendable (_ url: WebhookURL) -> [String]

    package init(
        destinations: WebhookDestinations, workers: Int = 16, timeout: Duration = .seconds(10), caFile: String? = nil
    ) {
        self.workers = workers
        self.timeout = timeout
        self.caFile = caFile
        objection = { destinations.objection(toConnecting: $0, for: $1) }
        resolution = { _ in [] }
    }
}

/// Why webhooks cannot be called at all: one sentence that names the thing and the mend.
package struct WebhookTransportError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
