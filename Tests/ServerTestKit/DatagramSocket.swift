import Glibc

/// A UDP socket on a free port of 127.0.0.1, for servers of a test's own.
package final class DatagramSocket: Sendable {
    package let port: UInt16
    package let descriptor: Int32

    /// - Throws: ``FixtureError`` `unavailable`.
    package init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = InternetAddress.with("127.0.0.1", port: 0) { bind(descriptor, $0, $1) } == 0
        let isKnown = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
        }
        guard isBound, isKnown else {
            close(descriptor)
            throw FixtureError(.unavailable, "no UDP port")
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Not before the last who reads from it has let go: as soon as it is closed, its number is another's.
    deinit { close(descriptor) }

    /// Whether something has come that nobody has read.
    package var hasMail: Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) == 1
    }

    /// Ends it, and a thread's read of it. Twice is harmless.
    package func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }
}
