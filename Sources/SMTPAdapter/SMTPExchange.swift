import MailModel

/// What was heard of one mail so far, or while its connection was opened, and what may still be said.
///
/// libcurl reports every reply line to its header callback but not which command it answers; the order is fixed
/// (lib/smtp.c, and our own after that), so the phase follows from the replies:
///
/// | phase | reply | next phase |
/// |---|---|---|
/// | greeting | 2xx | hello |
/// | greeting | other | decided |
/// | hello | 2xx, STARTTLS offered and wanted | startTLS |
/// | hello | 2xx otherwise, login configured | login, or an objection when AUTH is not offered |
/// | hello | 2xx otherwise | transaction |
/// | hello | other | hello (libcurl tries HELO) |
/// | startTLS | 220 | hello (RFC 3207 section 4.2: everything is said again) |
/// | startTLS | other | as after hello without STARTTLS |
/// | login | 235 | transaction |
/// | transaction | 354 | content |
/// | transaction | 4xx, 5xx | decided |
/// | content | any | decided |
///
/// It starts in `transaction`, for a connection that is there; a socket that is opened sets it back to `greeting`.
struct SMTPExchange {
    enum Phase: Hashable {
        case greeting, hello, startTLS, login, transaction, content, decided
    }

    /// Why we, not the relay, ended it.
    enum Objection: Hashable {
        /// A login is configured and the relay offers none: libcurl would send the mail without (no error of its own).
        case loginNotOffered
        case replyTooLong
    }

    let tls: SMTPConfiguration.TLS
    let needsLogin: Bool

    private(set) var phase = Phase.transaction
    /// A new connection was opened for it.
    private(set) var isFresh = false
    /// The relay refused the whole session with its greeting.
    private(set) var isSessionRefused = false
    /// The relay said 354: from here on it may have the message, whatever we hear or do not hear.
    private(set) var isContentOpen = false
    /// The last complete reply but for that to QUIT.
    private(set) var reply: Reply?
    private(set) var objection: Objection?
    /// Complete replies, and the code of the last whatever it answered.
    private(set) var replyCount = 0
    private(set) var lastCode: Int?
    private(set) var extensions = SMTPExtensions()

    private var reader = ReplyReader()
    /// Replies to the commands of the transaction, which come in the order of these.
    private var answers = 0
    private var isSecured = false
    private var offersLogin = false

    init(tls: SMTPConfiguration.TLS, needsLogin: Bool) {
        self.tls = tls
        self.needsLogin = needsLogin
    }

    /// The next mail over the same connection.
    var next: SMTPExchange {
        var exchange = SMTPExchange(tls: tls, needsLogin: needsLogin)
        exchange.extensions = extensions
        return exchange
    }

    /// A socket was opened: what follows starts with the greeting.
    mutating func connectionOpened() {
        isFresh = true
        phase = .greeting
        isSecured = tls == .implicit
    }

    /// Nothing was sent after 354, or after what looked like it.
    mutating func messageNotBegun() {
        isContentOpen = false
        if phase == .content { phase = .transaction }
    }

    /// Takes one reply line. False when nothing more must be said to this relay.
    mutating func take(line: some BidirectionalCollection<UInt8>) -> Bool {
        switch reader.take(line) {
        case .needsMore: break
        case .tooLong: objection = .replyTooLong
        case .complete(let reply, let lines): take(reply, lines: lines)
        }
        return objection == nil
    }

    private mutating func take(_ reply: Reply, lines: [String]) {
        replyCount += 1
        lastCode = reply.code
        // 221 only ever answers QUIT, which libcurl sends after a failure, before it reports that failure.
        guard phase != .decided, reply.code != 221 else { return }
        var reply = reply
        if reply.code >= 400 { reply.stage = stage }
        self.reply = reply
        let isPositive = (200..<300).contains(reply.code)
        switch phase {
        case .greeting:
            phase = isPositive ? .hello : .decided
            isSessionRefused = !isPositive
        case .hello: if isPositive { welcomed(lines: lines) }
        case .startTLS:
            isSecured = reply.code == 220
            if isSecured { phase = .hello } else { sessionReady() }
        case .login: if reply.code == 235 { phase = .transaction }
        case .transaction:
            answers += 1
            isContentOpen = reply.code == 354
            if isContentOpen { phase = .content } else if reply.code >= 400 { phase = .decided }
        case .content, .decided: phase = .decided
        }
    }

    /// What the next reply answers; nil where it is none of what reports of mail know.
    private var stage: BounceClassifier.Stage? {
        switch phase {
        case .greeting: .connection
        case .hello: .helo
        case .transaction: answers == 0 ? .mailFrom : answers == 1 ? .recipient : .data
        case .content: .data
        case .startTLS, .login, .decided: nil
        }
    }

    /// EHLO or HELO was answered. The comparisons are libcurl's own, to the letter: what it does not recognise it does
    /// not use.
    private mutating func welcomed(lines: [String]) {
        extensions = SMTPExtensions(lines: lines)
        offersLogin = lines.contains { $0.hasPrefix("AUTH ") }
        let wantsTLS = tls == .required || tls == .opportunistic
        if wantsTLS, !isSecured, lines.contains(where: { $0.hasPrefix("STARTTLS") }) {
            phase = .startTLS
        } else {
            sessionReady()
        }
    }

    private mutating func sessionReady() {
        guard needsLogin else {
            phase = .transaction
            return
        }
        // Without STARTTLS libcurl ends the session itself, and with the better reason.
        if tls == .required, !isSecured { return }
        if offersLogin { phase = .login } else { objection = .loginNotOffered }
    }
}
