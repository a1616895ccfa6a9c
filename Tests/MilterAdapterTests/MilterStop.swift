import CLibmilter
import Glibc

@testable import MilterAdapter

/// What happens to a server from outside.
enum MilterStop {
    /// On a thread of its own: smfi_stop waits while the listener polls, until a connection wakes it.
    static func behindTheServersBack() throws { _ = try MilterThread(name: "stop") { smfi_stop() } }

    /// A socket nobody listens on, as a process that ran as root leaves it behind.
    static func leaveStaleSocket(_ path: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        _ = withUnsafeBytes(of: &address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, socklen_t(raw.count)) }
        }
        close(descriptor)
    }
}
