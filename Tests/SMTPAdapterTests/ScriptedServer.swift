import Foundation
import Synchronization

/// A mail server that does on command what no real one can be made to do. One thread for each connection, on a port
/// the system chooses; every wait has a deadline, so that a failing test ends.
final class ScriptedServer: Sendable {
    /// What to do when a command comes.
    enum Answer: Sendable {
        case say(String)
        case sayAndHangUp(String)
        case hangUp
        /// Nothing, until the client goes away.
        case silence
    }

    struct Record: Sendable {
        var connections = 0
        var commands: [String] = []
        /// What came between 354 and the final dot, dots and all.
        var messages: [[UInt8]] = []
        var endedConnections = 0
    }

    typealias Script = @Sendable (Dialog) -> Void

    let port: Int
    private let listener: Int32
    private let state = Mutex(Record())
    private let changed = NSCondition()

    var record: Record { state.withLock { $0 } }

    /// Serves every connection with `script`.
    init(script: @escaping Script) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else {
                    // Here and not by the owner: as soon as it is closed, its number is another server's.
                    close(descriptor)
                    return
                }
                guard let self else {
                    close(connection)
                    continue
                }
                let dialog = self.dialog(over: connection)
                Thread.detachNewThread {
                    script(dialog)
                    close(connection)
                    self.note { $0.endedConnections += 1 }
                }
            }
        }
    }

    /// Serves every connection with one table: answers by command verb, `""` for the greeting and `"."` for the end of
    /// the message; what is not named is answered as every server would.
    convenience init(_ answers: [String: Answer]) throws {
        try self.init { $0.serve(answers) }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private func dialog(over connection: Int32) -> Dialog {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        note { $0.connections += 1 }
        return Dialog(number: record.connections, input: connection, output: connection, server: self)
    }

    func note(_ change: (inout Record) -> Void) {
        state.withLock { change(&$0) }
        changed.lock()
        changed.broadcast()
        changed.unlock()
    }

    /// Waits until the record is as wished, on a thread of its own, because tests share few. False after a minute.
    func wait(until condition: @escaping @Sendable (Record) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.block(until: condition)) }
        }
    }

    /// The same for the server's own threads.
    func block(until condition: (Record) -> Bool) -> Bool {
        let deadline = Date(timeIntervalSinceNow: 60)
        changed.lock()
        defer { changed.unlock() }
        while !condition(record) {
            guard changed.wait(until: deadline) else { return condition(record) }
        }
        return true
    }
}

/// The server's side of one connection.
final class Dialog: Sendable {
    /// From 1, in the order of acceptance.
    let number: Int
    private let input: Int32
    private let output: Int32
    private let server: ScriptedServer?
    private let buffer = Mutex<[UInt8]>([])

    init(number: Int, input: Int32, output: Int32, server: ScriptedServer?) {
        self.number = number
        self.input = input
        self.output = output
        self.server = server
    }

    /// Waits until the server's record is as wished; false after a minute.
    func waitForServer(until condition: (ScriptedServer.Record) -> Bool) -> Bool {
        server?.block(until: condition) ?? false
    }

    func note(_ change: (inout ScriptedServer.Record) -> Void) { server?.note(change) }

    func say(_ text: String) {
        var bytes = ArraySlice(Array((text + "\r\n").utf8))
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { buffer in
                server == nil
                    ? write(output, buffer.baseAddress, buffer.count)
                    : send(output, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// The next line without its end; nil when the client has gone or says nothing for 20 s.
    func readLine() -> String? {
        buffer.withLock { buffer in
            while true {
                if let end = buffer.firstIndex(of: 0x0A) {
                    let line = buffer[..<end]
                    buffer.removeSubrange(...end)
                    return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
                }
                guard fill(&buffer) else { return nil }
            }
        }
    }

    /// Everything up to the final dot; nil when the client goes before it.
    func readMessage() -> [UInt8]? {
        let end = Array("\r\n.\r\n".utf8)
        return buffer.withLock { buffer in
            var searched = 0
            while true {
                // A message without a line: the CRLF before the dot is that of DATA (RFC 5321 section 4.1.1.4).
                if buffer.starts(with: end.dropFirst(2)) {
                    buffer.removeFirst(3)
                    return []
                }
                if buffer.count >= end.count {
                    for index in searched...(buffer.count - end.count)
                    where buffer[index..<index + end.count].elementsEqual(end) {
                        let message = Array(buffer[..<(index + 2)])
                        buffer.removeSubrange(..<(index + end.count))
                        return message
                    }
                    searched = buffer.count - end.count + 1
                }
                guard fill(&buffer) else { return nil }
            }
        }
    }

    /// Whether a line that begins so has come already.
    func readLine(ifBegun start: String) -> Bool {
        buffer.withLock { $0.starts(with: start.utf8) } && readLine() != nil
    }

    /// Forgets what has come and was not read.
    func drop() { buffer.withLock { $0 = [] } }

    private func fill(_ buffer: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(input, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }

    /// Answers every command until the client goes or an answer ends it.
    func serve(_ answers: [String: ScriptedServer.Answer] = [:]) {
        guard answer("", answers, usually: "220 scripted.example ESMTP") else { return }
        while let line = readLine() {
            server?.note { $0.commands.append(line) }
            let verb = line.split(separator: " ").first.map { $0.uppercased() } ?? ""
            guard answer(verb, answers, usually: usual(verb)) else { return }
            if verb == "QUIT" { return }
            guard verb == "DATA", answers["DATA"] == nil else { continue }
            guard let message = readMessage() else { return }
            server?.note { $0.messages.append(message) }
            guard answer(".", answers, usually: "250 2.0.0 Ok: queued as S\(number)") else { return }
        }
    }

    private func usual(_ verb: String) -> String {
        switch verb {
        case "EHLO": "250-scripted.example\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME"
        case "HELO": "250 scripted.example"
        case "DATA": "354 End data with <CR><LF>.<CR><LF>"
        case "QUIT": "221 2.0.0 Bye"
        default: "250 2.1.0 Ok"
        }
    }

    private func answer(_ verb: String, _ answers: [String: ScriptedServer.Answer], usually: String) -> Bool {
        switch answers[verb] ?? .say(usually) {
        case .say(let text):
            say(text)
            return true
        case .sayAndHangUp(let text): say(text)
        case .hangUp: break
        case .silence: while readLine() != nil {}
        }
        return false
    }
}
