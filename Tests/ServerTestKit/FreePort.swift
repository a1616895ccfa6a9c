import Glibc
import Synchronization

/// A TCP port of 127.0.0.1 that nobody listens on and that this process has not handed out before.
///
/// For programs that cannot bind port 0 and tell the result. Ports come from below the range the kernel takes source
/// ports from (32768 and up by default, `ip_local_port_range`), so an outgoing connection never steals one between
/// this call and the server's start. Another process still can: servers retry with another port.
///
/// - Throws: ``FixtureError`` `unavailable` when no free port turns up.
package func freePort() throws -> UInt16 {
    for _ in 0..<500 {
        let port = UInt16.random(in: 20_000...32_000)
        guard handedOut.withLock({ $0.insert(port).inserted }) else { continue }
        if isFree(port) { return port }
    }
    throw FixtureError(.unavailable, "no free port between 20000 and 32000")
}

private let handedOut = Mutex<Set<UInt16>>([])

private func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    // As servers do: connections in TIME_WAIT must not make a port look taken.
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    return InternetAddress.with("127.0.0.1", port: port) { bind(descriptor, $0, $1) } == 0
}

/// Builds a `sockaddr_in` for the C calls that want one.
enum InternetAddress {
    /// Calls `body` with the address; `address` is dotted decimal, anything else reads as 255.255.255.255.
    static func with<Result>(
        _ address: String, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        value.sin_addr.s_addr = inet_addr(address)
        return withUnsafePointer(to: &value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
