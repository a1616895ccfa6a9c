import Foundation
import Glibc
import Synchronization

/// The directory in which the servers of one test (or of `make run`) live.
///
/// Every part of its path can be searched by everybody, because Postfix's programs run as user `postfix`, rspamd as
/// `_rspamd` and smtp-sink as `nobody`.
package final class ServerDirectory: Sendable, CustomStringConvertible {
    /// The absolute path. Kept short: a UNIX socket's path may have 107 bytes (unix(7)).
    package let path: String
    private let isTemporary: Bool
    private let leash: ProcessLeash.Entry?
    private let removed = Mutex(false)

    /// A fresh directory under `/tmp`; gone after ``remove()``, when the object goes, or when the process dies.
    ///
    /// - Throws: ``FixtureError`` `unavailable`.
    package static func temporary() throws -> ServerDirectory {
        var template = Array("/tmp/postrider-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw FixtureError(.unavailable, "cannot make a directory in /tmp: errno \(errno)")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return try ServerDirectory(path: path, isTemporary: true)
    }

    /// A named directory, made when missing and kept afterwards; its contents stay.
    ///
    /// - Throws: ``FixtureError`` `unavailable` when it cannot be made, or when a directory above it cannot be searched
    ///   by other users.
    package convenience init(path: String) throws {
        let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
        try self.init(path: absolute, isTemporary: false)
    }

    private init(path: String, isTemporary: Bool) throws {
        self.path = path
        self.isTemporary = isTemporary
        leash = isTemporary ? try? ProcessLeash.shared().hold("rm -rf \(path)") : nil
        try Self.make(path, mode: 0o755)
        try Self.requireSearchable(path)
    }

    deinit { if isTemporary { removeContents() } }

    package var description: String { path }

    /// The path of something inside.
    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a directory inside, with all missing ones above it, and returns its path.
    ///
    /// - Parameters:
    ///   - owner: a user of this machine; needs root or sudo when it is not ourselves.
    ///   - mode: its permissions.
    @discardableResult
    package func directory(_ name: String, owner: String? = nil, mode: mode_t = 0o755) async throws -> String {
        let full = path(name)
        try Self.make(full, mode: mode)
        guard let owner else { return full }
        guard let account = Privilege.account(owner) else {
            throw FixtureError(.unavailable, "there is no user \(owner) on this machine")
        }
        if chown(full, account.user, account.group) == 0 { return full }
        let result = try await Privilege.runAsRoot(["chown", "\(account.user):\(account.group)", full])
        guard result.succeeded else { throw FixtureError(.unavailable, "chown \(full): \(result.output)") }
        return full
    }

    /// Writes a file inside, readable by everybody, and returns its path. An existing one is replaced.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        let full = path(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: full))
        chmod(full, 0o644)
        return full
    }

    /// Removes a temporary directory and everything in it. A named one stays.
    package func remove() async throws {
        guard isTemporary else { return }
        removeContents()
        guard FileManager.default.fileExists(atPath: path) else { return }
        // What a server run through sudo wrote is root's.
        _ = try await Privilege.runAsRoot(["rm", "-rf", "--", path])
    }

    /// Removes everything, a named directory included.
    package func clear() async throws {
        try? FileManager.default.removeItem(atPath: path)
        guard FileManager.default.fileExists(atPath: path) else { return }
        _ = try await Privilege.runAsRoot(["rm", "-rf", "--", path])
    }

    private func removeContents() {
        guard
            removed.withLock({ done in
                defer { done = true }; return !done
            })
        else { return }
        try? FileManager.default.removeItem(atPath: path)
        if !FileManager.default.fileExists(atPath: path) { leash?.release() }
    }

    private static func make(_ path: String, mode: mode_t) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw FixtureError(.unavailable, "cannot make \(path): \(error)")
        }
        // Not through the attributes of the call above: those pass the umask.
        chmod(path, mode)
    }

    private static func requireSearchable(_ path: String) throws {
        var current = path
        while current != "/" {
            var entry = stat()
            if stat(current, &entry) == 0, entry.st_mode & 0o001 == 0 {
                throw FixtureError(
                    .unavailable,
                    "\(current) cannot be searched by other users, and Postfix runs as user postfix: "
                        + "use a directory under /tmp, or chmod o+x \(current)")
            }
            current = (current as NSString).deletingLastPathComponent
        }
    }
}
