import Glibc
import Synchronization

/// The socket on which a service manager hears how a service fares, as systemd has one (sd_notify(3)).
package final class NotifySocket: Sendable {
    /// What `NOTIFY_SOCKET` says to the service.
    package let path: String
    private let descriptor: Int32
    private let heard = Mutex<[String]>([])
    /// A message of ours, which ``messages`` leaves out.
    private static let filler = "X_FILLER=1"

    /// - Parameter path: where no file is yet.
    /// - Throws: ``FixtureError`` `unavailable`.
    package init(at path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, Self.with(path, { bind(descriptor, $0, $1) }) == 0 else {
            let code = errno
            if descriptor >= 0 { close(descriptor) }
            throw FixtureError(.unavailable, "no socket at \(path): errno \(code)")
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// What was heard so far, the oldest first. A service that says much waits until somebody asks for it: the kernel holds
    /// but a few messages that nobody has read (unix(7), max_dgram_qlen).
    package var messages: [String] {
        heard.withLock { heard in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                guard count >= 0 else { return heard }
                let text = String(decoding: buffer[..<count], as: UTF8.self)
                if text != Self.filler { heard.append(text) }
            }
        }
    }

    /// Leaves no room, so that whoever says something next waits until ``messages`` is asked for.
    ///
    /// - Throws: ``FixtureError`` `unavailable`.
    package func fill() throws {
        while true {
            // A sender has room for some hundred messages, so each has its own: what is full then is ours.
            let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard sender >= 0 else { throw FixtureError(.unavailable, "no socket: errno \(errno)") }
            let bytes = Array(Self.filler.utf8)
            let count = Self.with(path) { sendto(sender, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, $1) }
            let code = errno
            close(sender)
            if count == bytes.count { continue }
            guard code == EAGAIN else { throw FixtureError(.unavailable, "cannot write to \(path): errno \(code)") }
            return
        }
    }

    private static func with<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
