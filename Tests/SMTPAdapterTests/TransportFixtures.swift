import Foundation
import Logging
import MailModel

@testable import SMTPAdapter

/// A message with nothing special about it.
func plainMail(_ body: String = "Hello.\r\n", to recipient: String = "bob@example.org") -> OutgoingMail {
    OutgoingMail(
        reversePath: "alice@example.org", recipient: recipient,
        bytes: Array(("From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Test\r\n\r\n" + body).utf8))
}

/// Runs `body` with a transport to the port on this machine, and shuts it down afterwards.
func withTransport<Value: Sendable>(
    port: Int, workers: Int = 1, replyTimeout: Duration = .seconds(10),
    change: (inout SMTPConfiguration) -> Void = { _ in },
    _ body: (SMTPTransport) async throws -> Value
) async throws -> Value {
    var configuration = SMTPConfiguration(
        port: port, ehloName: "client.example", workers: workers, connectTimeout: replyTimeout,
        replyTimeout: replyTimeout)
    change(&configuration)
    let transport = try SMTPTransport(configuration: configuration, logger: Logger(label: "test"))
    do {
        let value = try await body(transport)
        await transport.shutdown()
        return value
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// One delivery of one plain message.
func deliverOnce(
    port: Int, replyTimeout: Duration = .seconds(10), change: (inout SMTPConfiguration) -> Void = { _ in }
) async throws -> DeliveryOutcome {
    try await withTransport(port: port, replyTimeout: replyTimeout, change: change) {
        await $0.deliver(plainMail())
    }
}

/// An outcome without its words: the case, and the reply's code where it has one.
enum OutcomeKind: Hashable, Sendable {
    case delivered(Int), rejected(Int), deferred(Int), unreachable, unknown, refused

    init(_ outcome: DeliveryOutcome) {
        self =
            switch outcome {
            case .delivered(let reply, _): .delivered(reply.code)
            case .rejected(let reply): .rejected(reply.code)
            case .deferred(let reply): .deferred(reply.code)
            case .unreachable: .unreachable
            case .unknown: .unknown
            case .refused: .refused
            }
    }
}

extension DeliveryOutcome {
    var kind: OutcomeKind { OutcomeKind(self) }

    var reason: String {
        switch self {
        case .unreachable(let reason), .unknown(let reason), .refused(let reason): reason
        case .delivered, .rejected, .deferred: ""
        }
    }

    var reply: Reply? {
        switch self {
        case .delivered(let reply, _), .rejected(let reply), .deferred(let reply): reply
        case .unreachable, .unknown, .refused: nil
        }
    }
}

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
/// `@unchecked Sendable`: nothing changes after `init`.
final class ListeningProcess: @unchecked Sendable {
    let port: Int
    private let process: Process

    /// Starts the program on a free port and waits until it accepts connections; another port is tried when the first
    /// is taken meanwhile. nil when the program is not installed or does not come up.
    init?(program: String, prepare: (Process, Int) -> Void) {
        guard FileManager.default.isExecutableFile(atPath: program) else { return nil }
        for _ in 0..<5 {
            let process = Process()
            let port = freePort()
            process.executableURL = URL(fileURLWithPath: program)
            process.standardError = FileHandle.nullDevice
            prepare(process, port)
            guard (try? process.run()) != nil else { return nil }
            if Self.accepts(port: port, while: { process.isRunning }) {
                self.port = port
                self.process = process
                return
            }
            if process.isRunning { process.terminate() }
            process.waitUntilExit()
        }
        return nil
    }

    deinit {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
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

/// A folder of this test's own, removed with this object.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "smtp-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
        // The attribute above is cut by the umask.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
