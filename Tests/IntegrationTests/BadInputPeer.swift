import Glibc
import ServerTestKit

/// A plain connection that sends what it is told, on a UNIX-domain socket or a port of 127.0.0.1, and can vanish in two
/// ways. Sends wait two seconds at most; a peer that has had enough may close at any time, and that is no error here.
final class BadInputPeer: Sendable {
    private let descriptor: Int32

    /// - Throws: `FixtureError` `connection` when nobody listens.
    init(unix path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        try open(address)
    }

    /// - Throws: `FixtureError` `connection` when nobody listens.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        try open(address)
    }

    private func open<Address>(_ address: Address) throws {
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = withUnsafeBytes(of: address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { connect(descriptor, $0.baseAddress, socklen_t(raw.count)) }
        }
        guard result == 0 else { throw FixtureError(.connection, "connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends as much as the peer takes.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.send(descriptor, raw.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Whatever comes next, at most 64 KiB; empty when the peer closed or is silent for two seconds.
    func receive() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Makes the coming close a reset (RST); without effect on a UNIX-domain socket.
    func willReset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }
}

/// The MTA's half of the milter protocol as bytes: each packet is a length (32 bits, big-endian), a command and data
/// (libmilter/mfdef.h).
enum BadInputMilterPacket {
    static func packet(_ command: Character, _ data: [UInt8] = []) -> [UInt8] {
        length(UInt32(data.count + 1)) + [command.asciiValue ?? 0] + data
    }

    static func length(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    static func strings(_ texts: String...) -> [UInt8] { texts.flatMap { Array($0.utf8) + [0] } }

    /// The phases of one message in order, each with the packets that lead to it.
    static let phases: [(name: String, bytes: [UInt8])] = [
        ("connection", []),
        ("negotiation", packet("O", length(6) + length(0x1FF) + length(0x1F_FFFF))),
        ("client", packet("C", strings("client.example") + Array("4".utf8) + [0x30, 0x39] + strings("192.0.2.7"))),
        ("HELO", packet("H", strings("helo.example"))),
        ("MAIL", packet("M", strings("<peer@sender.example>"))),
        ("RCPT", packet("R", strings("<\(Site.inbox)>"))),
        ("DATA", packet("T")),
        ("field", packet("L", strings("Subject", " from a peer"))),
        ("end of header", packet("N")),
        ("body", packet("B", Array("hello\r\n".utf8))),
    ]
}
