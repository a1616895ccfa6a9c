/// How the milter listens, how much of a message it keeps, and what it answers when it cannot decide.
///
/// Plain values, checked where they are used: the paths and addresses when the server opens, the limits per message.
package struct MilterConfiguration: Hashable, Sendable {
    /// What a message gets when its commit does not come in time, or when the intake failed.
    package enum Fallback: String, Hashable, Sendable, CaseIterable {
        /// 451: the sending server tries again, no event is lost, mail is late. Fail closed.
        case tempfail
        /// The message goes its way without an event. Fail open: mail flows, events may be lost.
        case accept
    }

    /// A second entrance over TCP, for a Postfix that cannot reach the UNIX-domain socket.
    package struct TCPEndpoint: Hashable, Sendable {
        /// A numeric address or a host name; the first address it resolves to is bound.
        package var host: String
        /// 0 lets the kernel choose; `MilterServer.tcpPort` tells which.
        package var port: Int
        /// The protocol has no login: whoever connects can inject events. Anything but loopback is refused unless set.
        package var allowsRemoteClients: Bool

        package init(host: String, port: Int, allowsRemoteClients: Bool = false) {
            self.host = host
            self.port = port
            self.allowsRemoteClients = allowsRemoteClients
        }
    }

    /// Where Postfix finds us; at most 107 bytes (`sun_path` in unix(7)). Postfix on Debian resolves the path inside
    /// `/var/spool/postfix`, because smtpd(8) and cleanup(8) run chrooted there.
    package var unixSocketPath: String
    /// Permission bits of the socket. Postfix connects as user `postfix` and needs the write bit (unix(7)).
    package var socketMode: UInt32
    /// The group the socket is given to; nil leaves it as the directory (setgid or not) made it.
    package var socketGroup: String?
    /// The second entrance; nil for none.
    package var tcp: TCPEndpoint?
    /// Length of the listen queue, for both entrances (listen(2)).
    package var backlog: Int
    /// Bytes of body kept per message; the MTA is told to skip the rest.
    package var bodyLimit: Int
    /// Header fields kept per message.
    package var headerCountLimit: Int
    /// Bytes of header kept per message, names and values together.
    package var headerBytesLimit: Int
    /// Recipients kept per message. A wanted recipient beyond it gets 452, and the client sends it in another
    /// transaction (RFC 5321 section 4.5.3.1.10); one nobody wants is not kept. From Postfix's own limit on the MTA is not
    /// made to wait for an answer to each recipient, and a message that passes the limit is put off as a whole.
    package var recipientLimit: Int
    /// Bytes of bodies, and wanted messages, that are held at once, over all and for each client address.
    package var inFlight: InFlightLimits
    /// Whether the intake may refuse a recipient on its own.
    package var refusesRecipients: Bool
    /// How long the end of a message waits for the intake before the fallback answers.
    package var commitDeadline: Duration
    /// What is answered when the intake cannot decide in time, fails, or the server is shutting down.
    package var fallback: Fallback
    /// Whether to ask the MTA for the right to put messages on hold. Without it a `quarantine` verdict becomes a
    /// tempfail: the message waits at the sender instead of passing.
    package var allowsQuarantine: Bool
    /// Seconds to wait for the MTA within one read or write. Postfix is silent from DATA on until it has the whole message, which a
    /// slow client sends for as long as it sends something every 300 s (smtpd_timeout): two hours, as libmilter has it.
    package var timeout: Int
    /// How long a graceful shutdown waits for open messages; at most 20 s count.
    package var drainDeadline: Duration

    /// Recipients that Postfix itself takes per message (postconf(5), smtpd_recipient_limit).
    static let recipientsOfPostfix = 1000

    /// Whether a recipient may be refused on its own.
    var answersRecipients: Bool { refusesRecipients || recipientLimit < Self.recipientsOfPostfix }

    package init(
        unixSocketPath: String, socketMode: UInt32 = 0o660, socketGroup: String? = nil, tcp: TCPEndpoint? = nil,
        backlog: Int = 1024, bodyLimit: Int = 10_485_760, headerCountLimit: Int = 1000,
        headerBytesLimit: Int = 1_048_576, recipientLimit: Int = 1000,
        inFlight: InFlightLimits = InFlightLimits(), refusesRecipients: Bool = false,
        commitDeadline: Duration = .seconds(2),
        fallback: Fallback = .tempfail, allowsQuarantine: Bool = false, timeout: Int = 7210,
        drainDeadline: Duration = .seconds(20)
    ) {
        self.unixSocketPath = unixSocketPath
        self.socketMode = socketMode
        self.socketGroup = socketGroup
        self.tcp = tcp
        self.backlog = backlog
        self.bodyLimit = bodyLimit
        self.headerCountLimit = headerCountLimit
        self.headerBytesLimit = headerBytesLimit
        self.recipientLimit = recipientLimit
        self.inFlight = inFlight
        self.refusesRecipients = refusesRecipients
        self.commitDeadline = commitDeadline
        self.fallback = fallback
        self.allowsQuarantine = allowsQuarantine
        self.timeout = timeout
        self.drainDeadline = drainDeadline
    }
}
