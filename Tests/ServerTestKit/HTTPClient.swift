import Foundation

/// An answer of an HTTP server.
package struct HTTPAnswer: Sendable {
    /// The status code.
    package let status: Int
    /// The fields in order, names as sent.
    package let fields: [(name: String, value: String)]
    /// The content, transfer coding removed.
    package let body: [UInt8]

    /// The content as text; what is not UTF-8 is replaced.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The first field of that name, in any case; nil when there is none.
    package func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// One HTTP/1.1 request per connection over a plain socket (RFC 9112). Nothing is followed, cached or guessed, so a test
/// sees exactly what the server said.
package struct HTTPClient: Sendable, CustomStringConvertible {
    /// The server's address.
    package let address: String
    /// The server's port.
    package let port: UInt16
    /// The longest silence of the server within one request.
    package let timeout: Duration

    /// Makes a client; nothing is connected yet.
    package init(port: UInt16, address: String = "127.0.0.1", timeout: Duration = .seconds(15)) {
        self.address = address
        self.port = port
        self.timeout = timeout
    }

    package var description: String { "http://\(address):\(port)" }

    /// GET of a path with query.
    package func get(_ target: String, fields: [(String, String)] = []) async throws -> HTTPAnswer {
        try await request("GET", target, fields: fields)
    }

    /// HEAD of a path with query.
    package func head(_ target: String, fields: [(String, String)] = []) async throws -> HTTPAnswer {
        try await request("HEAD", target, fields: fields)
    }

    /// POST of bytes; the content type is JSON unless a field says otherwise.
    package func post(_ target: String, fields: [(String, String)] = [], _ body: [UInt8]) async throws -> HTTPAnswer {
        try await request("POST", target, fields: fields, body: body)
    }

    /// POST of text.
    package func post(_ target: String, fields: [(String, String)] = [], _ body: String) async throws -> HTTPAnswer {
        try await request("POST", target, fields: fields, body: Array(body.utf8))
    }

    /// Any request.
    ///
    /// - Parameters:
    ///   - target: the request target as it goes on the wire, percent-encoded by the caller.
    ///   - fields: further fields; `Host`, `Connection`, `Content-Length` and `Content-Type` are added when missing.
    /// - Throws: ``FixtureError`` `connection`, `timedOut`, `malformed`.
    package func request(
        _ method: String, _ target: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) async throws -> HTTPAnswer {
        var all = fields
        func add(_ name: String, _ value: String) {
            if !all.contains(where: { $0.0.lowercased() == name.lowercased() }) { all.append((name, value)) }
        }
        add("Host", "\(address):\(port)")
        add("Connection", "close")
        if let body {
            add("Content-Length", String(body.count))
            add("Content-Type", "application/json")
        }
        let head = "\(method) \(target) HTTP/1.1\r\n" + all.map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n"
        return try await raw(Array(head.utf8) + (body ?? []), hasBody: method != "HEAD")
    }

    /// Sends bytes as they are and reads one answer: for requests that are wrong on purpose.
    package func raw(_ bytes: [UInt8], hasBody: Bool = true) async throws -> HTTPAnswer {
        try await offPool { [self] in
            let socket = try StreamSocket(connectTo: address, port: port, timeout: timeout)
            defer { socket.hangUp() }
            try socket.send(bytes, timeout: timeout)
            return try answer(from: socket, hasBody: hasBody)
        }
    }

    private func answer(from socket: StreamSocket, hasBody: Bool) throws -> HTTPAnswer {
        guard let start = try socket.line(timeout: timeout) else {
            throw FixtureError(.connection, "closed without an answer")
        }
        let words = start.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw FixtureError(.malformed, "not a status line: \(start)")
        }
        let fields = try self.fields(from: socket)
        // 100 Continue and its kin come before the answer proper (RFC 9110 §15.2).
        if (100...199).contains(status) && status != 101 { return try answer(from: socket, hasBody: hasBody) }
        let isEmpty = !hasBody || status == 204 || status == 304 || status == 101
        return HTTPAnswer(status: status, fields: fields, body: isEmpty ? [] : try body(from: socket, fields))
    }

    private func fields(from socket: StreamSocket) throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while let line = try socket.line(timeout: timeout), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else {
                throw FixtureError(.malformed, "not a field: \(line)")
            }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            fields.append((String(line[..<colon]), value))
        }
        return fields
    }

    /// The content by its framing (RFC 9112 §6.3): chunked, a length, or all that comes until the server closes.
    private func body(from socket: StreamSocket, _ fields: [(name: String, value: String)]) throws -> [UInt8] {
        func value(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }
        if value("transfer-encoding")?.lowercased().contains("chunked") == true { return try chunks(from: socket) }
        guard let length = value("content-length") else { return try socket.rest(timeout: timeout) }
        guard let count = Int(length), count >= 0 else {
            throw FixtureError(.malformed, "Content-Length: \(length)")
        }
        return try socket.bytes(count, timeout: timeout)
    }

    private func chunks(from socket: StreamSocket) throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try socket.line(timeout: timeout) ?? ""
            let digits = line.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
            guard let size = Int(digits, radix: 16), size >= 0 else {
                throw FixtureError(.malformed, "not a chunk size: \(line)")
            }
            if size == 0 {
                while let trailer = try socket.line(timeout: timeout), !trailer.isEmpty {}
                return body
            }
            body += try socket.bytes(size, timeout: timeout)
            _ = try socket.line(timeout: timeout)
        }
    }
}
