import Glibc
import Synchronization

/// Descriptors that a child of ours does not inherit by accident: a copy of another fixture's pipe would keep that one's
/// reader waiting.
///
/// pipe2(2) and mkostemp(3) would set the flag in the same step but are hidden from Swift (they need `_GNU_SOURCE`), so
/// nothing is spawned between the two steps.
enum Descriptors {
    private static let spawning = Mutex(())

    /// Runs the body while no descriptor is between its making and its flag.
    static func whileSettled<Result>(_ body: () throws -> sending Result) rethrows -> Result {
        try spawning.withLock { _ in try body() }
    }

    /// The reading and the writing end of a new pipe.
    static func pipe() throws -> (reading: Int32, writing: Int32) {
        try whileSettled {
            var ends: [Int32] = [-1, -1]
            guard Glibc.pipe(&ends) == 0 else { throw FixtureError(.unavailable, "pipe: errno \(errno)") }
            ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    /// A file without a name, for reading and writing.
    static func namelessFile() throws -> Int32 {
        try whileSettled {
            var template = Array("/tmp/postrider-output-XXXXXX".utf8CString)
            let descriptor = mkstemp(&template)
            guard descriptor >= 0 else { throw FixtureError(.unavailable, "mkstemp: errno \(errno)") }
            unlink(template)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            return descriptor
        }
    }
}
