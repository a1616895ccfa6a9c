import CLibcurl
import Glibc

/// What libcurl's callbacks work on while a connection is opened. They all run on the thread inside `curl_easy_perform`, so
/// nothing here is locked.
final class ConnectionOpening {
    private(set) var exchange: SMTPExchange
    /// The stop signal ended it.
    private(set) var isStopped = false

    private let stopSignal: StopSignal

    init(configuration: SMTPConfiguration, stopSignal: StopSignal) {
        self.stopSignal = stopSignal
        exchange = SMTPExchange(tls: configuration.tls, needsLogin: configuration.credentials != nil)
    }

    /// Makes this object the context of the handle's callbacks: borrowed, the owner of the handle keeps it.
    func install(on options: inout OptionSetter) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_HEADERDATA, context)
        options.set(CURLOPT_HEADERFUNCTION, headerCallback)
        options.set(CURLOPT_WRITEFUNCTION, discardCallback)
        options.set(CURLOPT_SOCKOPTDATA, context)
        options.set(CURLOPT_SOCKOPTFUNCTION, socketCallback)
        options.set(CURLOPT_XFERINFODATA, context)
        options.set(CURLOPT_XFERINFOFUNCTION, progressCallback)
        options.set(CURLOPT_NOPROGRESS, 0)
    }

    fileprivate func take(line: UnsafeBufferPointer<UInt8>) -> Bool { exchange.take(line: line) }

    fileprivate func connectionOpened() { exchange.connectionOpened() }

    /// Whether libcurl may go on.
    fileprivate func continues() -> Bool {
        if stopSignal.isSet { isStopped = true }
        return !isStopped
    }
}

// The callbacks cannot throw and do not trap: each borrows its object and calls one method of it. libcurl takes another
// count than the one it gave as the order to fail.

private func opening(_ context: UnsafeMutableRawPointer?) -> ConnectionOpening? {
    context.map { Unmanaged<ConnectionOpening>.fromOpaque($0).takeUnretainedValue() }
}

/// CURLOPT_HEADERFUNCTION(3): one reply line for each call.
private let headerCallback: postrider_curl_io = { line, size, count, context in
    guard let line, let opening = opening(context) else { return 0 }
    let length = size * count
    let isWelcome = line.withMemoryRebound(to: UInt8.self, capacity: length) {
        opening.take(line: UnsafeBufferPointer(start: $0, count: length))
    }
    return isWelcome ? length : 0
}

/// CURLOPT_WRITEFUNCTION(3): SMTP has no body to give; the default would print one.
private let discardCallback: postrider_curl_io = { _, size, count, _ in size * count }

/// CURLOPT_SOCKOPTFUNCTION(3): called for every socket before it connects. libcurl leaves its sockets open to programs
/// that this process may start, and the relay would wait for those to end, too.
private let socketCallback: curl_sockopt_callback = { context, socket, _ in
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    opening(context)?.connectionOpened()
    return CURL_SOCKOPT_OK
}

/// CURLOPT_XFERINFOFUNCTION(3): called when something moves and at least about once a second.
private let progressCallback: postrider_curl_progress = { context, _, _, _, _ in
    guard let opening = opening(context) else { return 1 }
    return opening.continues() ? 0 : 1
}
