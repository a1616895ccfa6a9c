import CLibmilter
import Glibc

/// The UNIX-domain socket of libmilter: what must be true before it is made, and who may connect to it afterwards.
struct MilterSocket: Sendable {
    let configuration: MilterConfiguration
    private var path: String { configuration.unixSocketPath }

    /// Looks at the path before libmilter does: the library's own answer to any trouble is only "failed".
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
        // A stale socket, left behind by a process that ran as root, is removed by smfi_opensocket; a live one would
        // be taken away from its owner in silence.
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

    /// Makes the socket. Its permissions are closed until they are what was asked for: `smfi_opensocket` knows only the
    /// umask, which belongs to the whole process, so this is done before other threads make files.
    func open() throws(MilterError) {
        let mask = umask(0o177)
        let result = smfi_opensocket(true)
        umask(mask)
        guard result == MI_SUCCESS else {
            throw MilterError(
                .libraryRefused,
                "libmilter could not listen on \(path); its reason is in syslog under \(configuration.syslogTag).")
        }
        try giveToGroup()
        guard chmod(path, mode_t(configuration.socketMode)) == 0 else {
            throw .system("chmod(2)", about: "the milter socket \(path)", errno: errno)
        }
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

    /// Whether somebody accepts connections on the path. Also wakes libmilter's listener from its poll.
    @discardableResult
    func isAnswered() -> Bool {
        let descriptor = Descriptor.socket(family: AF_UNIX, isBlocking: true)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return SocketAddress.withUnix(path) { connect(descriptor, $0, $1) == 0 } ?? false
    }

    /// libmilter removes the socket at its end only when it does not run as root. A socket somebody answers on belongs
    /// to our successor by now.
    func remove() {
        if !isAnswered() { unlink(path) }
    }
}
