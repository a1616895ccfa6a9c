import CSpawn
import Glibc

/// A program whose output is read. It gets no input, its complaints go nowhere, and none of our descriptors is open in it: a
/// socket of which it had a copy would stay open when we close it, or die.
final class ChildProcess {
    let output: Int32
    private let processID: pid_t
    private var isOver = false

    /// - Throws: `SpawnFailure` when it cannot be started.
    init(_ words: [String]) throws {
        (processID, output) = try Self.spawn(words)
    }

    private static func spawn(_ words: [String]) throws -> (pid_t, Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SpawnFailure(program: words[0], code: errno) }
        let (reading, writing) = (ends[0], ends[1])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, writing, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // Libraries open descriptors without a word about this, and from Swift it takes a second call.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        // The caller's thread may have signals blocked, and the process ignores some.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        let variables: [String] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) }
        environment.append(nil)
        defer { environment.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, words[0], &actions, &attributes, arguments, environment)
        close(writing)
        guard code == 0 else {
            close(reading)
            throw SpawnFailure(program: words[0], code: code)
        }
        return (child, reading)
    }

    deinit { end() }

    /// Kills it if it still runs.
    /// - Returns: whether it had ended well.
    @discardableResult
    func end() -> Bool {
        guard !isOver else { return false }
        isOver = true
        var status: Int32 = 0
        var ended = waitpid(processID, &status, WNOHANG)
        if ended == 0 {
            // Its output may have ended a moment before it does.
            usleep(20_000)
            ended = waitpid(processID, &status, WNOHANG)
        }
        if ended == 0 {
            kill(processID, SIGKILL)
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        }
        close(output)
        return ended == processID && status == 0
    }

    /// What there is of its output, once there is some.
    /// - Returns: nil when none came in time; nothing at its end.
    func read(within milliseconds: Int32) -> [UInt8]? {
        var wish = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        let ready = poll(&wish, 1, milliseconds)
        guard ready > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, filled in
            var got = -1
            repeat { got = Glibc.read(output, buffer.baseAddress, 65_536) } while got < 0 && errno == EINTR
            filled = max(0, got)
        }
    }
}

/// A program could not be started.
struct SpawnFailure: Error, CustomStringConvertible {
    var program: String
    var code: Int32

    var description: String { "\(program) cannot be started: \(String(cString: strerror(code)))" }
}
