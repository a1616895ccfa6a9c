import Engine

/// Where the HTTP server listens and what it takes: the plain values `HTTPServer` needs.
package struct HTTPConfiguration: Sendable {
    /// IP address or host name to listen on, an IPv6 address without brackets.
    package var address: String
    /// 0 takes any free port.
    package var port: Int
    /// Largest request body in bytes; a larger one is answered with 413.
    package var bodyLimit: Int
    /// Largest file of contacts in bytes; a larger one is answered with 413.
    package var importLimit: Int
    /// How often a key may do what costs most.
    package var rates: RequestRates
    /// Whether fetches of the pixel are noted. Pixels of mails already sent are served in any case.
    package var trackingEnabled: Bool
    /// Whether the last address in `X-Forwarded-For` is the client's. Only for a server that nobody but a proxy of ours
    /// can reach: the field is whatever a client writes.
    package var trustedProxy: Bool
    /// A connection without a request under way, or in the middle of one that does not go on, is closed after this; seconds.
    package var idleTimeout: Int64
    /// Longest time from the first to the last byte of a request body, in seconds, however steadily it drips.
    package var bodyTimeout: Int64
    /// The same for a file of contacts.
    package var uploadTimeout: Int64
    /// Connections at the same time; further ones wait in the system's queue.
    package var connectionLimit: Int
    /// The pages that readers of mail see; nil where nobody should be sent to them.
    package var pages: PublicPages?

    package init(
        address: String = "127.0.0.1", port: Int = 8480, bodyLimit: Int = 1 << 20, importLimit: Int = 1 << 30,
        trackingEnabled: Bool = true, trustedProxy: Bool = false, idleTimeout: Int64 = 30, bodyTimeout: Int64 = 60,
        uploadTimeout: Int64 = 3600, connectionLimit: Int = 512, rates: RequestRates = RequestRates(),
        pages: PublicPages? = try? .bare()
    ) {
        self.address = address
        self.port = port
        self.bodyLimit = bodyLimit
        self.importLimit = importLimit
        self.trackingEnabled = trackingEnabled
        self.trustedProxy = trustedProxy
        self.idleTimeout = idleTimeout
        self.bodyTimeout = bodyTimeout
        self.uploadTimeout = uploadTimeout
        self.connectionLimit = connectionLimit
        self.rates = rates
        self.pages = pages
        self.rates = rates
    }
}
