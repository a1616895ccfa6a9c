import Foundation
import Glibc

/// Runs programs to their end, as ourselves or as root.
package enum Privilege {
    /// What a program left behind.
    package struct CommandResult: Sendable {
        /// How it ended.
        package let status: SpawnedProcess.ExitStatus
        /// Standard output and standard error, in the order written.
        package let output: String
        /// Whether it exited with 0.
        package var succeeded: Bool { status == .exited(0) }
    }

    /// Whether we are root.
    package static var isRoot: Bool { geteuid() == 0 }

    /// Runs a program as ourselves and waits for it.
    ///
    /// The end of the process is awaited, not the end of its output: a daemon it started may keep the latter open.
    ///
    /// - Parameter leashed: false for a program that leaves a daemon of its own group behind.
    /// - Throws: ``FixtureError`` `unavailable` when it cannot be executed, `timedOut` when it takes too long.
    package static func run(
        _ arguments: [String], environment: [String: String]? = nil, input: String = "/dev/null",
        deadline: Duration = .seconds(30), leashed: Bool = true
    ) async throws -> CommandResult {
        let descriptor = try Descriptors.namelessFile()
        defer { close(descriptor) }
        let process = try SpawnedProcess(
            arguments, environment: environment, input: input, output: .descriptor(descriptor),
            errors: .descriptor(descriptor), leashed: leashed)
        do {
            let status = try await process.waitForExit(deadline: deadline)
            return CommandResult(status: status, output: contents(of: descriptor))
        } catch {
            process.signalGroup(SIGKILL)
            throw FixtureError(
                .timedOut, "\(arguments.joined(separator: " ")) did not end: \(contents(of: descriptor))")
        }
    }

    /// Runs a program as root: directly, or through `sudo -n` (no password question).
    ///
    /// - Throws: ``FixtureError`` `unavailable` when neither works, with what to do about it.
    package static func runAsRoot(
        _ arguments: [String], environment: [String: String]? = nil, deadline: Duration = .seconds(30)
    ) async throws -> CommandResult {
        try await run(try await asRoot(arguments), environment: environment, deadline: deadline)
    }

    /// The words that run a program as root, for ``SpawnedProcess``.
    package static func asRoot(_ arguments: [String]) async throws -> [String] {
        if isRoot { return arguments }
        let probe = try? await run(["sudo", "-n", "true"], deadline: .seconds(5))
        guard probe?.succeeded == true else {
            throw FixtureError(
                .unavailable,
                "\(arguments[0]) must run as root, and this user (uid \(geteuid())) may not use sudo without a password. "
                    + "Run this as root in a container, allow the user passwordless sudo, or run `sudo -v` in this "
                    + "terminal first: sudo forgets the password when it was not used for 15 minutes.")
        }
        return ["sudo", "-n"] + arguments
    }

    /// Keeps sudo from forgetting the password until the task is cancelled. What was started as root must be stopped as
    /// root, hours later perhaps.
    package static func keep() async {
        guard !isRoot else { return }
        while !Task.isCancelled {
            _ = try? await run(["sudo", "-n", "true"], deadline: .seconds(5))
            // Sites set `timestamp_timeout` to as little as five minutes; the default is 15 (sudoers(5)).
            try? await Task.sleep(for: .seconds(120))
        }
    }

    /// The numeric ids of a user of this machine, nil when there is none.
    static func account(_ name: String) -> (user: uid_t, group: gid_t)? {
        guard let entry = getpwnam(name) else { return nil }
        return (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    private static func contents(of descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
