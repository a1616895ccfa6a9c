import Glibc
import Synchronization

/// Cleans up after a test process that died.
///
/// A test process that crashes, or is killed by a time limit, runs no `defer`. One awk(1) per test process waits at the
/// other end of a pipe: it learns which commands undo what was started, and runs those that are left when the pipe
/// closes, latest first. `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that started the child ends, it is
/// lost in a fork (Postfix's master) and does not reach a process of another user.
final class ProcessLeash: Sendable {
    /// One undo command that has been handed over.
    final class Entry: Sendable {
        private let leash: ProcessLeash
        private let number: Int

        fileprivate init(_ leash: ProcessLeash, _ number: Int) {
            self.leash = leash
            self.number = number
        }

        /// Forgets the command: what it would undo is gone already.
        func release() { leash.write("free \(number)\n") }
    }

    private let pipe: Int32
    private let count = Mutex(0)
    private static let one = Mutex<ProcessLeash?>(nil)

    /// The leash of this process, started at first use.
    ///
    /// - Throws: ``FixtureError`` `unavailable` when there is no awk.
    static func shared() throws -> ProcessLeash {
        try one.withLock { existing in
            if let existing { return existing }
            let made = try ProcessLeash()
            existing = made
            return made
        }
    }

    /// Starts the awk of one more leash; its commands run when the object goes or the process dies.
    init() throws {
        let ends = try Descriptors.pipe()
        pipe = ends.writing
        defer { close(ends.reading) }
        // The reading end reaches awk through proc(5), as a descriptor of ours is not inherited.
        let program = """
            $1 == "hold" { n = $2; sub(/^hold [0-9]+ /, ""); c[n] = $0; if (n + 0 > top) top = n + 0 }
            $1 == "free" { delete c[$2] }
            END { for (i = top; i > 0; i--) if (i in c) system("{ " c[i] "; } >/dev/null 2>&1") }
            """
        _ = try SpawnedProcess(
            ["awk", program], input: "/proc/\(getpid())/fd/\(ends.reading)", output: .file("/dev/null"),
            errors: .file("/dev/null"), leashed: false)
    }

    deinit { close(pipe) }

    /// The command that kills a process group. Only with `-s` does dash, Debian's sh, take the `--` (kill in POSIX).
    static func killing(group: pid_t, with prefix: String = "") -> String {
        "\(prefix)kill -s KILL -- -\(group)"
    }

    /// Hands over a shell command that undoes something; it must fit one line.
    func hold(_ command: String) -> Entry {
        let number = count.withLock { value in
            value += 1
            return value
        }
        write("hold \(number) \(command)\n")
        return Entry(self, number)
    }

    private func write(_ line: String) {
        // Up to PIPE_BUF bytes arrive in one piece (pipe(7)), so lines of several threads do not mix.
        _ = line.withCString { Glibc.write(pipe, $0, strlen($0)) }
    }
}
