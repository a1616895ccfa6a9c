import Glibc

/// The UNIX-domain socket: what must be true before it is made, and who may connect to it afterwards.
struct MilterSocket: Sendable {
    let configuration: MilterConfiguration
    private var path: String { configuration.unixSocketPath }

    /// Looks at the path: what the kernel says of it names no mend.
    func check() throws(MilterError) {
        let size = path.utf8.count
        guard size <= SocketAddress.longestPath else {
            throw MilterError(
                .pathTooLong,
                "The milter socket path \(path) has \(size) bytes; a socket path may have "
                    + "\(SocketAddress.longestPath). Choose a shorter one.")
        }
        try checkDirectory()
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw MilterError(
                .notASocket, "Something that is no socket stands at \(path). Move it away or choose another path.")
        }
        // A stale socket, left behind by a process that was killed, is replaced; a live one would be taken away from its
        // owner in silence.
        guard !isAnswered() else {
            throw MilterError(
                .occupied, "Another process listens on the milter socket \(path). Stop it or choose another path.")
        }
    }

    private func checkDirectory() throws(MilterError) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(directory.isEmpty ? "/" : directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw MilterError(
                .directoryMissing,
                "The directory \(directory) of the milter socket \(path) is not there or is no directory. Make it, "
                    + "owned by the daemon's user, group postfix, mode 2750.")
        }
        guard access(directory.isEmpty ? "/" : directory, W_OK | X_OK) == 0 else {
            throw MilterError(
                .permissionDenied,
                "The daemon's user may not make the milter socket \(path): the directory \(directory) is not "
                    + "writable. Give the directory to that user.")
        }
    }

    /// Makes the socket and listens, which nobody can reach before its owner and permissions are what was asked for: a connection to a
    /// socket that does not listen is refused.
    /// - Returns: the descriptor.
    func open() throws(MilterError) -> Int32 {
        try check()
        let descriptor = Descriptor.socket(family: AF_UNIX)
        guard descriptor >= 0 else { throw failure("socket(2)", errno) }
        do throws(MilterError) {
            unlink(path)
            guard SocketAddress.withUnix(path, { bind(descriptor, $0, $1) }) == 0 else {
                throw failure("bind(2)", errno)
            }
            try giveToGroup()
            guard chmod(path, mode_t(configuration.socketMode)) == 0 else { throw failure("chmod(2)", errno) }
            guard listen(descriptor, Int32(clamping: max(1, configuration.backlog))) == 0 else {
                throw failure("listen(2)", errno)
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private func failure(_ call: String, _ number: Int32) -> MilterError {
        .system(call, about: "the milter socket \(path)", errno: number)
    }

    private func giveToGroup() throws(MilterError) {
        guard let name = configuration.socketGroup else { return }
        guard let id = Self.groupID(name) else {
            throw MilterError(
                .groupUnusable,
                "There is no group \(name) for the milter socket \(path). Install Postfix or name another group.")
        }
        guard chown(path, uid_t.max, id) == 0 else {
            throw MilterError(
                .groupUnusable,
                "The milter socket \(path) cannot be given to the group \(name): \(String(cString: strerror(errno))). "
                    + "Make its directory setgid for that group (mode 2750) and leave the group setting out.")
        }
    }

    private static func groupID(_ name: String) -> gid_t? {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 65_536)
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.gr_gid
    }

    /// Whether somebody accepts connections on the path.
    func isAnswered() -> Bool {
        let descriptor = Descriptor.socket(family: AF_UNIX)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return SocketAddress.withUnix(path) { connect(descriptor, $0, $1) == 0 } ?? false
    }

    /// Takes the path away again. A socket somebody answers on belongs to our successor by now.
    func remove() {
        if !isAnswered() { unlink(path) }
    }
}
