import Glibc

/// The second way in: a TCP port, for a Postfix that cannot reach the UNIX-domain socket.
struct MilterPort: Sendable {
    let endpoint: MilterConfiguration.TCPEndpoint
    /// Length of the listen queue (listen(2)).
    let backlog: Int

    /// Binds the first address that the host resolves to, and listens.
    /// - Returns: the descriptor, and the port that is bound, which is never 0.
    func open() throws(MilterError) -> (descriptor: Int32, port: Int) {
        var hints = addrinfo()
        hints.ai_socktype = Descriptor.stream
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &found)
        guard failure == 0, let info = found?.pointee, let address = info.ai_addr else {
            throw MilterError(
                .addressRefused,
                "The milter's TCP address \(endpoint.host):\(endpoint.port) cannot be used: "
                    + "\(String(cString: gai_strerror(failure))).")
        }
        defer { freeaddrinfo(found) }
        let host = SocketAddress.numericHost(address, info.ai_addrlen)
        guard endpoint.allowsRemoteClients || SocketAddress.isLoopback(host) else {
            throw MilterError(
                .addressRefused,
                "The milter's TCP address \(endpoint.host) is not loopback, and whoever reaches it could "
                    + "inject events. Use 127.0.0.1, or allow remote clients on purpose.")
        }
        let descriptor = Descriptor.socket(family: info.ai_family)
        guard descriptor >= 0 else { throw .system("socket(2)", about: "the milter's TCP address", errno: errno) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, address, info.ai_addrlen) == 0,
            listen(descriptor, Int32(clamping: max(1, backlog))) == 0
        else {
            let number = errno
            close(descriptor)
            throw .system("bind(2)", about: "the milter's TCP address \(endpoint.host):\(endpoint.port)", errno: number)
        }
        return (descriptor, Self.boundPort(descriptor))
    }

    private static func boundPort(_ descriptor: Int32) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { raw in
            guard let base = raw.baseAddress,
                getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return 0 }
            // Port and family stand at the same place in IPv4 and IPv6 addresses (ip(7), ipv6(7)).
            return Int(UInt16(bigEndian: base.load(fromByteOffset: 2, as: UInt16.self)))
        }
    }
}
