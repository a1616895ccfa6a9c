import Glibc

@testable import MilterAdapter

/// What happens to a server from outside.
enum MilterStop {
    /// Ends the listening on that path, as nobody should. False when nobody listens on it.
    static func behindTheServersBack(_ path: String) -> Bool {
        for descriptor in Int32(3)..<1024 {
            var listens: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0 else {
                continue
            }
            var address = sockaddr_un()
            size = socklen_t(MemoryLayout<sockaddr_un>.size)
            let isNamed = withUnsafeMutableBytes(of: &address) { raw in
                raw.withMemoryRebound(to: sockaddr.self) { getsockname(descriptor, $0.baseAddress, &size) == 0 }
            }
            let name = withUnsafeBytes(of: &address.sun_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard isNamed, address.sun_family == sa_family_t(AF_UNIX), name == path else { continue }
            return shutdown(descriptor, Int32(SHUT_RDWR)) == 0
        }
        return false
    }

    /// Leaves this process without a descriptor for another file, until these are closed.
    static func takeAllDescriptors() -> [Int32] {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 256)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var taken: [Int32] = []
        while case let descriptor = dup(0), descriptor >= 0 { taken.append(descriptor) }
        return taken
    }

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
