import CLibmilter
import Glibc

/// The MTA's side of the milter protocol, as Postfix speaks it: each packet is a length (32 bits, big-endian), a
/// command byte and data (libmilter/mfdef.h lists the bytes).
final class MilterClient {
    struct Answer: Equatable {
        var code: Character
        var data: [UInt8] = []

        /// The text of a reply with code (`y`).
        var text: String { String(decoding: data.prefix { $0 != 0 }, as: UTF8.self) }
    }

    enum Failure: Error, Equatable { case cannotConnect(Int32), hungUp, tooLate }

    private let descriptor: Int32
    private(set) var actions: UInt32 = 0
    private(set) var steps: UInt32 = 0
    private(set) var macroLists: [UInt8] = []

    /// Not connected yet.
    init(unbound: Void) throws { descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }

    convenience init(unix path: String) throws {
        try self.init(unbound: ())
        try connect(unix: path)
    }

    func connect(unix path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try open(&address)
    }

    init(tcp port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try open(&address)
    }

    private func open<Address>(_ address: inout Address) throws {
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafeBytes(of: &address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { Glibc.connect(descriptor, $0.baseAddress, socklen_t(raw.count)) }
        }
        if result != 0 { throw Failure.cannotConnect(errno) }
    }

    deinit { close(descriptor) }

    // MARK: Packets

    static func packet(_ command: Character, _ data: [UInt8] = []) -> [UInt8] {
        bigEndian(UInt32(data.count + 1)) + [command.asciiValue ?? 0] + data
    }

    static func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    static func strings(_ texts: [String]) -> [UInt8] { texts.flatMap { Array($0.utf8) + [0] } }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { throw Failure.hungUp }
            rest = rest.dropFirst(count)
        }
    }

    func send(_ command: Character, _ data: [UInt8] = []) throws { try write(Self.packet(command, data)) }

    /// Says that nothing more will come; answers can still be read.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    private func read(_ size: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: size)
        while bytes.count < size {
            let count = recv(descriptor, &buffer, size - bytes.count, 0)
            if count == 0 || (count < 0 && errno == ECONNRESET) { throw Failure.hungUp }
            if count < 0 { throw Failure.tooLate }
            bytes += buffer.prefix(count)
        }
        return bytes
    }

    func answer() throws -> Answer {
        let size = try read(4).reduce(0) { $0 << 8 | Int($1) }
        let bytes = try read(size)
        return Answer(code: Character(Unicode.Scalar(bytes.first ?? 0)), data: Array(bytes.dropFirst()))
    }

    private func ask(_ command: Character, _ data: [UInt8] = [], unless step: Int = 0) throws -> Answer {
        try send(command, data)
        return steps & UInt32(step) != 0 ? Answer(code: "-") : try answer()
    }

    // MARK: Phases

    /// Offers what Postfix 3.7 offers.
    func negotiate(actions: UInt32 = 0x1FF, steps: UInt32 = 0x1F_FFFF) throws {
        try send("O", Self.bigEndian(6) + Self.bigEndian(actions) + Self.bigEndian(steps))
        let data = try answer().data
        let words = stride(from: 0, to: 12, by: 4).map { data[$0..<$0 + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        (self.actions, self.steps) = (words[1], words[2])
        macroLists = Array(data.dropFirst(12))
    }

    func macros(_ phase: Character, _ values: [String]) throws {
        try send("D", [phase.asciiValue ?? 0] + Self.strings(values))
    }

    @discardableResult
    func greet(name: String = "client.example", address: String = "192.0.2.7", helo: String = "helo.example") throws
        -> Answer
    {
        _ = try ask(
            "C", Self.strings([name]) + Array("4".utf8) + [0x30, 0x39] + Self.strings([address]), unless: SMFIP_NR_CONN)
        return try ask("H", Self.strings([helo]), unless: SMFIP_NR_HELO)
    }

    /// As cleanup(8) does for mail of Postfix's own and of sendmail(1).
    func greetAsCleanup() throws { try greet(name: "localhost", address: "127.0.0.1", helo: "localhost") }

    func mail(_ arguments: String...) throws -> Answer { try ask("M", Self.strings(arguments), unless: SMFIP_NR_MAIL) }
    func recipient(_ arguments: String...) throws -> Answer {
        try ask("R", Self.strings(arguments), unless: SMFIP_NR_RCPT)
    }
    func data() throws -> Answer { try ask("T", unless: SMFIP_NR_DATA) }

    func header(_ name: String, _ value: [UInt8]) throws {
        _ = try ask("L", Self.strings([name]) + value + [0], unless: SMFIP_NR_HDR)
    }

    func header(_ name: String, _ value: String) throws { try header(name, Array(value.utf8)) }
    /// End of the header; Postfix sends it even when there was no field.
    func endOfHeader() throws { _ = try ask("N", unless: SMFIP_NR_EOH) }

    func body(_ bytes: [UInt8]) throws -> Answer { try ask("B", bytes) }

    func endOfMessage(queueID: String) throws -> Answer {
        try macros("E", ["i", queueID])
        return try ask("E")
    }

    func abort() throws { try send("A") }
    func quit() throws { try send("Q") }

    /// Negotiation to HELO.
    static func greeted(unix path: String) throws -> MilterClient {
        let client = try MilterClient(unix: path)
        try client.negotiate()
        try client.greet()
        return client
    }

    /// One whole message; the answer to its end, or the earlier one that made an end of it.
    func message(
        to recipient: String, queueID: String, headers: [(String, String)] = [("Subject", " s")],
        body: [UInt8] = [120, 13, 10], sender: String = "<ann@client.example>"
    ) throws -> Answer {
        _ = try mail(sender)
        let envelope = try self.recipient("<\(recipient)>")
        if envelope.code == "y" { return envelope }
        let data = try data()
        if "ay".contains(data.code) { return data }
        for (name, value) in headers { try header(name, value) }
        try endOfHeader()
        let middle = body.isEmpty ? nil : try self.body(body)
        if let middle, "ay".contains(middle.code) { return middle }
        return try endOfMessage(queueID: queueID)
    }
}
