import CSpawn
import Foundation

/// A port nobody listens on right now; somebody else may be faster.
func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let found = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    return found ? Int(UInt16(bigEndian: address.sin_port)) : 0
}

/// A server process that listens on a port of ours; ended with this object.
///
/// By posix_spawn(3): Foundation's Process needs a run loop to see an end, which threads of tests have not.
final class ListeningProcess: Sendable {
    let port: Int
    private let process: pid_t

    /// Starts the program on a free port and waits until it accepts connections; another port is tried when the first
    /// is taken meanwhile. nil when the program is not installed or does not come up.
    init?(program: String, input: Int32? = nil, output: Int32? = nil, arguments: (Int) -> [String]) {
        for _ in 0..<5 {
            let port = freePort()
            guard let process = spawn(program, arguments(port), input: input, output: output) else { return nil }
            if Self.accepts(port: port, while: { waitpid(process, nil, WNOHANG) == 0 }) {
                self.port = port
                self.process = process
                return
            }
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        return nil
    }

    deinit {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// The program gives no sign when it is ready, so a connection is tried until the deadline.
    private static func accepts(port: Int, while isAlive: () -> Bool) -> Bool {
        let deadline = Date(timeIntervalSinceNow: 10)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        while isAlive(), deadline.timeIntervalSinceNow > 0 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            if isConnected { return true }
            _ = poll(nil, 0, 10)
        }
        return false
    }
}

/// Starts a program with the given standard input and output, or none; nil when that fails.
func spawn(_ program: String, _ arguments: [String], input: Int32? = nil, output: Int32? = nil) -> pid_t? {
    guard access(program, X_OK) == 0 else { return nil }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
        posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    if let output {
        posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process = pid_t()
    return posix_spawn(&process, program, &actions, nil, &words, environ) == 0 ? process : nil
}
