import Glibc

/// Making descriptors: closed on exec.
enum Descriptor {
    /// The type of all our sockets.
    static let stream = Int32(SOCK_STREAM.rawValue)

    /// A stream socket, or -1 with `errno` set (socket(2)).
    static func socket(family: Int32) -> Int32 { mark(Glibc.socket(family, stream, 0)) }

    /// The next connection, waited for, or -1 with `errno` set (accept(2)).
    static func accept(from listener: Int32) -> Int32 { mark(Glibc.accept(listener, nil, nil)) }

    /// Sets the flag in a call of its own: Swift does not import accept4(2). Whatever this process starts closes all descriptors, so
    /// there is no moment to leak through.
    private static func mark(_ descriptor: Int32) -> Int32 {
        if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return descriptor
    }
}
