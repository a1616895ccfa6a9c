import Dispatch
import Foundation
import Glibc
import ServerTestKit
import Synchronization

/// A milter that is asked for nothing but its answer at the end of a message: one that stands behind the daemon's in Postfix's
/// list, and takes its time, refuses, or adds a field.
///
/// The protocol is a length and a letter before each packet (MILTER_README and the headers of libmilter).
final class StoryMilter: Sendable {
    private struct State {
        /// What the next ends of messages are answered with; after them, continue.
        var answers: [Character] = []
        /// How long a field every message gets; 0 is none.
        var fieldLength = 0
        var gate: DispatchSemaphore?
        var isReached = false
    }

    /// As Postfix names it.
    var endpoint: String { "inet:127.0.0.1:\(server.port)" }
    private let server: LoopbackServer
    private let state = Mutex(State())

    init() throws {
        server = try LoopbackServer()
        server.start { [weak self] in self?.serve($0) }
    }

    deinit { stop() }

    func stop() {
        state.withLock { _ = $0.gate?.signal() }
        server.stop()
    }

    /// The next messages are refused for now.
    func refuse(_ count: Int) { state.withLock { $0.answers = Array(repeating: "t", count: count) } }

    /// Every message from now on gets a field of so many bytes; 0 ends it.
    func addField(length: Int) { state.withLock { $0.fieldLength = length } }

    /// The next message waits at its end until ``release()``.
    func hold() { state.withLock { ($0.gate, $0.isReached) = (DispatchSemaphore(value: 0), false) } }

    func waitUntilHeld() async throws {
        try await eventually("a message waits at its end", every: .milliseconds(5)) { state.withLock { $0.isReached } }
    }

    func release() {
        state.withLock { state in
            state.gate?.signal()
            state.gate = nil
        }
    }

    private func serve(_ peer: Int32) {
        while let (command, _) = Self.packet(peer) {
            switch command {
            case "O":
                // Version 6, fields may be added, and none of the steps but the last.
                let steps: UInt32 = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200
                guard
                    Self.answer(
                        peer, "O",
                        [6, 1, steps].flatMap { word in
                            withUnsafeBytes(of: UInt32(word).bigEndian) { Array($0) }
                        })
                else { return }
            case "E":
                let gate: DispatchSemaphore? = state.withLock { state in
                    guard let gate = state.gate, !state.isReached else { return nil }
                    state.isReached = true
                    return gate
                }
                _ = gate?.wait(timeout: .now() + .seconds(40))
                let length = state.withLock { $0.fieldLength }
                if length > 0 {
                    let field = Array("X-Story\0".utf8) + Array(repeating: UInt8(ascii: "x"), count: length) + [0]
                    guard Self.answer(peer, "h", field) else { return }
                }
                let answer = state.withLock { $0.answers.isEmpty ? "c" : $0.answers.removeFirst() }
                guard Self.answer(peer, answer, []) else { return }
            case "Q": return
            default: continue
            }
        }
    }

    private static func answer(_ peer: Int32, _ letter: Character, _ data: [UInt8]) -> Bool {
        let bytes =
            withUnsafeBytes(of: UInt32(data.count + 1).bigEndian) { Array($0) } + [letter.asciiValue ?? 0] + data
        return send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    private static func packet(_ peer: Int32) -> (Character, [UInt8])? {
        guard let head = bytes(peer, 4) else { return nil }
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        guard (1...1_000_000).contains(length), let body = bytes(peer, length) else { return nil }
        return (Character(UnicodeScalar(body[0])), Array(body[1...]))
    }

    private static func bytes(_ peer: Int32, _ count: Int) -> [UInt8]? {
        var found: [UInt8] = []
        while found.count < count {
            var buffer = [UInt8](repeating: 0, count: count - found.count)
            let got = read(peer, &buffer, buffer.count)
            if got < 0 && errno == EINTR { continue }
            guard got > 0 else { return nil }
            found += buffer[..<got]
        }
        return found
    }
}
