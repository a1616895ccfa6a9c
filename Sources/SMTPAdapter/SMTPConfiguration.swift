/// Where mail leaves and under which conditions: the plain values `SMTPTransport` needs.
package struct SMTPConfiguration: Sendable {
    /// What protects the connection to the relay.
    package enum TLS: String, Hashable, Sendable, CaseIterable {
        /// Plain SMTP; right for a relay on the same machine.
        case none
        /// STARTTLS when the relay offers it, in clear when it does not. An offered STARTTLS with a certificate that
        /// does not verify is a failure, not a reason to go on in clear.
        case opportunistic
        /// STARTTLS or nothing (RFC 3207).
        case required
        /// TLS from the first byte, usually on port 465 (RFC 8314 section 3.3).
        case implicit
    }

    /// A SASL login; PLAIN or LOGIN, whichever the relay offers (RFC 4954).
    package struct Credentials: Sendable {
        package var username: String
        package var password: String

        package init(username: String, password: String) {
            self.username = username
            self.password = password
        }
    }

    /// Host name or address of the relay, an IPv6 address without brackets.
    package var host: String
    package var port: Int
    /// The name said in EHLO: our own full host name or an address literal (RFC 5321 section 4.1.1.1).
    package var ehloName: String
    package var tls: TLS
    /// Whether the relay's certificate must be issued by a known authority and bear the relay's name.
    package var verifiesPeer: Bool
    /// PEM file with the authorities to believe; nil for the system's.
    package var caFile: String?
    package var credentials: Credentials?
    /// Connections, and so messages under way at once: 1 to 20. More would eat the relay's process limit (100 for all
    /// clients and 50 for each in Postfix, default_process_limit and smtpd_client_connection_count_limit).
    package var workers: Int
    /// Limit for the way up to the first command of a mail transaction: resolving, connecting, greeting, TLS, login.
    package var connectTimeout: Duration
    /// Limit for every single reply and for a standstill while the message is sent. RFC 5321 section 4.5.3.2.6 asks
    /// for 10 minutes after the final dot; less means second copies behind slow content filters.
    package var replyTimeout: Duration
    /// A connection unused for longer is closed, because relays close idle ones themselves after a few minutes.
    package var idleTimeout: Duration

    package init(
        host: String = "127.0.0.1", port: Int = 25, ehloName: String = "localhost", tls: TLS = .none,
        verifiesPeer: Bool = true, caFile: String? = nil, credentials: Credentials? = nil, workers: Int = 4,
        connectTimeout: Duration = .seconds(30), replyTimeout: Duration = .seconds(600),
        idleTimeout: Duration = .seconds(118)
    ) {
        self.host = host
        self.port = port
        self.ehloName = ehloName
        self.tls = tls
        self.verifiesPeer = verifiesPeer
        self.caFile = caFile
        self.credentials = credentials
        self.workers = workers
        self.connectTimeout = connectTimeout
        self.replyTimeout = replyTimeout
        self.idleTimeout = idleTimeout
    }

    /// Whether the host is this machine by its spelling alone; a name that merely resolves to 127.0.0.1 is not,
    /// because what it resolves to may change.
    package var isLoopback: Bool {
        let name = host.lowercased()
        if name == "localhost" || name == "localhost." || name == "::1" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// The URL libcurl takes: its path is the EHLO name (libcurl, CURLOPT_URL(3), section SMTP).
    var url: String {
        let scheme = tls == .implicit ? "smtps" : "smtp"
        let authority = host.contains(":") ? "[\(host)]" : host
        return "\(scheme)://\(authority):\(port)/\(percentEncoded(ehloName))"
    }

    /// Host and port as people write them, for reasons and log lines.
    var relayName: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private func percentEncoded(_ name: String) -> String {
        name.utf8.map { byte in
            switch byte {
            case 0x5B: "%5B"
            case 0x5D: "%5D"
            case 0x3A: "%3A"
            default: String(UnicodeScalar(byte))
            }
        }.joined()
    }
}

extension Duration {
    /// Whole seconds, rounded up, at least one: libcurl takes zero for "its default" or "no limit".
    var wholeSeconds: Int {
        let parts = components
        return max(1, Int(clamping: parts.seconds) + (parts.attoseconds > 0 ? 1 : 0))
    }
}
