import Dispatch
import Foundation
import Glibc
import ServerTestKit
import Synchronization

/// Stands between a daemon and its real relay, and stops a delivery where a test tells it to: so that the daemon can be killed
/// at a known point while the relay lives on.
///
/// One thread for each connection. Every wait has a deadline, so that a failing test ends.
final class StoryProxy: Sendable {
    /// A command of a delivery, or the final dot.
    enum Step: String, Sendable, CaseIterable { case connect, hello, mail, recipient, data, content }

    /// A moment: before the relay hears of the step, or when it has answered and the daemon has not heard it.
    struct Point: Hashable, Sendable, CustomStringConvertible, CaseIterable {
        let step: Step
        let isAnswered: Bool

        var description: String { "\(isAnswered ? "after" : "before") \(step.rawValue)" }

        static var allCases: [Point] {
            Step.allCases.flatMap { [Point(step: $0, isAnswered: false), Point(step: $0, isAnswered: true)] }
        }
    }

    private struct State {
        var point: Point?
        var gate: DispatchSemaphore?
        var isReached = false
    }

    /// Always on 127.0.0.1.
    var port: UInt16 { server.port }
    private let server: LoopbackServer
    private let state = Mutex(State())

    /// - Parameter relay: the relay's port on 127.0.0.1.
    init(relay: UInt16) throws {
        server = try LoopbackServer()
        server.start { [weak self] in self?.serve($0, relay) }
    }

    deinit { stop() }

    /// Ends the listener and all connections.
    func stop() {
        state.withLock { _ = $0.gate?.signal() }
        server.stop()
    }

    // MARK: What the test says

    /// The next delivery that comes to this point stays there until ``release()``.
    func hold(at point: Point) {
        state.withLock { state in
            (state.point, state.gate, state.isReached) = (point, DispatchSemaphore(value: 0), false)
        }
    }

    /// Waits until a delivery has come to the point of ``hold(at:)``.
    func waitUntilHeld() async throws {
        try await eventually("a delivery comes to the point where it is held", every: .milliseconds(5)) {
            state.withLock { $0.isReached }
        }
    }

    /// Lets the held delivery go on.
    func release() {
        state.withLock { state in
            state.gate?.signal()
            (state.point, state.gate) = (nil, nil)
        }
    }

    // MARK: One connection

    private func pass(_ step: Step, isAnswered: Bool) {
        let gate: DispatchSemaphore? = state.withLock { state in
            guard state.point == Point(step: step, isAnswered: isAnswered), !state.isReached else { return nil }
            state.isReached = true
            return state.gate
        }
        _ = gate?.wait(timeout: .now() + .seconds(40))
    }

    private func serve(_ client: Int32, _ relayPort: UInt16) {
        pass(.connect, isAnswered: false)
        let relay = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(relay) }
        var address = Self.address(port: relayPort)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(relay, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        var (commands, replies) = (LineReader(client), LineReader(relay))
        guard isConnected, let greeting = replies.reply() else { return }
        pass(.connect, isAnswered: true)
        guard Self.send(client, greeting) else { return }
        while let command = commands.line() {
            let step = Self.step(of: command)
            if let step { pass(step, isAnswered: false) }
            // The daemon may have died while it was held: the relay must see what a dead client's relay sees.
            guard !Self.isGone(client), Self.send(relay, command), let reply = replies.reply() else { return }
            if let step { pass(step, isAnswered: true) }
            guard Self.send(client, reply) else { return }
            if step == .data, reply.starts(with: "354".utf8) {
                guard content(&commands, &replies, client, relay) else { return }
            }
        }
    }

    private func content(
        _ commands: inout LineReader, _ replies: inout LineReader, _ client: Int32, _ relay: Int32
    ) -> Bool {
        var text: [UInt8] = []
        while let line = commands.line() {
            text += line
            guard line == Array(".\r\n".utf8) else { continue }
            pass(.content, isAnswered: false)
            guard !Self.isGone(client), Self.send(relay, text), let reply = replies.reply() else { return false }
            pass(.content, isAnswered: true)
            return Self.send(client, reply)
        }
        return false
    }

    private static func step(of command: [UInt8]) -> Step? {
        switch String(decoding: command.prefix(4), as: UTF8.self).uppercased() {
        case "EHLO", "HELO": .hello
        case "MAIL": .mail
        case "RCPT": .recipient
        case "DATA": .data
        default: nil
        }
    }

    private static func isGone(_ peer: Int32) -> Bool {
        var byte: UInt8 = 0
        let count = recv(peer, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
    }

    private static func send(_ peer: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(peer, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// Lines of one peer, with their ends.
private struct LineReader {
    private let peer: Int32
    private var unread: [UInt8] = []

    init(_ peer: Int32) {
        self.peer = peer
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    mutating func line() -> [UInt8]? {
        while true {
            if let feed = unread.firstIndex(of: 0x0A) {
                defer { unread.removeFirst(feed + 1) }
                return Array(unread[...feed])
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(peer, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            unread += buffer[..<count]
        }
    }

    /// A whole reply, of several lines perhaps.
    mutating func reply() -> [UInt8]? {
        var text: [UInt8] = []
        while let line = line() {
            text += line
            if line.count < 4 || line[3] != UInt8(ascii: "-") { return text }
        }
        return nil
    }
}
