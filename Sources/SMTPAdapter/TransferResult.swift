import CLibcurl
import MailModel

/// How one attempt ended, and what that means for the message.
struct TransferResult {
    var code: CURLcode
    var exchange: SMTPExchange
    /// libcurl's own words about the failure; may be empty.
    var detail: String
    /// It was ended because the process stops.
    var isStopped = false
    /// The relay does not offer what the mail needs, and was told nothing of it.
    var isUnsupported = false

    /// The relay has the message, and has said so.
    var isAcceptance: Bool {
        code == CURLE_OK && exchange.phase == .decided && exchange.isContentOpen
            && exchange.lastCode.map { $0 / 100 } == 2
    }

    /// The relay had closed the idle connection before it saw the message: no failure, a second try on a new
    /// connection is due at once. Either nothing was heard at all, or only the 421 with which servers announce it
    /// (RFC 5321 section 3.8).
    var isStaleConnection: Bool {
        guard code != CURLE_OK, !isStopped, !exchange.isFresh, !exchange.isContentOpen else { return false }
        return exchange.reply == nil || exchange.reply?.code == 421
    }

    /// The reply decides when there is one to the command that mattered; only then what the network did.
    func outcome(relay: String) -> DeliveryOutcome {
        if isUnsupported { return .unsupported(reason: Self.noSMTPUTF8(relay)) }
        if exchange.isContentOpen { return contentOutcome(relay: relay) }
        if let reason = sessionTrouble(relay: relay) { return .unreachable(reason: reason) }
        if let reply = exchange.reply, isRefusal {
            if reply.isPermanent { return .rejected(reply: reply) }
            if reply.isTemporary { return .deferred(reply: reply) }
        }
        return .unreachable(reason: "\(relay): \(networkTrouble)")
    }

    /// With the code that servers have for it (RFC 6531 section 3.5).
    private static func noSMTPUTF8(_ relay: String) -> String {
        "5.6.7 \(relay) does not offer SMTPUTF8 (RFC 6531), and the mail has an address outside ASCII: "
            + "switch it on there (Postfix: smtputf8_enable = yes), or add a relay that offers it."
    }

    /// After 354 only the reply to the final dot says whether the relay has the message. libcurl calls everything but
    /// 250 an error there; any 2xx is acceptance (RFC 5321 section 4.2.1).
    private func contentOutcome(relay: String) -> DeliveryOutcome {
        guard exchange.phase == .decided, let reply = exchange.reply else {
            return .unknown(reason: "\(relay): the connection broke after the message was begun: \(networkTrouble)")
        }
        switch reply.code {
        case 200..<300: return .delivered(reply: reply, queueID: reply.queueID)
        case 400..<500:
            var reply = reply
            reply.isToContent = true
            return .deferred(reply: reply)
        case 500..<600: return .rejected(reply: reply)
        default: return .unknown(reason: "\(relay): the message was answered with \(reply.code), which decides nothing")
        }
    }

    /// Whether the last reply was the end of it. A time limit or a lost connection after, say, a refused EHLO is not
    /// that refusal.
    private var isRefusal: Bool {
        if exchange.phase == .decided { return true }
        return code == CURLE_REMOTE_ACCESS_DENIED
    }

    /// Trouble between us and the relay that has nothing to do with this message, with what mends it.
    private func sessionTrouble(relay: String) -> String? {
        switch exchange.objection {
        case .loginNotOffered:
            return "\(relay) offers no AUTH, and a login is configured: "
                + "remove the login, or switch authentication on at the relay (some offer it only after STARTTLS)."
        case .replyTooLong: return "\(relay) sent a reply without end; is it a mail server?"
        case nil: break
        }
        if let trouble = tlsTrouble { return "\(relay): \(trouble)" }
        let said = exchange.reply.map { " It said: \($0.code) \($0.enhancedCode ?? "") \($0.text)" } ?? ""
        if code == CURLE_LOGIN_DENIED {
            return "\(relay) refused the login: check user name and password, "
                + "and that the relay offers PLAIN or LOGIN.\(said)"
        }
        // The relay does not serve us at all. That is no judgement of this message, and giving up every mail that is due
        // because a relay is being worked on would lose them all.
        if let reply = exchange.reply, reply.isPermanent,
            exchange.isSessionRefused || code == CURLE_REMOTE_ACCESS_DENIED
        {
            return "\(relay) refuses the session: check that it serves this host.\(said)"
        }
        // 530 is a demand to log in or to use TLS first (RFC 4954 section 6, RFC 3207 section 4), about us and not
        // about the message.
        if exchange.phase == .decided, exchange.reply?.code == 530 {
            return "\(relay) wants a login or TLS: set credentials, or require TLS.\(said)"
        }
        return nil
    }

    private var tlsTrouble: String? {
        switch code {
        case CURLE_USE_SSL_FAILED:
            "TLS is required and the relay did not start it: switch STARTTLS on there, or do not require TLS."
        case CURLE_PEER_FAILED_VERIFICATION:
            "the relay's certificate does not verify (\(detail)): name its authority's file, "
                + "use the host name the certificate bears, or switch verification off."
        case CURLE_SSL_CACERT_BADFILE:
            "the file with the certificate authorities cannot be used (\(detail)): check its path and that it is PEM."
        case CURLE_SSL_CONNECT_ERROR:
            "TLS could not be started (\(detail)): check the port and whether it wants STARTTLS or TLS at once."
        case CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            "TLS failed (\(detail)): check the relay's TLS settings."
        default: nil
        }
    }

    private var networkTrouble: String {
        if isStopped { return "the delivery was stopped" }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return "the host name does not resolve (\(detail))"
        case CURLE_COULDNT_CONNECT: return "no connection (\(detail))"
        case CURLE_OPERATION_TIMEDOUT: return "no answer in time (\(detail))"
        default:
            let said = exchange.reply.map { ", last reply \($0.code)" } ?? ""
            return "the connection failed (\(detail), curl \(code.rawValue)\(said))"
        }
    }
}
