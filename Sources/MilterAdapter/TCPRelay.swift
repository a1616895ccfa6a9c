import Glibc

/// One TCP connection and its twin on the UNIX-domain socket, with the bytes that are between them.
final class TCPRelay {
    /// Bytes on their way in one direction. A full buffer stops the reading, nothing is dropped.
    private struct Lane {
        static let capacity = 65_536
        private var bytes = [UInt8](repeating: 0, count: capacity)
        private var start = 0
        private var end = 0
        /// The reader's peer has said everything.
        var isSourceDone = false
        /// And the writer's peer has been told so.
        var isSinkTold = false

        var isEmpty: Bool { start == end }
        var hasRoom: Bool { end < Self.capacity }
        var wantsReading: Bool { !isSourceDone && hasRoom }

        /// Reads once; false when the connection is broken.
        mutating func fill(from descriptor: Int32) -> Bool {
            let (from, room) = (end, Self.capacity - end)
            let count = bytes.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { recv(descriptor, $0 + from, room, 0) } ?? 0
            }
            if count > 0 {
                end += count
            } else if count == 0 {
                isSourceDone = true
            } else {
                return errno == EAGAIN || errno == EINTR
            }
            return true
        }

        /// Writes what the kernel takes; false when the connection is broken.
        mutating func drain(into descriptor: Int32) -> Bool {
            while start < end {
                let (from, size) = (start, end - start)
                let count = bytes.withUnsafeBytes { buffer in
                    buffer.baseAddress.map { send(descriptor, $0 + from, size, Int32(MSG_NOSIGNAL)) } ?? 0
                }
                guard count >= 0 else { return errno == EAGAIN || errno == EINTR }
                start += count
            }
            (start, end) = (0, 0)
            return true
        }
    }

    private let client: Int32
    private let server: Int32
    private var up = Lane()
    private var down = Lane()
    private(set) var isShut = false

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    deinit { shut() }

    /// What to wait for on either side. A side we want nothing of is left out: poll(2) reports a hang-up even when no
    /// event was asked for, and we would spin on it.
    var interest: [pollfd] {
        [
            Self.entry(client, reads: up.wantsReading, writes: !down.isEmpty),
            Self.entry(server, reads: down.wantsReading, writes: !up.isEmpty),
        ]
    }

    private static func entry(_ descriptor: Int32, reads: Bool, writes: Bool) -> pollfd {
        let events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0)
        return pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
    }

    /// Moves what can be moved. What was just read is offered to the other side at once, without another poll.
    func carry(client clientEvents: Int16, server serverEvents: Int16) {
        let readable = Int16(POLLIN | POLLHUP | POLLERR)
        var isSound = true
        if clientEvents & readable != 0, up.wantsReading {
            isSound = up.fill(from: client)
            // The kernel forgets this with the next reply it delays (tcp(7)): said again after each read.
            Self.setOption(TCP_QUICKACK, on: client)
        }
        if isSound, serverEvents & readable != 0, down.wantsReading { isSound = down.fill(from: server) }
        isSound = isSound && up.drain(into: server) && down.drain(into: client)
        if isSound { passOnEnds() } else { shut() }
    }

    /// A client that is done speaking may still be listened to; libmilter is done when it says so (it never closes one
    /// direction only).
    private func passOnEnds() {
        if down.isSourceDone, down.isEmpty { return shut() }
        if up.isSourceDone, up.isEmpty, !up.isSinkTold {
            up.isSinkTold = true
            shutdown(server, Int32(SHUT_WR))
        }
    }

    /// Closes both sides. Harmless when done before.
    func shut() {
        guard !isShut else { return }
        isShut = true
        close(client)
        close(server)
    }

    static func setOption(_ option: Int32, on descriptor: Int32) {
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), option, &yes, socklen_t(MemoryLayout<Int32>.size))
    }
}
