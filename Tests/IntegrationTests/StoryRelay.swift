import Dispatch
import Foundation
import Glibc
import ServerTestKit
import Synchronization

/// A mail relay that stops where a test tells it to, answers as told, and keeps what it accepted: so that a daemon can be
/// killed at a known point of a delivery.
///
/// One thread for each connection. Every wait has a deadline, so that a failing test ends.
final class StoryRelay: Sendable {
    /// Where in a delivery the relay can stop or say something unusual; each is the moment before its reply.
    enum Point: String, Sendable, CaseIterable {
        case connect, hello, mail, recipient, data
        /// The final dot has come, the 250 has not been said.
        case content
    }

    /// A mail that got its 250.
    struct Message: Sendable {
        let reversePath: String
        let recipient: String
        let text: String

        /// The value of Message-ID, brackets included; empty when there is none.
        var messageID: String { StoryMail.field("Message-ID", of: text) }
    }

    private struct Hold {
        let point: Point
        let gate = DispatchSemaphore(value: 0)
        var isReached = false
    }

    private struct State {
        var hold: Hold?
        var answers: [Point: [String]] = [:]
        var messages: [Message] = []
        var answered = 0
        var mails = 0
    }

    /// Always on 127.0.0.1.
    var port: UInt16 { server.port }
    private let server: LoopbackServer
    private let state = Mutex(State())
    private let onCommand: @Sendable () -> Void

    /// Listens and serves.
    ///
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onCommand: called at every command.
    init(port wanted: UInt16 = 0, onCommand: @escaping @Sendable () -> Void = {}) throws {
        self.onCommand = onCommand
        server = try LoopbackServer(port: wanted)
        server.start { [weak self] connection in
            guard let self else { return }
            StoryRelayDialog(connection: connection, relay: self).serve()
        }
    }

    deinit { stop() }

    /// Ends the listener and all connections.
    func stop() {
        state.withLock { _ = $0.hold?.gate.signal() }
        server.stop()
    }

    // MARK: What the test says

    /// The next delivery that comes to this point stays there until ``release()``.
    func hold(at point: Point) { state.withLock { $0.hold = Hold(point: point) } }

    /// Waits until a delivery has come to the point of ``hold(at:)``.
    func waitUntilHeld() async throws {
        try await eventually("a delivery comes to the point where it is held") {
            state.withLock { $0.hold?.isReached == true }
        }
    }

    /// Lets the held delivery go on.
    func release() {
        state.withLock { state in
            state.hold?.gate.signal()
            state.hold = nil
        }
    }

    /// The replies to the next deliveries at a point, one for each; after that the usual one. One that begins with `!` is said
    /// as it stands, without a line end, and then the relay hangs up.
    func answer(at point: Point, _ replies: [String]) { state.withLock { $0.answers[point] = replies } }

    // MARK: What the relay saw

    /// The mails accepted so far, in order.
    var messages: [Message] { state.withLock { $0.messages } }
    /// Mail transactions begun.
    var attempts: Int { state.withLock { $0.mails } }
    /// How many mails' 250 is on the wire.
    var answered: Int { state.withLock { $0.answered } }

    /// The mails accepted for an address.
    func messages(to recipient: String) -> [Message] { messages.filter { $0.recipient == recipient } }

    /// Waits until at least `count` mails for an address have been accepted, and returns them.
    @discardableResult
    func waitForMessages(_ count: Int = 1, to recipient: String) async throws -> [Message] {
        try await eventualValue("\(count) mails to \(recipient) at the relay", deadline: .seconds(25)) {
            let found = messages(to: recipient)
            return found.count >= count ? found : nil
        }
    }

    // MARK: What the connections do

    fileprivate func sawCommand(_ verb: String) {
        if verb == "MAIL" { state.withLock { $0.mails += 1 } }
        onCommand()
    }

    /// Waits while the point is held, and gives the reply to say.
    fileprivate func pass(_ point: Point, usually: String) -> String {
        let gate: DispatchSemaphore? = state.withLock { state in
            guard state.hold?.point == point, state.hold?.isReached == false else { return nil }
            state.hold?.isReached = true
            return state.hold?.gate
        }
        if let gate { _ = gate.wait(timeout: .now() + .seconds(40)) }
        return state.withLock { state in
            guard var replies = state.answers[point], !replies.isEmpty else { return usually }
            defer { state.answers[point] = replies }
            return replies.removeFirst()
        }
    }

    fileprivate func accept(_ message: Message) { state.withLock { $0.messages.append(message) } }

    fileprivate func hasAnswered() { state.withLock { $0.answered += 1 } }
}

/// The relay's side of one connection. Used by the thread of that connection alone.
private final class StoryRelayDialog {
    private let connection: Int32
    private let relay: StoryRelay
    private var unread: [UInt8] = []
    private var reversePath = ""
    private var recipient = ""

    init(connection: Int32, relay: StoryRelay) {
        self.connection = connection
        self.relay = relay
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func serve() {
        guard say(relay.pass(.connect, usually: "220 relay.example ESMTP")) else { return }
        while let line = readLine() {
            let verb = line.prefix(4).uppercased()
            relay.sawCommand(verb)
            switch verb {
            case "EHLO", "HELO":
                guard say(relay.pass(.hello, usually: "250-relay.example\r\n250 8BITMIME")) else { return }
            case "MAIL":
                reversePath = Self.path(line)
                guard say(relay.pass(.mail, usually: "250 2.1.0 Ok")) else { return }
            case "RCPT":
                recipient = Self.path(line)
                guard say(relay.pass(.recipient, usually: "250 2.1.5 Ok")) else { return }
            case "DATA":
                guard takeMessage() else { return }
            case "QUIT":
                _ = say("221 2.0.0 Bye")
                return
            default:
                guard say("250 2.0.0 Ok") else { return }
            }
        }
    }

    private func takeMessage() -> Bool {
        let opening = relay.pass(.data, usually: "354 End data with <CR><LF>.<CR><LF>")
        guard say(opening) else { return false }
        guard opening.hasPrefix("354") else { return true }
        var lines: [String] = []
        while true {
            guard let line = readLine() else { return false }
            if line == "." { break }
            lines.append(line.hasPrefix(".") ? String(line.dropFirst()) : line)
        }
        let message = StoryRelay.Message(
            reversePath: reversePath, recipient: recipient, text: lines.joined(separator: "\n"))
        let reply = relay.pass(.content, usually: "250 2.0.0 Ok: queued as R\(relay.attempts)")
        // A relay that cannot give its answer any more throws the mail away, as Postfix does before its commit.
        if isPeerGone { return false }
        guard reply.hasPrefix("250") else { return say(reply) }
        relay.accept(message)
        guard say(reply) else { return false }
        relay.hasAnswered()
        return true
    }

    private static func path(_ line: String) -> String {
        guard let start = line.firstIndex(of: "<"), let end = line.lastIndex(of: ">") else { return "" }
        return String(line[line.index(after: start)..<end])
    }

    private var isPeerGone: Bool {
        var byte: UInt8 = 0
        let count = recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
    }

    private func say(_ text: String) -> Bool {
        if isPeerGone { return false }
        let isLast = text.hasPrefix("!")
        let bytes = Array((isLast ? String(text.dropFirst()) : text + "\r\n").utf8)
        return send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count && !isLast
    }

    private func readLine() -> String? {
        while true {
            if let feed = unread.firstIndex(of: 0x0A) {
                var line = unread[..<feed]
                if line.last == 0x0D { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                unread.removeFirst(feed + 1)
                return text
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(connection, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            unread += buffer[..<count]
        }
    }
}
