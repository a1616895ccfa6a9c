import Foundation
import Glibc
import Testing

/// An answer as it came over the wire.
struct Answer: Sendable {
    var status = 0
    var head = ""
    var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }

    var fields: [(name: String, value: String)] {
        head.split(separator: "\r\n").dropFirst().compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2
                ? (String(parts[0]), String(parts[1]).trimmingCharacters(in: .whitespaces)) : nil
        }
    }

    func field(_ name: String) -> String? {
        fields.first { $0.name.caseInsensitiveCompare(name) == .orderedSame }?.value
    }
}

/// A TCP client that says exactly what it is told. Every conversation has a thread of its own: the server's tasks need
/// those of the tests, so none of them may be blocked.
struct RawClient: Sendable {
    let port: Int

    enum Failure: Error { case connect, write, timeout, unfinished([UInt8]) }

    /// Seconds without a byte before a test gives up.
    private static let patience = 120

    /// One request on its own connection.
    func request(
        _ method: String, _ target: String, _ fields: [(String, String)] = [], body: [UInt8]? = nil
    ) async throws -> Answer {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        let bytes = Array((text + "\r\n").utf8) + (body ?? [])
        let answers = try await converse(bytes, answers: 1, isHead: method == "HEAD")
        return try #require(answers.first)
    }

    /// Sends bytes, and reads so many answers.
    func converse(_ bytes: [UInt8], answers count: Int, isHead: Bool = false) async throws -> [Answer] {
        try await onThread {
            let socket = try Socket(port: port)
            try socket.write(bytes)
            var input: [UInt8] = []
            var answers: [Answer] = []
            while true {
                while answers.count < count, let answer = Self.takeAnswer(&input, isHead: isHead) {
                    answers.append(answer)
                }
                if answers.count == count { return answers }
                guard let more = try socket.read() else { throw Failure.unfinished(input) }
                input += more
            }
        }
    }

    /// Sends pieces, optionally ends its own side, and reads until the server closes the connection.
    func readUntilClosed(_ pieces: [[UInt8]], halfClose: Bool = false) async throws -> [UInt8] {
        try await onThread {
            let socket = try Socket(port: port)
            for piece in pieces { try socket.write(piece) }
            if halfClose { socket.endWriting() }
            var input: [UInt8] = []
            while let more = try socket.read() { input += more }
            return input
        }
    }

    /// Sends bytes and goes away without reading.
    func hangUp(after bytes: [UInt8]) async throws {
        try await onThread {
            let socket = try Socket(port: port)
            try socket.write(bytes)
            socket.resetOnClose()
        }
    }

    static func takeAnswer(_ input: inout [UInt8], isHead: Bool) -> Answer? {
        guard let end = input.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        var answer = Answer()
        answer.head = String(decoding: input[..<end.lowerBound], as: UTF8.self)
        answer.status = Int(answer.head.split(separator: " ").dropFirst().first ?? "") ?? 0
        let length = isHead ? 0 : Int(answer.field("Content-Length") ?? "") ?? 0
        guard input.count >= end.upperBound + length else { return nil }
        answer.body = Array(input[end.upperBound..<end.upperBound + length])
        input.removeFirst(end.upperBound + length)
        return answer
    }

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    /// A connected socket that closes itself.
    final class Socket {
        private let descriptor: Int32

        init(port: Int) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var limit = timeval(tv_sec: RawClient.patience, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else { throw Failure.connect }
        }

        deinit { close(descriptor) }

        func write(_ bytes: [UInt8]) throws {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure.write }
                sent += count
            }
        }

        /// Nil at the end, also when the server broke the connection off.
        func read() throws -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN { throw Failure.timeout }
            return count > 0 ? Array(buffer[..<count]) : nil
        }

        func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

        func resetOnClose() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
    }
}
