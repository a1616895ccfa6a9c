import CLibcurl
import Glibc
import MailModel

/// One connection to the relay. Belongs to one thread.
///
/// libcurl opens it: it resolves, connects, greets, secures and logs in (CURLOPT_CONNECT_ONLY(3)), and carries the bytes. The
/// mail transactions are our own: libcurl's wait for the reply to every single command, and check every time what has not
/// changed.
///
/// The handle is freed in `deinit`; the callbacks get the `ConnectionOpening`, which this object keeps alive as long as the
/// handle.
final class SMTPConnection {
    let configuration: SMTPConfiguration
    let stopSignal: StopSignal
    /// What was said of the mail that is under way, or of the opening.
    var exchange: SMTPExchange
    /// The stop signal ended what was under way.
    private(set) var isStopped = false
    /// What was received, and how much of it was taken as lines.
    private var received: [UInt8] = []
    private var taken = 0
    /// Written over by every command and piece of a message.
    var outgoing: [UInt8] = []
    /// The relay waits for a command, so that QUIT is one.
    var isAtCommand = false
    /// The envelope of the next mail was said together with the last message.
    var isEnvelopeSaid = false
    /// The relay was quick to answer the last message.
    var isPrompt = false

    private let handle: UnsafeMutableRawPointer
    private let opening: ConnectionOpening
    private let errorText: UnsafeMutablePointer<CChar>
    private var socket = curl_socket_t(-1)
    private let openedAt = ContinuousClock.now

    /// How long what a relay does not offer is taken for what it does not offer.
    private static let memory = Duration.seconds(60)
    /// Bytes that one look at the socket takes: some replies.
    private static let receiveSize = 4096
    /// Bytes that are given to libcurl at once: TLS comes back when all of them are on their way, and a stop waits for that.
    private static let sendSize = 16_384

    /// nil when libcurl has no memory for a handle or refuses an option.
    init?(configuration: SMTPConfiguration, stopSignal: StopSignal) {
        guard let handle = curl_easy_init() else { return nil }
        self.configuration = configuration
        self.stopSignal = stopSignal
        self.handle = handle
        opening = ConnectionOpening(configuration: configuration, stopSignal: stopSignal)
        exchange = opening.exchange
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        guard setOptions() == nil else { return nil }
    }

    /// Says QUIT but does not wait for the answer, which nobody needs. With the reading half closed, TLS does not wait for
    /// one either.
    deinit {
        if socket >= 0 {
            if isAtCommand {
                var count = 0
                _ = curl_easy_send(handle, "QUIT\r\n", 6, &count)
            }
            shutdown(socket, Int32(SHUT_RD))
        }
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Goes as far as the first command of a mail. Blocks.
    /// - Returns: nil when the relay waits for mail.
    func open() -> TransferResult? {
        let code = curl_easy_perform(handle)
        exchange = opening.exchange
        isStopped = opening.isStopped
        if code == CURLE_OK, exchange.phase == .transaction,
            postrider_curl_get_socket(handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK, socket >= 0
        {
            letSocketBlock()
            isAtCommand = true
            return nil
        }
        return result(code)
    }

    /// How what is under way has ended.
    func result(_ code: CURLcode) -> TransferResult {
        let said = code == CURLE_OK ? "" : String(cString: errorText)
        return TransferResult(
            code: code, exchange: exchange, detail: said.isEmpty ? String(cString: curl_easy_strerror(code)) : said,
            isStopped: isStopped)
    }

    /// The relay does not offer what a mail needs; the connection is as it was.
    var resultForUnsupported: TransferResult {
        TransferResult(code: CURLE_OK, exchange: exchange, detail: "", isUnsupported: true)
    }

    /// What it offered too long ago to refuse a mail for: the relay may have been told to offer more since.
    var isOld: Bool { openedAt.duration(to: .now) > Self.memory }

    // MARK: Bytes

    /// A thread of its own may sleep in the system call, which saves asking first; it wakes up every second to see whether it
    /// has to stop.
    private func letSocketBlock() {
        let flags = fcntl(socket, F_GETFL)
        if flags >= 0 { _ = fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) }
        var second = timeval(tv_sec: 1, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &second, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &second, size)
    }

    /// Says all that is in `outgoing`, which is all there is to say.
    func say() -> CURLcode {
        var deadline = WriteDeadline(limit: configuration.replyTimeout)
        return say(&deadline)
    }

    /// Says all that is in `outgoing`.
    /// - Parameter deadline: of all that it is a piece of.
    func say(_ deadline: inout WriteDeadline) -> CURLcode {
        outgoing.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                if stopSignal.isSet { return stopped() }
                var count = 0
                switch curl_easy_send(handle, rest.baseAddress, min(rest.count, Self.sendSize), &count) {
                case CURLE_OK where count > 0:
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    deadline.wrote(count, at: .now)
                case CURLE_OK, CURLE_AGAIN: break
                case let code: return code
                }
                // Of little that was taken, too: it may be as little every time.
                if !rest.isEmpty, deadline.isOver(at: .now) { return CURLE_OPERATION_TIMEDOUT }
            }
            return CURLE_OK
        }
    }

    /// Waits for a whole reply, which is then in `exchange`.
    func hear(atMost limit: Duration) -> CURLcode {
        let known = exchange.replyCount
        let start = ContinuousClock.now
        var hasWaited = false
        while true {
            while let end = received[taken...].firstIndex(of: 0x0A) {
                let isWelcome = exchange.take(line: received[taken...end])
                taken = end + 1
                guard isWelcome else { return CURLE_WRITE_ERROR }
                if exchange.replyCount > known { return CURLE_OK }
            }
            // A line without end is more than any server has to say.
            if received.count - taken > ReplyReader.sizeLimit {
                _ = exchange.take(line: received[taken...])
                return CURLE_WRITE_ERROR
            }
            // Something may come all the time and never be a reply.
            if hasWaited, let failure = waited(since: start, atMost: limit) { return failure }
            switch receive() {
            case CURLE_OK, CURLE_AGAIN: hasWaited = true
            case let code: return code
            }
        }
    }

    /// Whether the relay has said more than what was heard.
    var hasMoreToHear: Bool { taken < received.count }

    /// Whether the relay has said more than was asked for: nobody knows what the next reply would answer.
    var hasMoreThanAsked: Bool { !isEnvelopeSaid && hasMoreToHear }

    /// The process stops.
    func stopped() -> CURLcode {
        isStopped = true
        return CURLE_ABORTED_BY_CALLBACK
    }

    private func receive() -> CURLcode {
        received.removeFirst(taken)
        taken = 0
        var count = 0
        let code = withUnsafeTemporaryAllocation(byteCount: Self.receiveSize, alignment: 1) { buffer in
            let code = curl_easy_recv(handle, buffer.baseAddress, buffer.count, &count)
            if code == CURLE_OK { received.append(contentsOf: buffer.prefix(count)) }
            return code
        }
        return code == CURLE_OK && count == 0 ? CURLE_GOT_NOTHING : code
    }

    /// A second has passed in vain, or less.
    private func waited(since start: ContinuousClock.Instant, atMost limit: Duration) -> CURLcode? {
        if stopSignal.isSet { return stopped() }
        return start.duration(to: .now) < limit ? nil : CURLE_OPERATION_TIMEDOUT
    }

    // MARK: Options

    private func setOptions() -> CURLcode? {
        var options = OptionSetter(handle: handle)
        options.set(CURLOPT_URL, configuration.url)
        options.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        options.set(CURLOPT_CONNECT_ONLY, 1)
        // Or ALL_PROXY in the environment would be used.
        options.set(CURLOPT_PROXY, "")
        options.set(CURLOPT_NOSIGNAL, 1)
        options.set(CURLOPT_TCP_KEEPALIVE, 1)
        options.set(CURLOPT_CONNECTTIMEOUT, configuration.connectTimeout.wholeSeconds)
        options.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, configuration.replyTimeout.wholeSeconds)
        options.set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        setSecurity(&options)
        opening.install(on: &options)
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
