import Glibc
import Synchronization

// libmilter has one listener, and over TCP it stalls 40 to 88 ms per message: it writes small pieces without
// TCP_NODELAY, and the kernel delays acknowledgements of Postfix's small writes. So libmilter listens on its UNIX-domain
// socket only, and this entrance carries bytes between TCP connections and that socket. It reads no milter protocol.
//
// One thread serves all connections with poll(2). Everything is non-blocking; a direction whose buffer is full is not
// read, so a slow reader holds up its own writer and nothing else.

/// The second way in: a TCP listener in front of libmilter's UNIX-domain socket.
final class TCPEntrance: Sendable {
    /// The port that is bound; never 0.
    let port: Int
    private let listener: Int32
    private let wakeReader: Int32
    private let wakeWriter: Int32
    private let unixSocketPath: String
    private let thread = Mutex<MilterThread?>(nil)
    private let openCount = Mutex(0)

    /// How many connections are carried now.
    var connectionCount: Int { openCount.withLock { $0 } }

    /// Binds and listens; nobody is served before `start`.
    init(
        endpoint: MilterConfiguration.TCPEndpoint, unixSocketPath: String, backlog: Int
    ) throws(MilterError) {
        self.unixSocketPath = unixSocketPath
        listener = try Self.listen(endpoint, backlog: Int32(clamping: max(1, backlog)))
        port = Self.boundPort(listener)
        guard let ends = Descriptor.pipe() else {
            let number = errno
            close(listener)
            throw .system("pipe(2)", about: "the TCP entrance", errno: number)
        }
        (wakeReader, wakeWriter) = ends
    }

    deinit {
        close(listener)
        close(wakeReader)
        close(wakeWriter)
    }

    /// Starts the thread. Without one the entrance stays shut, and the descriptors' limit is the likely reason.
    func start() throws(MilterError) {
        let made = try MilterThread(name: "milter-tcp") { [self] in
            var loop = TCPRelayLoop(listener: listener, wake: wakeReader, unixSocketPath: unixSocketPath) { count in
                self.openCount.withLock { $0 = count }
            }
            loop.run()
            return 0
        }
        thread.withLock { $0 = made }
    }

    /// Ends the thread and every connection.
    func stop() async {
        guard let running = thread.withLock({ $0 }) else { return }
        _ = write(wakeWriter, "x", 1)
        _ = await running.result()
    }

    // MARK: Listening

    private static func listen(
        _ endpoint: MilterConfiguration.TCPEndpoint, backlog: Int32
    ) throws(MilterError) -> Int32 {
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
        let descriptor = Descriptor.socket(family: info.ai_family, isBlocking: false)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard descriptor >= 0, bind(descriptor, address, info.ai_addrlen) == 0, Glibc.listen(descriptor, backlog) == 0
        else {
            let number = errno
            if descriptor >= 0 { close(descriptor) }
            throw .system("bind(2)", about: "the milter's TCP address \(endpoint.host):\(endpoint.port)", errno: number)
        }
        return descriptor
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
