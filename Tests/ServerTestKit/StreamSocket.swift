import Glibc
import Synchronization

/// A plain TCP connection with a deadline on every call. All calls block: use them through ``offPool(_:)``.
final class StreamSocket: Sendable {
    private struct State {
        var descriptor: Int32
        var unread: [UInt8] = []
        var ended = false
    }

    private let state: Mutex<State>

    /// Connects to `address:port`.
    ///
    /// - Parameter source: the address the peer sees us come from; all of 127.0.0.0/8 is ours on Linux.
    /// - Throws: ``FixtureError`` `connection`, `timedOut`.
    init(connectTo address: String, port: UInt16, from source: String? = nil, timeout: Duration) throws {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure("socket") }
        do {
            if let source, InternetAddress.with(source, port: 0, { bind(descriptor, $0, $1) }) != 0 {
                throw Self.failure("bind to \(source)")
            }
            let result = InternetAddress.with(address, port: port) { connect(descriptor, $0, $1) }
            if result != 0 {
                guard errno == EINPROGRESS else { throw Self.failure("connect to \(address):\(port)") }
                try Self.wait(descriptor, for: Int16(POLLOUT), until: .now + timeout)
                var problem: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
                errno = problem
                if problem != 0 { throw Self.failure("connect to \(address):\(port)") }
            }
        } catch {
            close(descriptor)
            throw error
        }
        // Without it a small write waits for the acknowledgement of the one before (40 ms on loopback).
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        state = Mutex(State(descriptor: descriptor))
    }

    deinit { hangUp() }

    /// Closes the connection. Twice is harmless.
    ///
    /// - Parameter abruptly: send a reset (RST), as a peer does whose machine died, rather than an orderly end.
    func hangUp(abruptly: Bool = false) {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            if abruptly {
                var now = linger(l_onoff: 1, l_linger: 0)
                setsockopt(state.descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            }
            close(state.descriptor)
            state.descriptor = -1
        }
    }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8], timeout: Duration) throws {
        let end = ContinuousClock.now + timeout
        try state.withLock { state in
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    Glibc.send(
                        state.descriptor, buffer.baseAddress?.advanced(by: sent), bytes.count - sent,
                        Int32(MSG_NOSIGNAL))
                }
                if count > 0 {
                    sent += count
                } else if errno == EAGAIN {
                    try Self.wait(state.descriptor, for: Int16(POLLOUT), until: end)
                } else if errno != EINTR {
                    throw Self.failure("send")
                }
            }
        }
    }

    /// Reads up to and including the next line feed; the line end is not part of the result. Nil at the end.
    func line(timeout: Duration) throws -> String? {
        let end = ContinuousClock.now + timeout
        return try state.withLock { state in
            var searched = 0
            while true {
                if let feed = state.unread[searched...].firstIndex(of: 0x0a) {
                    var line = state.unread[..<feed]
                    if line.last == 0x0d { line.removeLast() }
                    let text = String(decoding: line, as: UTF8.self)
                    state.unread.removeFirst(feed + 1)
                    return text
                }
                searched = state.unread.count
                guard try Self.fill(&state, until: end) else { return nil }
            }
        }
    }

    /// Reads exactly `count` bytes.
    ///
    /// - Throws: ``FixtureError`` `connection` when the peer closes before.
    func bytes(_ count: Int, timeout: Duration) throws -> [UInt8] {
        let end = ContinuousClock.now + timeout
        return try state.withLock { state in
            while state.unread.count < count {
                guard try Self.fill(&state, until: end) else {
                    throw FixtureError(.connection, "closed by the peer after \(state.unread.count) of \(count) bytes")
                }
            }
            let result = Array(state.unread.prefix(count))
            state.unread.removeFirst(count)
            return result
        }
    }

    /// Reads until the peer closes.
    func rest(timeout: Duration) throws -> [UInt8] {
        let end = ContinuousClock.now + timeout
        return try state.withLock { state in
            while try Self.fill(&state, until: end) {}
            defer { state.unread = [] }
            return state.unread
        }
    }

    /// Reads some more; false when the peer has closed.
    private static func fill(_ state: inout State, until end: ContinuousClock.Instant) throws -> Bool {
        if state.ended { return false }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(state.descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                state.unread += buffer[..<count]
                return true
            }
            if count == 0 {
                state.ended = true
                return false
            }
            if errno == EAGAIN {
                try wait(state.descriptor, for: Int16(POLLIN), until: end)
            } else if errno != EINTR {
                throw failure("receive")
            }
        }
    }

    private static func wait(_ descriptor: Int32, for events: Int16, until end: ContinuousClock.Instant) throws {
        while true {
            let left = (end - .now) / Duration.milliseconds(1)
            guard left > 0 else { throw FixtureError(.timedOut, "the peer is silent") }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let count = poll(&entry, 1, Int32(min(left.rounded(.up), 60_000)))
            if count > 0 { return }
            if count < 0 && errno != EINTR { throw failure("poll") }
        }
    }

    private static func failure(_ what: String) -> FixtureError {
        FixtureError(.connection, "\(what): \(String(cString: strerror(errno)))")
    }
}
