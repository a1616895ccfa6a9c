/// All settings of the daemon as typed values. Meaning, unit and range of each are in `Schema` and on the reference
/// page.
///
/// Plain values: adapters get what they need from the shell as configurations of their own.
package struct Configuration: Sendable {
    /// Section `database`.
    package let database: Database
    /// Section `milter`.
    package let milter: Milter
    /// Section `http`.
    package let http: HTTP
    /// Section `smtp`.
    package let smtp: SMTP
    /// Section `postfix`.
    package let postfix: Postfix
    /// Section `webhooks`.
    package let webhooks: Webhooks
    /// Section `mail`.
    package let mail: Mail
    /// Section `auto_replies`.
    package let autoReplies: AutoReplies
    /// Section `raw_mail`.
    package let rawMail: RawMail
    /// Section `verdicts`.
    package let verdicts: Verdicts
    /// Section `tracking`.
    package let tracking: Tracking
    /// Section `returns`.
    package let returns: Returns
    /// Section `suppression`.
    package let suppression: Suppression
    /// Section `log`.
    package let log: Log
    /// Section `limits`.
    package let limits: Limits
    /// Section `rates`.
    package let rates: Rates
    /// Section `dns`.
    package let dns: DNS
    /// Section `verify`.
    package let verify: Verify
    /// In the order of the file, no two of one name; empty when the relay of `smtp` is the only one.
    package let relays: [Relay]
    /// In the order of the file.
    package let pacing: [Pacing]
    /// In the order of the file; no two have the same target and project.
    package let routes: [Route]
    /// `recipient_delimiter`. nil knows no tags.
    package let recipientDelimiter: Character?
    /// `unknown_recipients`. No two have the same domain.
    package let unknownRecipients: [UnknownRecipients]
    /// Addresses that are never answered automatically; domains in lower case.
    package let ownAddresses: [String]
    /// What works and is probably not as intended; to be logged at start.
    package internal(set) var warnings: [Finding] = []

    /// The keys of `database`.
    package struct Database: Hashable, Sendable {
        /// `database.path`. Absolute, or relative to the working directory when the configuration file was named so.
        package let path: String
    }

    /// The keys of `milter`.
    package struct Milter: Hashable, Sendable {
        /// `milter.socket`.
        package let socket: String
        /// `milter.socket_mode`. Permission bits, for chmod(2).
        package let socketMode: UInt32
        /// `milter.socket_group`. nil leaves the group alone.
        package let socketGroup: String?
        /// `milter.tcp`.
        package let tcp: HostPort?
        /// `milter.body_limit`. Bytes.
        package let bodyLimit: Int
        /// `milter.header_limit`. Number of fields.
        package let headerLimit: Int
        /// `milter.header_bytes_limit`. Bytes.
        package let headerBytesLimit: Int
        /// `milter.recipient_limit`.
        package let recipientLimit: Int
        /// `milter.part_limit`.
        package let partLimit: Int
        /// `milter.nesting_limit`.
        package let nestingLimit: Int
        /// `milter.in_flight_bytes`.
        package let inFlightBytes: Int
        /// `milter.in_flight_messages`.
        package let inFlightMessages: Int
        /// `milter.client_bytes`.
        package let clientBytes: Int
        /// `milter.client_messages`.
        package let clientMessages: Int
        /// `milter.commit_deadline`.
        package let commitDeadline: Duration
        /// `milter.on_failure`.
        package let onFailure: OnFailure
    }

    /// The keys of `http`.
    package struct HTTP: Hashable, Sendable {
        /// `http.address`.
        package let address: String
        /// `http.port`. 0 takes any free port.
        package let port: Int
        /// `http.public_url`. Without a closing slash; nil when it is to be derived, see `baseURL(port:)`.
        package let publicURL: String?
        /// `http.body_limit`. Bytes.
        package let bodyLimit: Int
        /// `http.import_limit`. Bytes.
        package let importLimit: Int
        /// Whether X-Forwarded-For is believed.
        package let trustsForwardedFor: Bool
        /// `http.pages`. nil takes the installed ones.
        package let pages: String?

        /// The URL recipients reach us at, without a closing slash: `http.public_url`, or derived from the address and
        /// `boundPort`, the port that was really taken.
        package func baseURL(port boundPort: Int) -> String {
            if let publicURL { return publicURL }
            // A wildcard address is none that anybody can call.
            let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][address] ?? address
            return "http://\(HostPort(host: host, port: boundPort))"
        }
    }

    /// The keys of `smtp`.
    package struct SMTP: Hashable, Sendable {
        /// `smtp.host`.
        package let host: String
        /// `smtp.port`.
        package let port: Int
        /// `smtp.ehlo_name`. nil says the name of this machine.
        package let ehloName: String?
        /// `smtp.tls`.
        package let tls: TLSMode
        /// `smtp.verify`.
        package let verify: Bool
        /// `smtp.ca_file`. nil means the certificates of the system.
        package let caFile: String?
        /// `smtp.login`. nil means no login.
        package let login: Login?
        /// `smtp.workers`.
        package let workers: Int
        /// `smtp.connect_timeout`.
        package let connectTimeout: Duration
        /// `smtp.reply_timeout`.
        package let replyTimeout: Duration
        /// `smtp.max_lifetime`.
        package let maxLifetime: Duration
        /// `smtp.first_retry`.
        package let firstRetry: Duration
        /// `smtp.max_retry`.
        package let maxRetry: Duration

        /// Whether the relay is on this machine.
        package var isLocal: Bool { Hostname.isLoopback(host) }
    }

    /// Name and password for the relay.
    package struct Login: Hashable, Sendable {
        package let username: String
        package let password: Secret
    }

    /// The keys of `webhooks`.
    package struct Webhooks: Hashable, Sendable {
        /// `webhooks.allowed_hosts`. In lower case; an IPv6 address with a port stands in brackets.
        package let allowedHosts: [String]
        /// `webhooks.timeout`.
        package let timeout: Duration
        /// `webhooks.concurrency`.
        package let concurrency: Int
        /// `webhooks.per_receiver`.
        package let perReceiver: Int
        /// `webhooks.ca_file`. nil takes the system's.
        package let caFile: String?
    }

    /// The keys of `mail`.
    package struct Mail: Hashable, Sendable {
        /// `mail.default_from`. A mailbox, perhaps with a display name; nil when templates must name their own.
        package let defaultFrom: String?
        /// `mail.message_id_domain`.
        package let messageIDDomain: String?
        /// `mail.auto_reply_from`.
        package let autoReplyFrom: String?
    }

    /// The keys of `returns`.
    package struct Returns: Hashable, Sendable {
        package struct Addresses: Hashable, Sendable {
            package let bounce: String?
            package let reply: String?
        }

        /// `returns.bounce_address`, `returns.reply_address`.
        package let addresses: Addresses
        /// `returns.delimiter`. One character.
        package let delimiter: String
        /// `returns.projects`, by the project's slug.
        package let projects: [String: Addresses]
    }

    /// The keys of `verdicts`.
    package struct Verdicts: Hashable, Sendable {
        /// `verdicts.sources` with what `rspamd_headers` and `authserv_ids` stand for; none twice.
        package let sources: [VerdictSource]
        /// `verdicts.stripped_at_border`.
        package let strippedAtBorder: Bool
        /// `verdicts.local_networks`. Addresses, and networks like `192.0.2.0/24`, in lower case.
        package let localNetworks: [String]
        /// `verdicts.deadline`.
        package let deadline: Duration
        /// `verdicts.scans`.
        package let scans: Int

        /// Whether rspamd's header fields are believed.
        package var rspamdHeaders: Bool { sources.contains { $0.kind == .rspamdHeaders } }
        /// The authserv-ids that are believed.
        package var authservIDs: [String] { sources.filter { $0.kind == .authres }.flatMap(\.authservIDs) }
    }

    /// One entry of `verdicts.sources`.
    package struct VerdictSource: Hashable, Sendable {
        package let kind: VerdictSourceKind
        /// `address`. Host and port, or a path; empty for a source in the message.
        package var address = ""
        /// What `password_file` holds.
        package var password: Secret?
        /// `timeout`.
        package var timeout = Duration.seconds(20)
        /// `size_limit`. Bytes.
        package var sizeLimit = 25 << 20
        /// `authserv_ids`.
        package var authservIDs: [String] = []
        /// `virus_symbols`.
        package var virusSymbols: [String] = []
        /// `gray_min`.
        package var grayMinimum: Double?
        /// `gray_heuristics`.
        package var takesHeuristicsAsGray = false

        /// Empty but for its kind.
        init(kind: VerdictSourceKind) { self.kind = kind }
    }

    /// The keys of `tracking`.
    package struct Tracking: Hashable, Sendable {
        /// `tracking.opens`.
        package let opens: Bool
        /// `tracking.clicks`.
        package let clicks: Bool
        /// `tracking.anonymous`.
        package let isAnonymous: Bool
        /// `tracking.url`. Without a closing slash; nil takes that of the pages.
        package let url: String?
        /// `tracking.prefetch_window`.
        package let prefetchWindow: Duration
        /// `tracking.max_hits_per_mail`.
        package let maxHitsPerMail: Int
    }

    /// The keys of `suppression`.
    package struct Suppression: Hashable, Sendable {
        /// `suppression.bounces`.
        package let bounces: Bool
        /// `suppression.complaints`.
        package let complaints: Bool
        /// `suppression.soft_limit`. 0 never suppresses.
        package let softLimit: Int
        /// `suppression.soft_window`.
        package let softWindow: Duration
        /// `suppression.soft_duration`.
        package let softDuration: Duration
    }

    /// The keys of `log`.
    package struct Log: Hashable, Sendable {
        /// `log.level`.
        package let level: LogLevel
        /// `log.format`.
        package let format: LogFormat
    }

    /// The keys of `limits`.
    package struct Limits: Hashable, Sendable {
        /// `limits.event_data`. Bytes of JSON.
        package let eventData: Int
        /// `limits.generations`.
        package let generations: Int
    }

    /// The keys of `rates`.
    package struct Rates: Hashable, Sendable {
        /// A number of requests in a second, and how many may come at once.
        package struct Rate: Hashable, Sendable {
            package let perSecond: Int
            package let burst: Int
        }

        /// `rates.enabled`.
        package let isEnabled: Bool
        /// `rates.track`, `rates.track_burst`.
        package let track: Rate
        /// `rates.send`, `rates.send_burst`.
        package let send: Rate
        /// `rates.contacts`, `rates.contacts_burst`.
        package let contacts: Rate
        /// `rates.unknown_keys`. In a minute; 0 does not count.
        package let unknownKeys: Int
    }

    /// The keys of `dns`.
    package struct DNS: Hashable, Sendable {
        /// `dns.server`. `192.0.2.1`, or with a port `192.0.2.1:53`; nil asks those of the system.
        package let server: String?
    }

    /// The keys of `verify`.
    package struct Verify: Hashable, Sendable {
        /// `verify.dns`.
        package let dns: Bool
        /// `verify.timeout`.
        package let timeout: Duration
    }

    /// Whose mail becomes an event, and what becomes of the mail.
    package struct Route: Hashable, Sendable {
        package let target: Target
        package let project: String
        package let disposition: Disposition
        /// `reply_to_bcc`.
        package var answersBlindCopies = false
        /// `require_authentication`.
        package var requiresAuthentication = false
        /// `raw_mail`. nil: as the section of that name says.
        package var rawMail: RawMailKeep?
        /// `when`, each as `check=VERDICT`.
        package var conditions: [String] = []
        /// `reject_text`.
        package var rejectText: String?
        /// `spam`.
        package var spam = SpamMode.none

        /// With the defaults for everything else.
        package init(target: Target, project: String, disposition: Disposition) {
            self.target = target
            self.project = project
            self.disposition = disposition
        }

        package enum Target: Hashable, Sendable {
            /// One address; its domain is in lower case, its local part as written.
            case recipient(String)
            /// Every address of a domain, in lower case.
            case domain(String)
            /// Every address that fits, with `*` and `?`.
            case wildcard(String)
            /// Every address that fits a regular expression.
            case pattern(String)
        }
    }

    /// One entry of `unknown_recipients`.
    package struct UnknownRecipients: Hashable, Sendable {
        package let domain: String
        package let answer: UnknownAnswer
        package let project: String
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
    case `continue`, discard, quarantine, reject
}

/// What becomes of the event of spam (`routes[].spam`).
package enum SpamMode: String, Hashable, Sendable, CaseIterable {
    case none, mark, quarantine, fail
}

/// What separates an address from its tag (`recipient_delimiter`).
package enum RecipientDelimiter: String, Hashable, Sendable, CaseIterable {
    case plus, minus, none

    /// The character; nil for none.
    var character: Character? {
        switch self {
        case .plus: "+"
        case .minus: "-"
        case .none: nil
        }
    }
}

/// What becomes of a recipient without a route (`unknown_recipients[].answer`).
package enum UnknownAnswer: String, Hashable, Sendable, CaseIterable {
    case `continue`, reject, discard, event
}

/// The verdict sources by their names (`verdicts.sources[].source`).
package enum VerdictSourceKind: String, Hashable, Sendable, CaseIterable {
    case rspamdHeaders = "rspamd-headers"
    case spamAssassinHeaders = "spamassassin-headers"
    case clamAVHeaders = "clamav-headers"
    case authres
    case receivedSPF = "received-spf-first"
    case rspamdHTTP = "rspamd-http"
    case spamd
    case clamd

    /// Whether it stands in the message; else it is asked.
    package var isHeader: Bool { ![.rspamdHTTP, .spamd, .clamd].contains(self) }
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
