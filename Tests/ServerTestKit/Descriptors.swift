import Glibc

/// Descriptors that fixtures make. No program that they start has a copy of them (``SpawnedProcess``).
enum Descriptors {
    /// The reading and the writing end of a new pipe.
    static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw FixtureError(.unavailable, "pipe: errno \(errno)") }
        return (ends[0], ends[1])
    }

    /// A file without a name, for reading and writing.
    static func namelessFile() throws -> Int32 {
        var template = Array("/tmp/postrider-output-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw FixtureError(.unavailable, "mkstemp: errno \(errno)") }
        unlink(template)
        return descriptor
    }
}
