import Glibc

/// Why the milter cannot listen, or stopped listening. Always fatal for the server; a message never causes one.
package struct MilterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of reasons, fit for a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The path does not fit into a socket address.
        case pathTooLong
        /// The socket's directory is not there, or is no directory.
        case directoryMissing
        /// The directory's permissions do not let us make the socket, or its mode cannot be set.
        case permissionDenied
        /// Something that is no socket stands at the path.
        case notASocket
        /// Another process answers on the path or the port.
        case occupied
        /// The configured group does not exist, or we may not give the socket to it.
        case groupUnusable
        /// The TCP host does not resolve, or is not loopback and remote clients are not allowed.
        case addressRefused
        /// A system call failed for another reason.
        case systemCallFailed
        /// No connection can be taken any more, though nobody asked for the end.
        case listenerFailed
    }

    /// The reason.
    package var code: Code
    /// One sentence for the operator: what was wrong, where, and what mends it.
    package var description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// The failure of a system call, with the kernel's own words.
    static func system(_ call: String, about subject: String, errno number: Int32) -> MilterError {
        let code: Code =
            switch number {
            case EACCES, EPERM, EROFS: .permissionDenied
            case EADDRINUSE: .occupied
            case ENOENT, ENOTDIR: .directoryMissing
            default: .systemCallFailed
            }
        return MilterError(code, "\(call) failed for \(subject): \(String(cString: strerror(number))).")
    }
}
