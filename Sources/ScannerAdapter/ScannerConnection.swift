import Glibc

/// Why a conversation with a scanner ended without an answer, in words for the log.
package struct ScannerFailure: Error, Hashable, CustomStringConvertible {
    package let description: String
    /// Another attempt may end otherwise.
    package let isTemporary: Bool

    init(_ description: String, isTemporary: Bool = true) {
        self.description = description
        self.isTemporary = isTemporary
    }
}

/// One stream to a scanner, every step of which ends at one deadline. Blocks its thread; closes in `deinit`.
package final class ScannerConnection {
    private let descriptor: Int32
    private let deadline: ContinuousClock.Instant
    private var received: [UInt8] = []
    private var position = 0

    /// Connects.
    package init(to address: ScannerAddress, deadline: ContinuousClock.Instant) throws(ScannerFailure) {
        self.deadline = deadline
        descriptor =
            switch address {
            case .unix(let path): try Self.connect(path: path, deadline: deadline)
            case .tcp(let host, let port): try Self.connect(host: host, port: port, deadline: deadline)
            }
    }

    deinit { close(descriptor) }

    // MARK: Connecting

    private static func connect(path: String, deadline: ContinuousClock.Instant) throws(ScannerFailure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw ScannerFailure("the path of its socket is too long", isTemporary: false)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        return try withUnsafePointer(to: &address) { pointer throws(ScannerFailure) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer throws(ScannerFailure) in
                try connect(AF_UNIX, pointer, length, deadline: deadline)
            }
        }
    }

    private static func connect(
        host: String, port: Int, deadline: ContinuousClock.Instant
    ) throws(ScannerFailure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list else {
            throw ScannerFailure("its host name does not resolve")
        }
        defer { freeaddrinfo(first) }
        var failure = ScannerFailure("it cannot be reached")
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next?.pointee {
            do throws(ScannerFailure) {
                return try connect(entry.ai_family, entry.ai_addr, entry.ai_addrlen, deadline: deadline)
            } catch {
                failure = error
            }
            next = entry.ai_next
        }
        throw failure
    }

    private static func connect(
        _ family: Int32, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t, deadline: ContinuousClock.Instant
    ) throws(ScannerFailure) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw ScannerFailure("there is no socket left: \(text(errno))") }
        do throws(ScannerFailure) {
            if Glibc.connect(descriptor, address, length) != 0 {
                // A Unix socket whose queue is full says EAGAIN, and there is nothing to wait for.
                guard errno == EINPROGRESS else { throw ScannerFailure("no connection: \(text(errno))") }
                try wait(descriptor, POLLOUT, deadline)
                var failure: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
                guard failure == 0 else { throw ScannerFailure("no connection: \(text(failure))") }
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    // MARK: Talking

    /// Sends everything.
    package func send(_ bytes: some ContiguousBytesView) throws(ScannerFailure) {
        var sent = 0
        let count = bytes.count
        while sent < count {
            let result = bytes.withBytes { buffer in
                Glibc.send(descriptor, buffer.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
            }
            if result > 0 {
                sent += result
            } else if errno == EAGAIN {
                try Self.wait(descriptor, POLLOUT, deadline)
            } else if errno != EINTR {
                throw ScannerFailure("it closed the connection: \(Self.text(errno))")
            }
        }
    }

    /// Tells the scanner that no more will come.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads up to a byte, or to the end; the byte is taken and not returned.
    ///
    /// - Parameter limit: bytes beyond which it is no answer.
    package func read(until end: UInt8?, limit: Int) throws(ScannerFailure) -> [UInt8] {
        while true {
            let rest = received[position...]
            if let end, let place = rest.firstIndex(of: end) {
                position = place + 1
                return Array(rest[..<place])
            }
            guard rest.count <= limit else {
                throw ScannerFailure("its answer is longer than \(limit) bytes", isTemporary: false)
            }
            guard try receive() else {
                position = received.count
                return Array(rest)
            }
        }
    }

    /// - Returns: false at the end.
    private func receive() throws(ScannerFailure) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                received += buffer[..<count]
                return true
            }
            if count == 0 { return false }
            if errno == EAGAIN {
                try Self.wait(descriptor, POLLIN, deadline)
            } else if errno != EINTR {
                throw ScannerFailure("it closed the connection: \(Self.text(errno))")
            }
        }
    }

    private static func wait(
        _ descriptor: Int32, _ event: Int32, _ deadline: ContinuousClock.Instant
    ) throws(ScannerFailure) {
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { throw ScannerFailure("no answer in time") }
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
            var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let result = poll(&entry, 1, Int32(clamping: milliseconds))
            if result > 0 { return }
            if result < 0, errno != EINTR { throw ScannerFailure("waiting failed: \(text(errno))") }
        }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// Bytes that lie in one piece.
package protocol ContiguousBytesView {
    var count: Int { get }
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension [UInt8]: ContiguousBytesView {
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(body) }
}

extension ArraySlice<UInt8>: ContiguousBytesView {
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(body) }
}
