import Glibc

/// Socket addresses between Swift and the kernel.
enum SocketAddress {
    /// The longest path of a UNIX-domain socket: `sun_path` has 108 bytes and ends with NUL (unix(7)).
    static let longestPath = 107

    /// The path as an address, handed to `body` with its length; nil when the path is too long.
    static func withUnix<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result? {
        let bytes = Array(path.utf8)
        guard bytes.count <= longestPath, !bytes.contains(0) else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafeBytes(of: &address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { rebound in
                rebound.baseAddress.map { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
        }
    }

    /// The host part as digits; empty when it has none (getnameinfo(3)).
    static func numericHost(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0 else { return "" }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether the address is this machine's own, as IPv4, IPv6, or IPv4 inside IPv6 (RFC 4291 section 2.5).
    static func isLoopback(_ numericHost: String) -> Bool {
        numericHost == "::1" || numericHost.hasPrefix("127.") || numericHost.hasPrefix("::ffff:127.")
    }
}
