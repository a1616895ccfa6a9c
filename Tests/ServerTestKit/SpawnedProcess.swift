import CSpawn
import Foundation
import Glibc
import Synchronization

/// A child process in a process group of its own.
///
/// The group is what makes a clean end possible: Postfix's master, rspamd and the daemon have children of their own, and
/// all of them are in the group. ``ProcessLeash`` kills the group when the test process dies without stopping it.
package final class SpawnedProcess: Sendable {
    /// How a process ended (wait(2)).
    package enum ExitStatus: Sendable, Equatable {
        /// It returned or called exit(3) with this status.
        case exited(Int32)
        /// A signal ended it.
        case signalled(Int32)
    }

    /// Where one output stream of the child goes.
    enum Output: Sendable {
        /// Appended to a file.
        case file(String)
        /// To an open descriptor of ours, which stays open here.
        case descriptor(Int32)
    }

    /// The process id, and the id of its group.
    package let processID: pid_t
    private let status = Mutex<ExitStatus?>(nil)
    private let leash: ProcessLeash.Entry?

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: `argv`; the first is the program, looked up in `PATH` when it has no slash.
    ///   - environment: the complete environment, or nil for ours.
    ///   - directory: its working directory, or nil for ours.
    ///   - leashed: whether it dies with us.
    /// - Throws: ``FixtureError`` `unavailable` when the program cannot be executed.
    init(
        _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil,
        input: String = "/dev/null", output: Output, errors: Output, leashed: Bool = true
    ) throws {
        processID = try Self.spawn(
            arguments, environment: environment, directory: directory, input: input, output: output, errors: errors)
        leash = leashed ? try? ProcessLeash.shared().hold(ProcessLeash.killing(group: processID)) : nil
        let thread = Thread { [self] in reap() }
        thread.stackSize = 128 * 1024
        thread.start()
    }

    /// The end of the process, nil while it runs.
    package var exitStatus: ExitStatus? { status.withLock { $0 } }

    /// Waits for the end.
    ///
    /// - Throws: ``FixtureError`` `timedOut`.
    @discardableResult
    package func waitForExit(deadline: Duration = .seconds(15)) async throws -> ExitStatus {
        try await eventualValue("process \(processID) ends", deadline: deadline, every: .milliseconds(10)) {
            exitStatus
        }
    }

    /// Sends a signal to the process alone; nothing when it has ended.
    package func signal(_ number: Int32) {
        // Under the lock of the reaper, so that the id cannot belong to somebody else yet.
        status.withLock { if $0 == nil { _ = Glibc.kill(processID, number) } }
    }

    /// Sends a signal to everybody in the group who is still alive.
    package func signalGroup(_ number: Int32) {
        let leaderLives = status.withLock { state in
            if state == nil { _ = Glibc.kill(-processID, number) }
            return state == nil
        }
        if !leaderLives, !ProcessTable.members(ofGroup: processID).isEmpty { _ = Glibc.kill(-processID, number) }
    }

    /// Waits on a thread of its own; the process object lives until its process has ended.
    private func reap() {
        var information = siginfo_t()
        // First only look: the id is given back below, under the lock.
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        status.withLock { state in
            var raw: Int32 = 0
            guard waitpid(processID, &raw, 0) == processID else {
                state = .exited(-1)
                return
            }
            let signal = raw & 0x7f
            state = signal == 0 ? .exited((raw >> 8) & 0xff) : .signalled(signal)
        }
        if ProcessTable.members(ofGroup: processID).isEmpty { leash?.release() }
    }
}

extension SpawnedProcess {
    private static func spawn(
        _ arguments: [String], environment: [String: String]?, directory: String?, input: String,
        output: Output, errors: Output
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        for (stream, target) in [(Int32(1), output), (Int32(2), errors)] {
            switch target {
            case .file(let path):
                posix_spawn_file_actions_addopen(&actions, stream, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            case .descriptor(let descriptor):
                posix_spawn_file_actions_adddup2(&actions, descriptor, stream)
            }
        }
        // A copy of another fixture's pipe or connection would keep that one's reader waiting.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        configure(&attributes)
        let variables = environment ?? ProcessInfo.processInfo.environment
        // env(1) executes the program in its own place, so the process id stays; the call of glibc for it is hidden.
        let words = directory.map { ["env", "-C", $0] + arguments } ?? arguments
        return try withCStrings(words) { argv in
            try withCStrings(variables.map { "\($0.key)=\($0.value)" }) { envp in
                var processID = pid_t()
                let result = posix_spawnp(&processID, words[0], &actions, &attributes, argv, envp)
                guard result == 0 else {
                    throw FixtureError(
                        .unavailable, "cannot start \(arguments[0]): \(String(cString: strerror(result)))")
                }
                return processID
            }
        }
    }

    /// Own group, no blocked signals, default actions: what a shell would give it.
    private static func configure(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
    ) rethrows -> Result {
        let copies = strings.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return try body(copies + [nil])
    }
}
