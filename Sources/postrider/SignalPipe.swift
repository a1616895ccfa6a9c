import Glibc

/// SIGTERM, SIGINT and SIGHUP as bytes in a pipe that the main thread reads.
///
/// A handler interrupts whichever thread the kernel takes, and may do next to nothing there (signal-safety(7)); a byte in a pipe
/// is enough.
struct SignalPipe {
    /// Write end for the handler, which can capture nothing. `nonisolated(unsafe)`: set once before the handlers are
    /// installed, only read afterwards.
    private nonisolated(unsafe) static var writeEnd: Int32 = -1

    private let readEnd: Int32

    /// Installs the handlers, for all threads. To be called once, first of all: until then a signal ends the process on the spot.
    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw CommandFailure("no pipe for signals: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        Self.writeEnd = ends[1]
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = Glibc.write(SignalPipe.writeEnd, &byte, 1)
            errno = saved
        }
        action.sa_flags = SA_RESTART
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaction(number, &action, nil) }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Blocks until a signal comes.
    func next() -> Int32 {
        var byte: UInt8 = 0
        while read(readEnd, &byte, 1) != 1 {}
        return Int32(byte)
    }
}
