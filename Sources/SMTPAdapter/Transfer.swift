import CLibcurl
import Glibc

/// What libcurl's callbacks work on while one message is under way. They all run on the thread inside
/// `curl_easy_perform`, so nothing here is locked.
final class Transfer {
    private(set) var exchange: SMTPExchange
    /// The stop signal ended the transfer.
    private(set) var isStopped = false

    private let stopSignal: StopSignal
    private let silenceLimit: ContinuousClock.Duration
    private let clock = ContinuousClock()
    private var source = UnsafeRawBufferPointer(start: nil, count: 0)
    private var mayDepart: (@Sendable () -> Bool)?
    private var lastSign: ContinuousClock.Instant
    private var bytesSent: curl_off_t = 0

    /// How long a failed transfer may wait for the answer to QUIT, which libcurl says before it returns. Nothing
    /// depends on that answer, and a relay in trouble may never give it.
    private static let quitAllowance = Duration.seconds(2)

    init(configuration: SMTPConfiguration, stopSignal: StopSignal) {
        self.stopSignal = stopSignal
        exchange = SMTPExchange(tls: configuration.tls, needsLogin: configuration.credentials != nil)
        // Longer than libcurl's own limits, so that it only ends the wait for QUIT after one of them was reached.
        silenceLimit =
            .seconds(max(configuration.connectTimeout.wholeSeconds, configuration.replyTimeout.wholeSeconds))
            + Self.quitAllowance
        lastSign = clock.now
    }

    /// Starts the next message. The bytes must stay where they are until `end()`.
    /// - Parameter mayDepart: asked before the first of them.
    func begin(sending bytes: UnsafeRawBufferPointer, mayDepart: (@Sendable () -> Bool)? = nil) {
        self.mayDepart = mayDepart
        exchange = SMTPExchange(tls: exchange.tls, needsLogin: exchange.needsLogin)
        isStopped = false
        source = bytes
        bytesSent = 0
        lastSign = clock.now
    }

    func end() {
        source = UnsafeRawBufferPointer(start: nil, count: 0)
        mayDepart = nil
    }

    /// Makes this object the context of the handle's callbacks: borrowed, the owner of the handle keeps it.
    func install(on options: inout OptionSetter) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_HEADERDATA, context)
        options.set(CURLOPT_HEADERFUNCTION, headerCallback)
        options.set(CURLOPT_READDATA, context)
        options.set(CURLOPT_READFUNCTION, readCallback)
        options.set(CURLOPT_WRITEFUNCTION, discardCallback)
        options.set(CURLOPT_SOCKOPTDATA, context)
        options.set(CURLOPT_SOCKOPTFUNCTION, socketCallback)
        options.set(CURLOPT_XFERINFODATA, context)
        options.set(CURLOPT_XFERINFOFUNCTION, progressCallback)
        options.set(CURLOPT_NOPROGRESS, 0)
    }

    fileprivate func take(line: UnsafeBufferPointer<UInt8>) -> Bool {
        lastSign = clock.now
        return exchange.take(line: line)
    }

    fileprivate func connectionOpened() {
        lastSign = clock.now
        exchange.connectionOpened()
    }

    /// The one copy between the message and libcurl's buffer.
    /// - Returns: nil when the message must not be sent after all. Nothing of it has been sent, and without a final dot the
    ///   relay has no message.
    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        if let mayDepart {
            self.mayDepart = nil
            guard mayDepart() else { return nil }
        }
        lastSign = clock.now
        let chunk = source.prefix(buffer.count)
        buffer.copyBytes(from: chunk)
        source = UnsafeRawBufferPointer(rebasing: source.dropFirst(chunk.count))
        return chunk.count
    }

    /// Whether libcurl may go on.
    fileprivate func continues(bytesSent: curl_off_t) -> Bool {
        if bytesSent != self.bytesSent {
            self.bytesSent = bytesSent
            lastSign = clock.now
        }
        if stopSignal.isSet {
            isStopped = true
            return false
        }
        let limit = exchange.phase == .decided ? Self.quitAllowance : silenceLimit
        return lastSign.duration(to: clock.now) < limit
    }
}

// The callbacks cannot throw and do not trap: each borrows its Transfer and calls one method of it. libcurl takes
// another count than the one it gave as the order to fail.

private func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

/// CURLOPT_HEADERFUNCTION(3): one reply line for each call.
private let headerCallback: postrider_curl_io = { line, size, count, context in
    guard let line, let transfer = transfer(context) else { return 0 }
    let length = size * count
    let isWelcome = line.withMemoryRebound(to: UInt8.self, capacity: length) {
        transfer.take(line: UnsafeBufferPointer(start: $0, count: length))
    }
    return isWelcome ? length : 0
}

/// CURLOPT_READFUNCTION(3): zero bytes are the end of the message.
private let readCallback: postrider_curl_io = { buffer, size, count, context in
    guard let buffer, let transfer = transfer(context) else { return Int(CURL_READFUNC_ABORT) }
    return transfer.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        ?? Int(CURL_READFUNC_ABORT)
}

/// CURLOPT_WRITEFUNCTION(3): SMTP has no body to give; the default would print one.
private let discardCallback: postrider_curl_io = { _, size, count, _ in size * count }

/// CURLOPT_SOCKOPTFUNCTION(3): called for every socket before it connects. libcurl leaves its sockets open to programs
/// that this process may start, and the relay would wait for those to end, too.
private let socketCallback: curl_sockopt_callback = { context, socket, _ in
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    transfer(context)?.connectionOpened()
    return CURL_SOCKOPT_OK
}

/// CURLOPT_XFERINFOFUNCTION(3): called when something moves and at least about once a second.
private let progressCallback: postrider_curl_progress = { context, _, _, _, bytesSent in
    guard let transfer = transfer(context) else { return 1 }
    return transfer.continues(bytesSent: bytesSent) ? 0 : 1
}
