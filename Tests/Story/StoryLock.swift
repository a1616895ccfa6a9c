import Foundation
import Glibc

/// Keeps a second story out of the directory in which one lives: it would empty it under that one's servers.
enum StoryLock {
    /// Why there is no lock.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Takes the lock until this process ends, however it ends; the descriptor is not closed before that.
    ///
    /// - Parameters:
    ///   - path: the file that is locked, which must not be in the directory: it would go when that is emptied.
    ///   - directory: what is protected, for the words of the refusal.
    /// - Throws: ``Refusal``.
    static func take(_ path: String, for directory: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Refusal(description: "Cannot open \(path): \(reason(errno)).") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            close(descriptor)
            guard number == EWOULDBLOCK else { throw Refusal(description: "Cannot lock \(path): \(reason(number)).") }
            throw Refusal(
                description: "A site lives in \(directory) already, started by \(holder(path)): "
                    + "end that one with Ctrl-C or SIGTERM first.")
        }
        ftruncate(descriptor, 0)
        let line = "\(getpid())\n"
        _ = line.withCString { write(descriptor, $0, strlen($0)) }
    }

    private static func holder(_ path: String) -> String {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        guard let processID = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            return "another process"
        }
        return "process \(processID)"
    }

    private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}
