import Foundation

/// One reply of an SMTP server (RFC 5321 §4.2).
package struct SMTPReply: Sendable, Equatable, CustomStringConvertible {
    /// The three digits.
    package let code: Int
    /// The text of each line, without code and separator.
    package let lines: [String]

    /// The lines joined by line feeds.
    package var text: String { lines.joined(separator: "\n") }
    /// Whether the code is 2yz or 3yz.
    package var isPositive: Bool { code < 400 }
    package var description: String { "\(code) \(text)" }
}

/// A small SMTP client that does what it is told, right or wrong, one command at a time.
package final class SMTPClient: Sendable, CustomStringConvertible {
    /// What a server said to one mail.
    package struct Delivery: Sendable {
        /// The reply to each RCPT, in order.
        package let recipients: [SMTPReply]
        /// The last reply: to the final dot, or to the command that ended the attempt.
        package let final: SMTPReply
        /// The queue id in Postfix's "250 2.0.0 Ok: queued as ID", nil when it was not accepted.
        package var queueID: String? {
            guard final.code == 250, let range = final.text.range(of: "queued as ") else { return nil }
            return String(final.text[range.upperBound...].prefix { $0.isLetter || $0.isNumber })
        }
    }

    /// The server's address.
    package let address: String
    /// The server's port.
    package let port: UInt16
    private let socket: StreamSocket
    private let timeout: Duration

    /// Connects; the greeting is still to be read with ``reply()``.
    ///
    /// - Parameters:
    ///   - source: the client address the server sees, for example 127.0.0.2 for a client outside `mynetworks`.
    ///   - timeout: for every single send and reply.
    /// - Throws: ``FixtureError`` `connection`, `timedOut`.
    package init(
        port: UInt16, address: String = "127.0.0.1", from source: String? = nil, timeout: Duration = .seconds(30)
    ) async throws {
        self.address = address
        self.port = port
        self.timeout = timeout
        socket = try await offPool {
            try StreamSocket(connectTo: address, port: port, from: source, timeout: timeout)
        }
    }

    package var description: String { "SMTP client of \(address):\(port)" }

    /// Reads one reply with all its lines.
    ///
    /// - Throws: ``FixtureError`` `connection` when the server closed, `malformed` for anything but a reply.
    package func reply() async throws -> SMTPReply {
        try await offPool { [socket, timeout] in
            var lines: [String] = []
            while true {
                guard let line = try socket.line(timeout: timeout) else {
                    throw FixtureError(.connection, "the server closed the connection")
                }
                guard let code = Int(line.prefix(3)), (200...599).contains(code) else {
                    throw FixtureError(.malformed, "not a reply: \(line)")
                }
                let rest = line.dropFirst(3)
                lines.append(String(rest.dropFirst()))
                if rest.first != "-" { return SMTPReply(code: code, lines: lines) }
            }
        }
    }

    /// Sends a line (the line end is added) and reads the reply.
    @discardableResult
    package func command(_ line: String) async throws -> SMTPReply {
        try await send(Array(line.utf8) + [0x0d, 0x0a])
        return try await reply()
    }

    /// Sends bytes as they are and reads nothing.
    package func send(_ bytes: [UInt8]) async throws {
        try await offPool { [socket, timeout] in try socket.send(bytes, timeout: timeout) }
    }

    /// Sends the content of a mail after DATA was answered with 354: dot-stuffed, with the final dot (RFC 5321 §4.5.2).
    ///
    /// - Parameters:
    ///   - raw: the message; nothing but the dots is changed, so line ends must be CRLF if they should be.
    ///   - ending: whether to send the final dot and read the reply to it.
    @discardableResult
    package func content(_ raw: [UInt8], ending: Bool = true) async throws -> SMTPReply? {
        try await send(Self.dotStuffed(raw, ending: ending))
        return ending ? try await reply() : nil
    }

    /// Closes the connection without QUIT.
    ///
    /// - Parameter abruptly: with a reset instead of an orderly end.
    package func hangUp(abruptly: Bool = false) { socket.hangUp(abruptly: abruptly) }

    /// Reads the greeting and says EHLO. Throws when either is refused.
    @discardableResult
    package func greet(_ name: String = "client.example") async throws -> SMTPReply {
        let greeting = try await reply()
        guard greeting.isPositive else { throw FixtureError(.malformed, "greeting: \(greeting)") }
        let answer = try await command("EHLO \(name)")
        guard answer.isPositive else { throw FixtureError(.malformed, "EHLO: \(answer)") }
        return answer
    }

    /// Sends one mail in an open session, after ``greet(_:)``.
    ///
    /// - Parameter parameters: ESMTP words after the reverse path, for example `BODY=8BITMIME`.
    @discardableResult
    package func deliver(
        from reversePath: String, to recipients: [String], _ raw: [UInt8], parameters: String = ""
    ) async throws -> Delivery {
        let words = parameters.isEmpty ? "" : " \(parameters)"
        let mail = try await command("MAIL FROM:<\(reversePath)>\(words)")
        guard mail.isPositive else { return Delivery(recipients: [], final: mail) }
        var answers: [SMTPReply] = []
        for recipient in recipients { answers.append(try await command("RCPT TO:<\(recipient)>")) }
        // As any client does that is refused all its recipients.
        if let refusal = answers.last, !answers.contains(where: \.isPositive) {
            return Delivery(recipients: answers, final: refusal)
        }
        let data = try await command("DATA")
        guard data.code == 354 else {
            try await command("RSET")
            return Delivery(recipients: answers, final: data)
        }
        return Delivery(recipients: answers, final: try await content(raw) ?? data)
    }

    /// Connects, sends one mail, and quits.
    @discardableResult
    package static func send(
        port: UInt16, from reversePath: String, to recipients: [String], _ raw: [UInt8], parameters: String = "",
        helo: String = "client.example", source: String? = nil
    ) async throws -> Delivery {
        let client = try await SMTPClient(port: port, from: source)
        defer { client.hangUp() }
        try await client.greet(helo)
        let result = try await client.deliver(from: reversePath, to: recipients, raw, parameters: parameters)
        try await client.command("QUIT")
        return result
    }

    /// As ``send(port:from:to:_:parameters:helo:source:)`` with text, whose line feeds become CRLF.
    @discardableResult
    package static func send(
        port: UInt16, from reversePath: String, to recipients: [String], text: String, source: String? = nil
    ) async throws -> Delivery {
        try await send(port: port, from: reversePath, to: recipients, wireBytes(text), source: source)
    }

    /// The bytes of a text with CRLF line ends, whatever it had before.
    package static func wireBytes(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        for byte in text.utf8 where byte != 0x0d {
            if byte == 0x0a { result.append(0x0d) }
            result.append(byte)
        }
        return result
    }

    private static func dotStuffed(_ raw: [UInt8], ending: Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count + 16)
        var atStart = true
        for byte in raw {
            if atStart && byte == 0x2e { result.append(0x2e) }
            result.append(byte)
            atStart = byte == 0x0a
        }
        guard ending else { return result }
        if !atStart { result += [0x0d, 0x0a] }
        return result + [0x2e, 0x0d, 0x0a]
    }
}
