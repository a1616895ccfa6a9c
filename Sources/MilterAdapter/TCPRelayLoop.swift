import Glibc

/// The thread of the TCP entrance: accepts, carries, closes. Owns its relays; nobody else touches them.
struct TCPRelayLoop {
    /// More connections wait in the listen queue.
    private static let connectionLimit = 4096
    /// How long to leave the listener alone when there was no descriptor for another connection.
    private static let pause: Int32 = 100

    private let listener: Int32
    private let wake: Int32
    private let unixSocketPath: String
    private let report: (Int) -> Void
    private var relays: [TCPRelay] = []
    private var isPaused = false

    /// - Parameter report: is told the number of connections whenever it changes.
    init(listener: Int32, wake: Int32, unixSocketPath: String, report: @escaping (Int) -> Void) {
        self.listener = listener
        self.wake = wake
        self.unixSocketPath = unixSocketPath
        self.report = report
    }

    /// Returns when `wake` becomes readable.
    mutating func run() {
        while true {
            let isAccepting = !isPaused && relays.count < Self.connectionLimit
            var entries = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isAccepting ? listener : -1, events: Int16(POLLIN), revents: 0),
            ]
            for relay in relays { entries += relay.interest }
            let ready = poll(&entries, nfds_t(entries.count), isPaused ? Self.pause : -1)
            isPaused = false
            // EINTR and, for a moment, ENOMEM (poll(2)): nothing was reported, ask again.
            guard ready >= 0 else { continue }
            if entries[0].revents != 0 { break }
            serve(entries)
            if entries[1].revents != 0 { accept() }
        }
        relays.forEach { $0.shut() }
        relays = []
        report(0)
    }

    private mutating func serve(_ entries: [pollfd]) {
        for (index, relay) in relays.enumerated() {
            let (client, server) = (entries[2 + 2 * index], entries[3 + 2 * index])
            if client.revents != 0 || server.revents != 0 {
                relay.carry(client: client.revents, server: server.revents)
            }
        }
        let count = relays.count
        relays.removeAll(where: \.isShut)
        if relays.count != count { report(relays.count) }
    }

    private mutating func accept() {
        while relays.count < Self.connectionLimit {
            let client = Descriptor.accept(from: listener)
            if client < 0 {
                // Without a free descriptor (EMFILE, ENFILE) the listener would stay readable and we would spin.
                if errno == EINTR || errno == ECONNABORTED { continue }
                isPaused = errno != EAGAIN
                break
            }
            guard let server = connectToMilter() else {
                close(client)
                isPaused = true
                break
            }
            TCPRelay.setOption(TCP_NODELAY, on: client)
            TCPRelay.setOption(TCP_QUICKACK, on: client)
            relays.append(TCPRelay(client: client, server: server))
        }
        report(relays.count)
    }

    /// A connection to libmilter. Blocks only while libmilter's listen queue is full (unix(7)), which its listener
    /// thread empties whatever its workers do.
    private func connectToMilter() -> Int32? {
        let descriptor = Descriptor.socket(family: AF_UNIX, isBlocking: true)
        guard descriptor >= 0 else { return nil }
        let isConnected = SocketAddress.withUnix(unixSocketPath) { connect(descriptor, $0, $1) == 0 } ?? false
        guard isConnected else {
            close(descriptor)
            return nil
        }
        Descriptor.setNonBlocking(descriptor)
        return descriptor
    }
}
