/// All settings of the daemon as typed values. Meaning, unit and range of each are in `Schema` and on the reference page.
///
/// Plain values: adapters get what they need from the shell as configurations of their own.
package struct Configuration: Sendable {
    package let database: Database
    package let milter: Milter
    package let http: HTTP
    package let smtp: SMTP
    package let mail: Mail
    package let verdicts: Verdicts
    package let tracking: Tracking
    package let log: Log
    package let limits: Limits
    package let routes: [Route]
    /// Addresses that are never answered automatically; domains in lower case.
    package let ownAddresses: [String]
    /// What works and is probably not as intended; to be logged at start.
    package internal(set) var warnings: [Finding] = []

    package struct Database: Hashable, Sendable {
        /// Absolute, or relative to the working directory when the configuration file was named so.
        package let path: String
    }

    package struct Milter: Hashable, Sendable {
        package let socket: String
        /// Permission bits, for chmod(2).
        package let socketMode: UInt32
        /// nil leaves the group alone.
        package let socketGroup: String?
        package let tcp: HostPort?
        /// Bytes.
        package let bodyLimit: Int
        /// Number of fields.
        package let headerLimit: Int
        /// Bytes.
        package let headerBytesLimit: Int
        package let recipientLimit: Int
        package let commitDeadline: Duration
        package let onFailure: OnFailure
    }

    package struct HTTP: Hashable, Sendable {
        package let address: String
        /// 0 takes any free port.
        package let port: Int
        /// Without a closing slash; nil when it is to be derived, see `baseURL(port:)`.
        package let publicURL: String?
        /// Bytes.
        package let bodyLimit: Int

        /// The URL recipients reach us at, without a closing slash: `http.public_url`, or derived from the address and
        /// `boundPort`, the port that was really taken.
        package func baseURL(port boundPort: Int) -> String {
            if let publicURL { return publicURL }
            // A wildcard address is none that anybody can call.
            let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][address] ?? address
            return "http://\(HostPort(host: host, port: boundPort))"
        }
    }

    package struct SMTP: Hashable, Sendable {
        package let host: String
        package let port: Int
        /// nil says the name of this machine.
        package let ehloName: String?
        package let tls: TLSMode
        package let verify: Bool
        /// nil means the certificates of the system.
        package let caFile: String?
        /// nil means no login.
        package let login: Login?
        package let workers: Int
        package let connectTimeout: Duration
        package let replyTimeout: Duration
        package let maxLifetime: Duration
        package let firstRetry: Duration
        package let maxRetry: Duration
    }

    /// Name and password for the relay.
    package struct Login: Hashable, Sendable {
        package let username: String
        package let password: Secret
    }

    package struct Mail: Hashable, Sendable {
        /// A mailbox, perhaps with a display name; nil when templates must name their own.
        package let defaultFrom: String?
        package let messageIDDomain: String?
        package let autoReplyFrom: String?
    }

    package struct Verdicts: Hashable, Sendable {
        package let rspamdHeaders: Bool
        package let strippedAtBorder: Bool
        package let authservIDs: [String]
    }

    package struct Tracking: Hashable, Sendable {
        package let opens: Bool
        package let prefetchWindow: Duration
        package let maxHitsPerMail: Int
    }

    package struct Log: Hashable, Sendable {
        package let level: LogLevel
        package let format: LogFormat
    }

    package struct Limits: Hashable, Sendable {
        /// Bytes of JSON.
        package let eventData: Int
        package let generations: Int
    }

    /// Whose mail becomes an event, and what becomes of the mail.
    package struct Route: Hashable, Sendable {
        package let target: Target
        package let project: String
        package let disposition: Disposition

        package enum Target: Hashable, Sendable {
            /// One address; its domain is in lower case, its local part as written.
            case recipient(String)
            /// Every address of a domain, in lower case.
            case domain(String)
        }
    }
}

/// The answer to Postfix when an event cannot be stored in time (`milter.on_failure`).
package enum OnFailure: String, Hashable, Sendable, CaseIterable {
    case tempfail, accept
}

/// How the connection to the relay is encrypted (`smtp.tls`).
package enum TLSMode: String, Hashable, Sendable, CaseIterable {
    case none, opportunistic, required, implicit
}

/// What becomes of a message whose event is stored (`routes[].disposition`).
package enum Disposition: String, Hashable, Sendable, CaseIterable {
    case `continue`, discard
}

/// The levels of swift-log, by their names.
package enum LogLevel: String, Hashable, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// How a log event is written (`log.format`).
package enum LogFormat: String, Hashable, Sendable, CaseIterable {
    case text, json
}

/// A text that must not be printed: its description hides it.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the one place that needs it.
    package let value: String

    package init(_ value: String) { self.value = value }

    package var description: String { "<secret>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
