import CLibcurl
import Glibc
import Logging
import MailModel

/// One libcurl easy handle and the connection it keeps open between messages. Belongs to one thread.
///
/// The handle is freed in `deinit`; the callbacks get the `Transfer`, which this object keeps alive as long as the
/// handle.
final class SMTPConnection {
    private let configuration: SMTPConfiguration
    private let logger: Logger
    private let handle: UnsafeMutableRawPointer
    private let transfer: Transfer
    private let errorText: UnsafeMutablePointer<CChar>

    /// nil when libcurl has no memory for a handle or refuses an option.
    init?(configuration: SMTPConfiguration, stopSignal: StopSignal, logger: Logger) {
        guard let handle = curl_easy_init() else { return nil }
        self.configuration = configuration
        self.logger = logger
        self.handle = handle
        transfer = Transfer(configuration: configuration, stopSignal: stopSignal)
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        let failure = setSessionOptions()
        if let failure {
            logger.error("smtp: libcurl refuses an option", metadata: ["curl": "\(failure.rawValue)"])
            return nil
        }
    }

    /// Says QUIT but does not wait for the answer: libcurl would, for up to two minutes, and nobody needs it. With
    /// the reading half closed it sees the end at once.
    deinit {
        var socket = curl_socket_t(-1)
        if postrider_curl_get_socket(handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK, socket >= 0 {
            shutdown(socket, Int32(SHUT_RD))
        }
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// One attempt, with a second try on a new connection when the relay had closed the kept one. Blocks.
    func deliver(_ mail: OutgoingMail) -> DeliveryOutcome {
        var result = perform(mail, onFreshConnection: false)
        if result.isStaleConnection {
            logger.debug("smtp: idle connection was closed by the relay")
            result = perform(mail, onFreshConnection: true)
        }
        return result.outcome(relay: configuration.relayName)
    }

    /// Goes as far as a mail would need, and sends none. Blocks; the connection is of no further use.
    /// - Returns: what is wrong; nil when the relay waits for mail.
    func probe() -> String? {
        transfer.begin(sending: UnsafeRawBufferPointer(start: nil, count: 0))
        errorText.pointee = 0
        var options = OptionSetter(handle: handle)
        options.set(CURLOPT_CONNECT_ONLY, 1)
        let code = options.failure ?? curl_easy_perform(handle)
        transfer.end()
        if code == CURLE_OK, transfer.exchange.phase == .transaction { return nil }
        let said = String(cString: errorText)
        let result = TransferResult(
            code: code, exchange: transfer.exchange,
            detail: said.isEmpty ? String(cString: curl_easy_strerror(code)) : said)
        switch result.outcome(relay: configuration.relayName) {
        case .unreachable(let reason), .unknown(let reason), .refused(let reason): return reason
        case .rejected(let reply), .deferred(let reply), .delivered(let reply, _):
            return "\(configuration.relayName) said \(reply.code) \(reply.text)"
        }
    }

    private func perform(_ mail: OutgoingMail, onFreshConnection isFresh: Bool) -> TransferResult {
        mail.bytes.withUnsafeBytes { bytes in
            transfer.begin(sending: bytes, mayDepart: mail.mayDepart)
            errorText.pointee = 0
            let recipients = curl_slist_append(nil, mail.recipient)
            let code =
                if let recipients {
                    performPrepared(mail, recipients: recipients, onFreshConnection: isFresh)
                } else {
                    CURLE_OUT_OF_MEMORY
                }
            curl_slist_free_all(recipients)
            transfer.end()
            let said = String(cString: errorText)
            let detail = said.isEmpty ? String(cString: curl_easy_strerror(code)) : said
            return TransferResult(
                code: code, exchange: transfer.exchange, detail: detail, isStopped: transfer.isStopped)
        }
    }

    private func performPrepared(
        _ mail: OutgoingMail, recipients: UnsafeMutablePointer<curl_slist>, onFreshConnection isFresh: Bool
    ) -> CURLcode {
        var options = OptionSetter(handle: handle)
        options.set(CURLOPT_MAIL_FROM, mail.reversePath)
        options.set(CURLOPT_MAIL_RCPT, recipients)
        options.set(CURLOPT_INFILESIZE_LARGE, offset: mail.bytes.count)
        options.set(CURLOPT_FRESH_CONNECT, isFresh ? 1 : 0)
        // Last, because other options switch it off; without it libcurl says VRFY instead of DATA.
        options.set(CURLOPT_UPLOAD, 1)
        if let failure = options.failure { return failure }
        let code = curl_easy_perform(handle)
        // libcurl keeps the pointer, not a copy.
        options.set(CURLOPT_MAIL_RCPT, nil)
        return code
    }

    private func setSessionOptions() -> CURLcode? {
        var options = OptionSetter(handle: handle)
        options.set(CURLOPT_URL, configuration.url)
        options.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // Or ALL_PROXY in the environment would be used.
        options.set(CURLOPT_PROXY, "")
        options.set(CURLOPT_NOSIGNAL, 1)
        options.set(CURLOPT_TCP_KEEPALIVE, 1)
        options.set(CURLOPT_CONNECTTIMEOUT, configuration.connectTimeout.wholeSeconds)
        options.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, configuration.replyTimeout.wholeSeconds)
        options.set(CURLOPT_LOW_SPEED_LIMIT, 1)
        // One second more than for a reply: the same standstill must not have two limits racing.
        options.set(CURLOPT_LOW_SPEED_TIME, configuration.replyTimeout.wholeSeconds + 1)
        options.set(CURLOPT_MAXAGE_CONN, configuration.idleTimeout.wholeSeconds)
        options.set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        setSecurity(&options)
        transfer.install(on: &options)
        return options.failure
    }

    private func setSecurity(_ options: inout OptionSetter) {
        let level =
            switch configuration.tls {
            case .none: CURLUSESSL_NONE
            case .opportunistic: CURLUSESSL_TRY
            case .required, .implicit: CURLUSESSL_ALL
            }
        options.set(CURLOPT_USE_SSL, Int(level.rawValue))
        options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        options.set(CURLOPT_SSL_VERIFYPEER, configuration.verifiesPeer ? 1 : 0)
        options.set(CURLOPT_SSL_VERIFYHOST, configuration.verifiesPeer ? 2 : 0)
        if let caFile = configuration.caFile {
            options.set(CURLOPT_CAINFO, caFile)
            // Or the system's directory of authorities would be believed beside the file.
            options.clear(CURLOPT_CAPATH)
        }
        if let credentials = configuration.credentials {
            options.set(CURLOPT_USERNAME, credentials.username)
            options.set(CURLOPT_PASSWORD, credentials.password)
            options.set(CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN")
        }
    }
}
