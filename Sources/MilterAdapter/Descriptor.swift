// sys/socket.h comes with libmilter's header: Swift's Glibc module does not show SOCK_STREAM beside it.
import CLibmilter
import Glibc

/// Making descriptors: always closed on exec, and non-blocking where asked.
enum Descriptor {
    /// The type of all our sockets.
    static let stream = Int32(SOCK_STREAM.rawValue)

    /// A stream socket, or -1 with `errno` set (socket(2)).
    static func socket(family: Int32, isBlocking: Bool) -> Int32 {
        mark(CLibmilter.socket(family, stream, 0), isBlocking: isBlocking)
    }

    /// The next connection, non-blocking, or -1 with `errno` set (accept(2)).
    static func accept(from listener: Int32) -> Int32 { mark(CLibmilter.accept(listener, nil, nil), isBlocking: false) }

    /// Both ends of a pipe, non-blocking: reader, writer. Nil with `errno` set (pipe(2)).
    static func pipe() -> (reader: Int32, writer: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        return (mark(ends[0], isBlocking: false), mark(ends[1], isBlocking: false))
    }

    /// Sets the flags in calls of their own: Swift does not import accept4(2) and pipe2(2). Nothing in this process
    /// forks, so there is no moment to leak through.
    private static func mark(_ descriptor: Int32, isBlocking: Bool) -> Int32 {
        guard descriptor >= 0 else { return descriptor }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        if !isBlocking { setNonBlocking(descriptor) }
        return descriptor
    }

    static func setNonBlocking(_ descriptor: Int32) { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
}
